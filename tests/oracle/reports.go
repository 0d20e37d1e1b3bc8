package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
)

// The resource types whose records are compared.
const (
	messageType = "ucloud_usms_message"
	checkType   = "nxcloud_number_check"
	pullType    = "ucloud_usms_report_pull"
)

// kept is how long UCloud keeps a report that nobody pulls.
const kept = 72 * time.Hour

func isNotFound(err error) bool { return errors.Is(err, state.ErrNotFound) }

// usms is a report as UCloud's page shows it.
type usms struct {
	SessionNo     string
	Phone         string
	CostCount     int64
	ReceiptTime   int64
	ReceiptResult string
	ReceiptCode   string
}

// deletions holds deleted = stored + inside a recorded loss window. Each pull's
// missing reports must fit into one window of its policy, by time and bound.
func (c *check) deletions() {
	c.report.Deleted = len(c.account.Deleted)
	byKey := make(map[string][]*plan.Record)
	var keyless []*plan.Record
	for i := range c.records {
		r := &c.records[i]
		switch {
		case r.Type != messageType || r.Account != c.limits.account(sandbox.UCloud):
		case r.Key == "":
			keyless = append(keyless, r)
		default:
			byKey[r.Key] = append(byKey[r.Key], r)
		}
	}
	missing := make(map[string][]*sandbox.Deletion)
	for i := range c.account.Deleted {
		d := &c.account.Deleted[i]
		candidates := byKey[d.SessionNo+"/"+d.Phone]
		if d.Odd {
			candidates = append(slices.Clone(candidates), keyless...)
		}
		if !slices.ContainsFunc(candidates, func(r *plan.Record) bool { return c.tells(r, d) }) {
			missing[d.ReqUUID] = append(missing[d.ReqUUID], d)
		}
	}
	used := make(map[int64]bool)
	for i := range c.account.Pulls {
		p := &c.account.Pulls[i]
		lost := missing[p.ReqUUID]
		if len(lost) == 0 {
			continue
		}
		var best *plan.LossWindow
		tooSmall := false
		for j := range c.windows {
			w := &c.windows[j]
			if w.Cause != plan.LossPull || used[w.ID] || !c.ofPolicy(w, p) || !c.covers(w, p.At) {
				continue
			}
			if w.Bound < int64(len(lost)) {
				tooSmall = true
				continue
			}
			if best == nil || w.Bound < best.Bound {
				best = w
			}
		}
		switch {
		case best != nil:
			used[best.ID] = true
			c.report.InWindows += len(lost)
		case tooSmall:
			c.violated(Bounded, "pull "+p.ReqUUID, "%d of its %d reports are not stored, more than its loss window bounds", len(lost), p.Returned)
		default:
			for _, d := range lost {
				c.violated(Deleted, "ucloud report "+d.SessionNo+"/"+d.Phone,
					"deleted at %s by pull %s (fault %q), not stored and in no loss window", stamp(d.At), d.ReqUUID, p.Fault)
			}
		}
	}
}

// tells reports whether a record is a deleted report: its evidence holds the
// report's bytes, and it says what they say.
func (c *check) tells(r *plan.Record, d *sandbox.Deletion) bool {
	raw := c.raws[r.RawID]
	if raw == nil || !bytes.Contains(raw.Body, d.Report) {
		return false
	}
	if d.Odd {
		return c.tellsOdd(r, d)
	}
	var said usms
	if json.Unmarshal(d.Report, &said) != nil {
		return false
	}
	return r.Quarantined == "" && r.Identity == said.SessionNo && r.Outcome == outcomeOf(said.ReceiptResult) &&
		r.Code == said.ReceiptCode && r.Parts == said.CostCount && r.EventTime.Unix() == said.ReceiptTime
}

// tellsOdd is tells of a report that does not fit its page. Where the result and
// whom it is of can be read it counts, and what cannot be read is told under extra;
// else it is quarantined with whatever could be read of it.
func (c *check) tellsOdd(r *plan.Record, d *sandbox.Deletion) bool {
	var object map[string]any
	if json.Unmarshal(d.Report, &object) != nil || object == nil {
		return r.Quarantined != "" && r.Key == "" && string(r.Attributes) == "{}"
	}
	var attrs map[string]any
	if json.Unmarshal(r.Attributes, &attrs) != nil {
		return false
	}
	for field, attr := range map[string]string{"SessionNo": "session_no", "Phone": "phone", "ReceiptDesc": "receipt_desc", "UserId": "user_id"} {
		if text, ok := object[field].(string); ok && attrs[attr] != text {
			return false
		}
	}
	session, identified := object["SessionNo"].(string)
	_, addressed := object["Phone"].(string)
	result, told := object["ReceiptResult"].(string)
	if !identified || !addressed || !told {
		return r.Quarantined != ""
	}
	extra, _ := attrs["extra"].(map[string]any)
	return r.Quarantined == "" && r.Identity == session && r.Outcome == outcomeOf(result) &&
		r.EventTime.IsZero() && slices.Contains(slices.Collect(maps.Values(extra)), object["ReceiptTime"])
}

