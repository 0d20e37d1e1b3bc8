package oracle

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
)

// reads holds the account of each polled item's reads against floor, end and
// punctuality.
func (c *check) reads() {
	for i := range c.account.Reads {
		r := &c.account.Reads[i]
		c.report.Reads += r.Count
		pace := c.limits.Pace[r.Vendor]
		name := string(r.Vendor) + " " + r.ID
		for n := 1; n < len(r.Times); n++ {
			before, at := r.Times[n-1], r.Times[n]
			unrecorded, killed := c.limits.unrecorded(before)
			if gap := at.Sub(before); gap < pace.Floor && !killed && !c.limits.jumped(Span{before, at}) {
				c.violated(Floor, name, "read at %s, %s after the read before; the floor is %s", stamp(at), gap, pace.Floor)
			}
			if !r.FinalAt.IsZero() && before.Compare(r.FinalAt) >= 0 && !unrecorded {
				c.violated(Final, name, "read at %s, though its end was told at %s", stamp(at), stamp(r.FinalAt))
			}
		}
		if len(r.Times) < int(r.Count) && r.AfterFinal > int64(len(c.limits.Kills)) && len(c.limits.Failing) == 0 {
			c.violated(Final, name, "read %d times after its end was told at %s", r.AfterFinal, stamp(r.FinalAt))
		}
	}
	c.punctuality()
}

// punctuality holds that in calm times each tracked, unsettled item is read at
// least once in its interval and the back-off's cap.
func (c *check) punctuality() {
	times := make(map[string][]time.Time)
	complete := make(map[string]bool)
	for i := range c.account.Reads {
		r := &c.account.Reads[i]
		times[string(r.Vendor)+"\x00"+r.ID] = r.Times
		complete[string(r.Vendor)+"\x00"+r.ID] = int(r.Count) == len(r.Times)
	}
	for _, item := range c.items {
		v, polled := vendorOf(item.Address.Type())
		if !polled {
			continue
		}
		identity := item.Identity[strings.LastIndexByte(item.Identity, '/')+1:] // itniotech's is app_id/order_id
		id := string(v) + "\x00" + identity
		if item.Account != c.limits.account(v) || len(times[id]) > 0 && !complete[id] || item.NotFound {
			continue // reads of what does not exist are not in the account
		}
		c.late(string(v)+" "+identity, v, times[id], c.alive(item))
	}
}

// alive are the times in which an item was surely tracked and not settled, by its
// history, in the vendors' time.
func (c *check) alive(item *plan.Item) []Span {
	var spans []Span
	open := false
	for _, e := range c.events[item.ID] {
		settled, said := false, false
		for _, f := range e.Changes {
			if f.Path == "settled" {
				settled, said = string(f.After) == "true", true
			}
		}
		switch {
		case open && (e.Action == plan.Forget || said && settled):
			spans[len(spans)-1].To, _ = c.limits.vendors(e.At)
			open = false
		case !open && e.Action != plan.Forget && (e.Action == plan.Track && !said && !item.Settled || said && !settled):
			_, from := c.limits.vendors(e.At)
			spans = append(spans, Span{from, c.account.At})
			open = true
		}
	}
	return spans
}

// late judges the gaps between reads in the times that are both calm and alive.
func (c *check) late(name string, v sandbox.Vendor, reads []time.Time, alive []Span) {
	pace := c.limits.Pace[v]
	if pace.MaxInterval == 0 {
		return
	}
	allowed := pace.Interval + pace.MaxInterval + 2*c.limits.timeout()
	for _, calm := range c.limits.Calm[v] {
		for _, a := range alive {
			from, to := calm.From, calm.To
			if a.From.After(from) {
				from = a.From
			}
			if a.To.Before(to) {
				to = a.To
			}
			for from.Add(allowed).Before(to) {
				next := slices.IndexFunc(reads, func(t time.Time) bool { return t.After(from) })
				if next < 0 || reads[next].Sub(from) > allowed {
					c.violated(Punctual, name, "not read between %s and %s, though nothing was in the way; at most %s were agreed", stamp(from), stamp(from.Add(allowed)), allowed)
					break
				}
				from = reads[next]
			}
		}
	}
}

// pulls holds that in calm times a tracked policy pulls at least once in its
// interval and the back-off's cap.
func (c *check) pulls() {
	policies := 0
	var policy *plan.Item
	for _, item := range c.items {
		if item.Address.Type() == pullType && item.Account == c.limits.account(sandbox.UCloud) {
			policies, policy = policies+1, item
		}
	}
	if policies != 1 {
		return // the account does not tell whose pull it was
	}
	var times []time.Time
	for i := range c.account.Pulls {
		times = append(times, c.account.Pulls[i].At)
	}
	c.late("ucloud policy "+policy.Address.String(), sandbox.UCloud, times, c.alive(policy))
}
