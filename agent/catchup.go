package agent

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// catchUp records what the clock changes in items that an apply did not read:
// what gave up, an order whose code is no longer valid, a deadline that has
// passed. (In the agent each has its turn.)
func (c *recorder) catchUp(ctx context.Context, ev *evaluation) error {
	now := c.now()
	var ids []int64
	for item, err := range c.store.Items(ctx, state.ItemFilter{Unsettled: true, Declared: true}) {
		if err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		t := c.catalog.types[item.Address.Type()]
		if t == nil || t.Kind == plan.Policy {
			continue
		}
		if item.GaveUp(now) || t.ClockDriven {
			ids = append(ids, item.ID)
		}
	}
	for _, id := range ids {
		if err := c.fold(ctx, id); err != nil {
			return err
		}
	}
	return c.judgeAnew(ctx, ev)
}

// judgeAnew judges the items of blocks with expectations, so that one which was
// just declared holds for what settled long ago too. Any of them may be being read
// at this moment.
func (c *recorder) judgeAnew(ctx context.Context, ev *evaluation) error {
	for block, desired := range ev.seen.desired {
		if len(desired) == 0 || !ev.hcl.HasExpect(block) {
			continue
		}
		ids, err := c.misjudged(ctx, ev, desired[0].Address)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := c.foldAnew(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// misjudged are the items of a block whose expectations stand otherwise than they
// are recorded.
func (c *recorder) misjudged(ctx context.Context, ev *evaluation, address plan.Address) ([]int64, error) {
	t, err := c.catalog.typeOf(address.Type())
	if err != nil {
		return nil, err
	}
	var ids []int64
	now := c.now()
	for item, err := range c.store.Items(ctx, state.ItemFilter{Type: address.Type(), Name: address.Name()}) {
		if err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
		probe := *item
		changed, _, err := judge(ev.hcl, t, &probe, now)
		if err != nil {
			return nil, err
		}
		if changed {
			ids = append(ids, item.ID)
		}
	}
	return ids, nil
}

// tellLosses counts loss windows that were recorded, and says so.
func (c *recorder) tellLosses(windows []plan.LossWindow) {
	c.metrics.losses(windows)
	if c.lost != nil {
		c.lost(windows)
		return
	}
	for i := range windows {
		w := &windows[i]
		where := w.Account
		if w.Address.Type() != "" {
			where = w.Address.String()
		}
		c.log.Error("records may have been lost", "where", where, "cause", w.Cause, "from", plan.FormatTime(w.From),
			"to", plan.FormatTime(w.To), "bound", w.Bound, "salvaged", w.Salvaged, "detail", w.Detail)
	}
}
