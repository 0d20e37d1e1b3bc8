package record

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// Fold derives items anew, counted ones from their records and any from the clock
// alone, judges them, and records what differs.
func (c *Recorder) Fold(ctx context.Context, ids ...int64) error {
	return c.amend(ctx, ids, func(under *terms, item *plan.Item) (*piece, error) { return c.fold(ctx, under, item) })
}

// fold is what Fold makes of one item; nil: nothing differs.
func (c *Recorder) fold(ctx context.Context, under *terms, item *plan.Item) (*piece, error) {
	t, err := c.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return nil, err
	}
	now := c.now()
	p := &piece{write: state.ItemWrite{Item: *item}}
	var tally state.Tally
	if t.Kind == plan.Counted {
		if tally, err = c.store.Tally(ctx, item); err != nil {
			return nil, fmt.Errorf("count the records of %s: %w", item.Address, err)
		}
		p.write.FoldedTo = tally.UpTo
		p.write.ObservedAt = later(p.write.ObservedAt, tally.LastAt)
		if tally.Received > 0 && p.write.FirstReadAt.IsZero() {
			p.write.FirstReadAt = now
		}
	}
	if p.tell, err = Rederive(t, &p.write.Item, tally.Tally, now); err != nil {
		return nil, err
	}
	judged, deadline, err := Judge(under.expect, t, &p.write.Item, now)
	if err != nil {
		return nil, err
	}
	p.write.Due = clockDue(t, &p.write.Item, under.paceOf(item), deadline, now)
	if len(p.tell) == 0 && !judged && p.write.FoldedTo == 0 && p.write.Due.Equal(item.Due) {
		return nil, nil
	}
	if len(p.tell) > 0 {
		p.event = &plan.Event{At: now, ItemID: item.ID, Address: item.Address, Action: plan.Observe, Revision: under.revision, Changes: p.tell}
		if tally.LastRawID != 0 {
			p.event.RawID, p.write.RawID = tally.LastRawID, tally.LastRawID
		}
	}
	return p, nil
}

// Unfolded is ready to receive from when there may be records that nobody counted:
// FoldAll is due.
func (c *Recorder) Unfolded() <-chan struct{} { return c.unfolded }

// Recorded says that there may be such records.
func (c *Recorder) Recorded() {
	select {
	case c.unfolded <- struct{}{}:
	default: // it is told already
	}
}

// FoldAll folds every item that has records nobody counted. ctx ends it between two
// batches: what is left is found again.
func (c *Recorder) FoldAll(ctx context.Context) error {
	for {
		ids, err := c.store.Unfolded(ctx, atOnce)
		if err != nil {
			return fmt.Errorf("find items with new records: %w", err)
		}
		if len(ids) > 0 {
			if err := c.Fold(ctx, ids...); err != nil {
				return err
			}
		}
		if len(ids) < atOnce {
			return nil
		}
	}
}
