package agent

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
)

// judge judges an item's expectations at a time. It reports whether any changed
// its state, and the earliest time at which the clock alone may change one that
// is pending (zero: none). The item's values must be derived already.
func judge(ev *hclspec.Evaluation, t *plan.Type, item *plan.Item, now time.Time) (changed bool, deadline time.Time, err error) {
	if ev == nil {
		return false, time.Time{}, nil
	}
	if !ev.HasExpect(item.Address.Block()) {
		changed = len(item.Expectations) > 0
		item.Expectations = nil
		return changed, time.Time{}, nil
	}
	self, err := plan.ItemValues(t, item)
	if err != nil {
		return false, time.Time{}, err
	}
	verdicts := ev.Judge(item.Address, self)
	next := make([]plan.Expectation, 0, len(verdicts))
	for _, v := range verdicts {
		var prev plan.Expectation
		if i := slices.IndexFunc(item.Expectations, func(e plan.Expectation) bool { return e.Name == v.Name }); i >= 0 {
			prev = item.Expectations[i]
		}
		if item.FirstReadAt.IsZero() && !item.Settled {
			v.Known = false // it is judged at each observation, and there was none
		}
		e := plan.Judge(prev, v, item.TrackedAt, item.Settled, now)
		next = append(next, e)
		if at := item.TrackedAt.Add(v.Within); e.State == plan.ExpectPending && v.Within > 0 && at.After(now) &&
			(deadline.IsZero() || at.Before(deadline)) {
			deadline = at
		}
	}
	changed = !slices.EqualFunc(item.Expectations, next, func(a, b plan.Expectation) bool {
		return a.Name == b.Name && a.State == b.State && a.Message == b.Message
	})
	item.Expectations = next
	return changed, deadline, nil
}
