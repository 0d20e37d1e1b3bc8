package record

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// DeriveByClock records what the clock changes in items that an apply did not read:
// what gave up, an order whose code is no longer valid. (In the agent each has its
// turn.)
func (c *Recorder) DeriveByClock(ctx context.Context) error {
	now := c.now()
	var ids []int64
	for item, err := range c.store.Items(ctx, state.ItemFilter{Unsettled: true, Declared: true}) {
		if err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		t := c.catalog.Types[item.Address.Type()]
		if t == nil || t.Kind == plan.Policy {
			continue
		}
		if item.GaveUp(now) || t.ClockDriven {
			ids = append(ids, item.ID)
		}
	}
	return c.Fold(ctx, ids...)
}

// Rejudge judges the items of these blocks, so that an expectation which was just
// declared holds for what settled long ago too, and one that was taken out is gone
// from it. Any of them may be being read at this moment. It is called from one
// goroutine.
func (c *Recorder) Rejudge(ctx context.Context, blocks []plan.Address) error {
	expect := c.terms.Load().expect
	if c.bare == nil { // many states have no expectation anywhere, and need no look at each item
		none, err := c.expectNothing(ctx)
		if err != nil {
			return err
		}
		c.bare = make(map[plan.Address]bool)
		for _, block := range blocks {
			c.bare[block] = none && !expect.HasExpect(block.Block())
		}
	}
	for _, block := range blocks {
		if expect.HasExpect(block.Block()) {
			c.bare[block] = false
		} else if c.bare[block] {
			continue
		}
		ids, err := c.misjudged(ctx, block)
		if err != nil {
			return err
		}
		if err := c.Fold(ctx, ids...); err != nil {
			return err
		}
		c.bare[block] = !expect.HasExpect(block.Block())
	}
	return nil
}

// expectNothing reports whether no tracked item has an expectation recorded.
func (c *Recorder) expectNothing(ctx context.Context) (bool, error) {
	counts, err := c.store.Counts(ctx)
	if err != nil {
		return false, fmt.Errorf("count the state: %w", err)
	}
	for _, n := range counts.Expectations {
		if n > 0 {
			return false, nil
		}
	}
	return true, nil
}

// misjudged are the items of a block whose expectations stand otherwise than they
// are recorded.
func (c *Recorder) misjudged(ctx context.Context, block plan.Address) ([]int64, error) {
	t, err := c.catalog.TypeOf(block.Type())
	if err != nil {
		return nil, err
	}
	e := c.terms.Load().expect
	var ids []int64
	now := c.now()
	for item, err := range c.store.Items(ctx, state.ItemFilter{Type: block.Type(), Name: block.Name()}) {
		if err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
		probe := *item
		changed, _, err := Judge(e, t, &probe, now)
		if err != nil {
			return nil, err
		}
		if changed {
			ids = append(ids, item.ID)
		}
	}
	return ids, nil
}
