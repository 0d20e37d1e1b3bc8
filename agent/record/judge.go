package record

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/zclconf/go-cty/cty"
)

// Expectations are the expect blocks of a configuration.
type Expectations interface {
	// HasExpect reports whether a block, "type.name", has any.
	HasExpect(block string) bool
	// Judge evaluates those of an item's block; self is the item as its conditions
	// see it.
	Judge(address plan.Address, self cty.Value) []plan.Verdict
}

// Judge judges an item's expectations at a time. It reports whether any changed
// its state, and the earliest time at which the clock alone may change one that
// is pending (zero: none). The item's values must be derived already.
func Judge(e Expectations, t *plan.Type, item *plan.Item, now time.Time) (changed bool, deadline time.Time, err error) {
	if e == nil {
		return false, time.Time{}, nil
	}
	if !e.HasExpect(item.Address.Block()) {
		changed = len(item.Expectations) > 0
		item.Expectations = nil
		return changed, time.Time{}, nil
	}
	self, err := plan.ItemValues(t, item)
	if err != nil {
		return false, time.Time{}, err
	}
	verdicts := e.Judge(item.Address, self)
	next := make([]plan.Expectation, 0, len(verdicts))
	for _, v := range verdicts {
		var prev plan.Expectation
		if i := slices.IndexFunc(item.Expectations, func(x plan.Expectation) bool { return x.Name == v.Name }); i >= 0 {
			prev = item.Expectations[i]
		}
		if item.FirstReadAt.IsZero() && !item.Settled {
			v.Known = false // it is judged at each observation, and there was none
		}
		judged := plan.Judge(prev, v, item.TrackedAt, item.Settled, now)
		next = append(next, judged)
		if at := item.TrackedAt.Add(v.Within); judged.State == plan.ExpectPending && v.Within > 0 && at.After(now) &&
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
