package record

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Edits are what a person does to the state by hand, whatever the configuration
// says. A large one goes in parts, each of them whole: a failure in between leaves
// the rest as it was, to be done by the same command again.

// Move gives a tracked item another address.
type Move struct {
	Item *plan.Item
	To   plan.Address
}

// Move records moves; nothing may be tracked at their targets.
func (c *Recorder) Move(ctx context.Context, moves []Move) error {
	now := c.now().UTC()
	pieces := make([]*piece, len(moves))
	for i, m := range moves {
		pieces[i] = &piece{write: state.ItemWrite{Item: *m.Item}}
		pieces[i].write.Address = m.To
		pieces[i].event = &plan.Event{
			At: now, ItemID: m.Item.ID, Address: m.To, Action: plan.Moved, Revision: m.Item.Revision,
			Changes: []value.Field{plan.AddressField(m.Item.Address, m.To)},
		}
	}
	return c.edit(ctx, pieces)
}

// Forget records that items are tracked no longer; their history stays.
func (c *Recorder) Forget(ctx context.Context, items []*plan.Item) error {
	now := c.now().UTC()
	pieces := make([]*piece, len(items))
	for i, item := range items {
		var err error
		if pieces[i], err = c.forget(item, item.Revision, now); err != nil {
			return err
		}
	}
	return c.edit(ctx, pieces)
}

// edit commits an edit in parts.
func (c *Recorder) edit(ctx context.Context, pieces []*piece) error {
	for part := range slices.Chunk(pieces, chunk) {
		stale, err := c.commitPieces(ctx, part)
		if err == nil && stale != nil {
			err = &state.StaleError{Items: stale}
		}
		if err != nil {
			return fmt.Errorf("record the edit: %w", err)
		}
	}
	return nil
}
