package record

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Edits are what a person does to the state by hand, whatever the configuration
// says. A large one goes in pieces, each of them whole: a failure in between leaves
// the rest as it was, to be done by the same command again.

// Move gives a tracked item another address.
type Move struct {
	Item *plan.Item
	To   plan.Address
}

// Move records moves; nothing may be tracked at their targets.
func (c *Recorder) Move(ctx context.Context, moves []Move) error {
	now := c.now().UTC()
	return c.edit(ctx, len(moves), func(batch *state.Batch, i int) error {
		item, to := moves[i].Item, moves[i].To
		moved := *item
		moved.Address = to
		batch.Items = append(batch.Items, state.ItemWrite{Item: moved})
		batch.Events = append(batch.Events, plan.Event{
			At: now, ItemID: item.ID, Address: to, Action: plan.Moved, Revision: item.Revision,
			Changes: []value.Field{plan.AddressField(item.Address, to)},
		})
		return nil
	})
}

// Forget records that items are tracked no longer; their history stays.
func (c *Recorder) Forget(ctx context.Context, items []*plan.Item) error {
	now := c.now().UTC()
	return c.edit(ctx, len(items), func(batch *state.Batch, i int) error {
		return c.forget(batch, items[i], items[i].Revision, now)
	})
}

// edit commits n changes in pieces.
func (c *Recorder) edit(ctx context.Context, n int, add func(batch *state.Batch, i int) error) error {
	for i := 0; i < n; {
		batch := &state.Batch{}
		for ; i < n && len(batch.Items) < chunk; i++ {
			if err := add(batch, i); err != nil {
				return err
			}
		}
		if err := c.store.Commit(ctx, batch); err != nil {
			return fmt.Errorf("record the edit: %w", err)
		}
	}
	return nil
}
