package record

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// Fold derives a counted item anew from its records, or any item from the clock
// alone, and records the difference.
func (c *Recorder) Fold(ctx context.Context, id int64) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	defer c.alone(id)()
	return c.foldHeld(ctx, id)
}

// foldAnew is Fold of an item that may be read from its vendor at this moment:
// what the reading is recorded on is loaded again.
func (c *Recorder) foldAnew(ctx context.Context, id int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	return c.foldHeld(ctx, id)
}

// alone keeps others from loading an item while it is changed by what is no read:
// records, pulls and the clock may concern one at the same moment. The caller
// holds mu for reading and calls what is returned at the end.
func (c *Recorder) alone(id int64) (done func()) {
	m := &c.one[uint64(id)%uint64(len(c.one))]
	m.Lock()
	return m.Unlock
}

// foldHeld is Fold; the caller holds mu, and is alone with the item.
func (c *Recorder) foldHeld(ctx context.Context, id int64) error {
	items, err := c.store.ItemsByID(ctx, []int64{id})
	if err != nil {
		return fmt.Errorf("load item %d: %w", id, err)
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() {
		return nil
	}
	item := items[0]
	t, err := c.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return err
	}
	now := c.now()
	event := plan.Event{At: now, ItemID: item.ID, Address: item.Address, Action: plan.Observe, Revision: c.revision}
	write := state.ItemWrite{Item: *item}
	var tally state.Tally
	if t.Kind == plan.Counted {
		if tally, err = c.store.Tally(ctx, item); err != nil {
			return fmt.Errorf("count the records of %s: %w", item.Address, err)
		}
		write.FoldedTo = tally.UpTo
		write.ObservedAt = later(write.ObservedAt, tally.LastAt)
		if tally.Received > 0 && write.FirstReadAt.IsZero() {
			write.FirstReadAt = now
		}
	}
	fields, err := Rederive(t, &write.Item, tally.Tally, now)
	if err != nil {
		return err
	}
	judged, deadline, err := Judge(c.expect, t, &write.Item, now)
	if err != nil {
		return err
	}
	p := c.paceOf(item)
	write.Due = clockDue(t, &write.Item, p, deadline, now)
	batch := &state.Batch{Items: []state.ItemWrite{write}}
	if len(fields) > 0 {
		event.Changes = fields
		if tally.LastRawID != 0 {
			event.RawID, batch.Items[0].RawID = tally.LastRawID, tally.LastRawID
		}
		batch.Events = []plan.Event{event}
	}
	if len(fields) == 0 && !judged && write.FoldedTo == 0 && write.Due.Equal(item.Due) {
		return nil
	}
	failpoint.Hit(failpoint.FoldBegin)
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record %s: %w", item.Address, err)
	}
	failpoint.Hit(failpoint.FoldRecorded)
	c.tell(&batch.Items[0].Item, fields)
	return nil
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

// FoldAll folds every item that has records nobody counted.
func (c *Recorder) FoldAll(ctx context.Context) error {
	for {
		ids, err := c.store.Unfolded(ctx, 1000)
		if err != nil {
			return fmt.Errorf("find items with new records: %w", err)
		}
		for _, id := range ids {
			if err := c.Fold(ctx, id); err != nil {
				return err
			}
		}
		if len(ids) < 1000 {
			return nil
		}
	}
}
