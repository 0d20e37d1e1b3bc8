package oracle

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
)

// retryEvery is how often NXCLOUD tries again, for 60 minutes.
const retryEvery = time.Minute

// callbacks holds that what was answered 200 is stored byte for byte, and that
// what the vendor gave up is stored all the same, or named by an outage window.
func (c *check) callbacks() {
	c.report.Accepted, c.report.Dropped = len(c.account.Accepted), len(c.account.Dropped)
	bodies := make(map[string][]*plan.Record)
	for i := range c.records {
		r := &c.records[i]
		if raw := c.raws[r.RawID]; r.Type == checkType && r.Account == c.limits.account(sandbox.NXCloud) && raw != nil && raw.Kind == state.RawCallback {
			bodies[string(raw.Body)] = append(bodies[string(raw.Body)], r)
		}
	}
	stored := func(b *sandbox.Callback) bool {
		return slices.ContainsFunc(bodies[b.Body], func(r *plan.Record) bool {
			// Of an odd body it is enough that it is kept: some can be understood.
			return b.Odd || r.Key == b.RequestID && r.Identity == b.BatchNo && r.Quarantined == "" && r.Outcome == outcomeOfCode(b.Body)
		})
	}
	for i := range c.account.Accepted {
		if b := &c.account.Accepted[i]; !stored(b) {
			c.violated(Accepted, "nxcloud callback "+b.RequestID, "%s, answered 200 at %s and not stored: %s", b.Kind, stamp(b.At), quote(b.Body))
		}
	}
	c.dropped(stored)
}

func outcomeOfCode(body string) plan.Outcome {
	var said struct{ Code int }
	if json.Unmarshal([]byte(body), &said) == nil && said.Code == 0 {
		return plan.Succeeded
	}
	return plan.Failed
}

// dropped judges what the vendor gave up after 60 minutes of trying each minute.
//
//   - It is stored (only the 200 was lost on its way): nothing is lost.
//   - An outage window covers its last attempt: the loss is named.
//   - No attempt fell into a time in which it could have been stored: the receiver
//     was down for all of its 60 minutes, at once or in pieces, and a window is
//     missing.
//   - Some attempts fell into such times: each of those must have been broken on
//     its way by a fault of the sandbox's, which no program can know of. There are
//     not more of such attempts than faults that struck; else the receiver has
//     refused what it could have stored.
func (c *check) dropped(stored func(*sandbox.Callback) bool) {
	var broken int
	for i := range c.account.Faults {
		switch f := &c.account.Faults[i]; {
		case f.Vendor != sandbox.NXCloud:
		case f.Kind == sandbox.Unreachable, f.Kind == sandbox.Truncate, f.Kind == sandbox.ResetAfter, f.Kind == sandbox.Delay:
			broken += int(f.Struck)
		}
	}
	for i := range c.account.Dropped {
		b := &c.account.Dropped[i]
		if stored(b) || slices.ContainsFunc(c.windows, func(w plan.LossWindow) bool {
			return w.Cause == plan.LossOutage && w.Account == c.limits.account(sandbox.NXCloud) && (c.covers(&w, b.At) || c.covers(&w, b.FirstAt))
		}) {
			continue
		}
		name := "nxcloud callback " + b.RequestID
		up := 0
		for n := range b.Attempts {
			at := b.FirstAt.Add(time.Duration(n) * retryEvery)
			if !slices.ContainsFunc(c.limits.Down, func(s Span) bool { return s.widened(time.Second).holds(at) }) {
				up++
			}
		}
		if up == 0 {
			c.violated(Dropped, name, "the receiver could not store it from %s to %s, and no outage window says so", stamp(b.FirstAt), stamp(b.At))
			continue
		}
		if broken -= up; broken < 0 {
			c.violated(Dropped, name, "given up at %s after %d attempts, %d of them while the receiver was up and nothing broke them", stamp(b.At), b.Attempts, up)
		}
	}
}