func outcomeOf(receiptResult string) plan.Outcome {
	switch receiptResult {
	case "发送成功", "Success":
		return plan.Succeeded
	case "发送失败", "Fail":
		return plan.Failed
	}
	return plan.Unknown
}

// ofPolicy reports whether a window is of the policy that made a pull.
func (c *check) ofPolicy(w *plan.LossWindow, p *sandbox.Pull) bool {
	if w.Account != c.limits.account(sandbox.UCloud) {
		return false
	}
	for _, item := range c.items {
		if item.Address == w.Address && item.Address.Type() == pullType && item.Identity != "" && item.Identity != p.Project {
			return false
		}
	}
	return true
}

// covers reports whether a moment of the vendors' time is inside a window, whose
// times are those of the program's clock. A clock that is set back during a pull
// may have its ends the wrong way round.
func (c *check) covers(w *plan.LossWindow, at time.Time) bool {
	from, to := w.From, w.To
	if to.Before(from) {
		from, to = to, from
	}
	s := Span{from, to}.widened(time.Second)
	return slices.ContainsFunc(c.limits.program(at), s.holds)
}

// expiries holds that what nobody pulled for 72 hours is inside a retention
// window, once a complete answer came again: it expired between the two complete
// answers that the window stands between. (From is the earlier one, To is 72
// hours before the later.) What expired before the first pull ever is nobody's.
func (c *check) expiries() {
	c.report.Expired = len(c.account.Expired)
	var first, last time.Time
	for i := range c.account.Pulls {
		if p := &c.account.Pulls[i]; p.Whole {
			if last = p.At; first.IsZero() {
				first = p.At
			}
		}
	}
	for i := range c.account.Expired {
		e := &c.account.Expired[i]
		if first.IsZero() || e.At.Before(first) || e.At.After(last) {
			continue
		}
		if !slices.ContainsFunc(c.windows, func(w plan.LossWindow) bool {
			if w.Cause != plan.LossRetention {
				return false
			}
			w.To = w.To.Add(kept)
			return c.covers(&w, e.At)
		}) {
			c.violated(Expired, "ucloud report "+e.SessionNo+"/"+e.Phone, "expired at %s and no retention window covers it", stamp(e.At))
		}
	}
}

// windowCauses holds that windows make sense, and that there are no more of
// those for spoiled answers than answers were spoiled or programs killed.
func (c *check) windowCauses() {
	spoiled := int64(len(c.limits.Cut)) + int64(len(c.limits.Kills))
	for i := range c.account.Faults {
		f := &c.account.Faults[i]
		if f.Vendor == sandbox.UCloud && f.Kind != sandbox.Odd && f.Kind != sandbox.Refuse && f.Kind != sandbox.Unreachable && f.Kind != sandbox.CloseIdle {
			spoiled += f.Struck
		}
	}
	var pulls int64
	for i := range c.windows {
		w := &c.windows[i]
		name := fmt.Sprintf("loss window %d (%s)", w.ID, w.Cause)
		if w.To.Before(w.From) {
			c.violated(Windowed, name, "it ends at %s, before it begins at %s", stamp(w.To), stamp(w.From))
		}
		switch w.Cause {
		case plan.LossPull:
			pulls++
			if p := c.needless(w); p != nil {
				c.violated(Windowed, name, "pull %s at %s was answered whole, and nothing was in the way of keeping it", p.ReqUUID, stamp(p.At))
			}
			if w.Bound < 0 || w.Salvaged < 0 || w.Bound+w.Salvaged > 200 {
				c.violated(Windowed, name, "bound %d and salvaged %d: a page holds 200 at most", w.Bound, w.Salvaged)
			}
		case plan.LossRetention, plan.LossOutage:
			if w.Bound != -1 {
				c.violated(Windowed, name, "bound %d: nobody can know one", w.Bound)
			}
		default:
			c.violated(Windowed, name, "no such cause is known")
		}
	}
	if pulls > spoiled {
		c.violated(Windowed, "loss windows of pulls", "%d are recorded, and only %d pulls can have been spoiled", pulls, spoiled)
	}
}

// needless is the pull that a window gives up although its answer went out whole
// and the program lived; nil when the window has its reason.
func (c *check) needless(w *plan.LossWindow) (clean *sandbox.Pull) {
	within := func(t time.Time) bool { return c.covers(w, t) }
	if slices.ContainsFunc(c.limits.Kills, within) || slices.ContainsFunc(c.limits.Cut, within) {
		return nil
	}
	for i := range c.account.Pulls {
		p := &c.account.Pulls[i]
		if !within(p.At) || !c.ofPolicy(w, p) {
			continue
		}
		if harmless := p.Fault == "" || p.Fault == sandbox.Delay || p.Fault == sandbox.Odd || p.Fault == sandbox.CloseIdle; !p.Whole || !harmless {
			return nil
		}
		if p.Returned < p.Limit { // after a full page another is pulled at once: the window may be that one's
			clean = p
		}
	}
	return clean
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func quote(body string) string {
	if len(body) > 120 {
		body = body[:120] + "..."
	}
	return strings.ReplaceAll(body, "\n", " ")
}
