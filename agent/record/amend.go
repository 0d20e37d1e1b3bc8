package record

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// piece is what becomes of one item.
type piece struct {
	write state.ItemWrite
	event *plan.Event   // nil: nothing that the history tells
	tell  []value.Field // how its values changed, for whoever waits for that
}

// atOnce is how many items one batch changes: enough to share a commit, and few
// enough that a callback behind it waits for a small part of a second.
const atOnce = 1000

// amend changes items, in batches of atOnce. change says what becomes of one as it
// stands, nil: nothing; it is called again for one that was written meanwhile, or
// that was changed under terms that no longer hold. What is forgotten or not there
// is passed over. ctx ends it between two batches.
func (c *Recorder) amend(ctx context.Context, ids []int64, change func(*terms, *plan.Item) (*piece, error)) error {
	for len(ids) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(ids), atOnce)
		under := c.terms.Load()
		again, err := c.amendOnce(ctx, under, ids[:n], change)
		if err != nil {
			return err
		}
		if c.terms.Load() != under {
			again = ids[:n]
		}
		ids = append(ids[n:len(ids):len(ids)], again...)
	}
	return nil
}

// amendOnce changes the items of one batch under terms, and says which were written
// meanwhile and are to be changed again.
func (c *Recorder) amendOnce(ctx context.Context, under *terms, ids []int64, change func(*terms, *plan.Item) (*piece, error)) (again []int64, err error) {
	ctx = context.WithoutCancel(ctx) // one batch is done soon, and then it is known what became of it
	items, err := c.store.ItemsByID(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load items: %w", err)
	}
	var pieces []*piece
	for _, item := range items {
		if !item.ForgottenAt.IsZero() {
			continue
		}
		p, err := change(under, item)
		if err != nil {
			return nil, err
		}
		if p != nil {
			pieces = append(pieces, p)
		}
	}
	for len(pieces) > 0 {
		failpoint.Hit(failpoint.FoldBegin)
		stale, err := c.commitPieces(ctx, pieces)
		if err != nil {
			return nil, err
		}
		failpoint.Hit(failpoint.FoldRecorded)
		if stale == nil {
			break
		}
		again = append(again, stale...)
		pieces = slices.DeleteFunc(pieces, func(p *piece) bool { return slices.Contains(stale, p.write.ID) })
	}
	return again, nil
}

// commitPieces makes pieces durable and tells of them, or names those of items that
// were written meanwhile and does nothing.
func (c *Recorder) commitPieces(ctx context.Context, pieces []*piece) (stale []int64, err error) {
	batch := &state.Batch{Items: make([]state.ItemWrite, len(pieces))}
	for i, p := range pieces {
		batch.Items[i] = p.write
		if p.event != nil {
			batch.Events = append(batch.Events, *p.event)
		}
	}
	err = c.store.Commit(ctx, batch)
	if s, ok := errors.AsType[*state.StaleError](err); ok {
		return s.Items, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", several(pieces), err)
	}
	for i, p := range pieces {
		if p.write.ForgottenAt.IsZero() {
			c.tell(&batch.Items[i].Item, p.tell)
		}
	}
	return nil, nil
}

// several names the items of a batch.
func several(pieces []*piece) string {
	if len(pieces) == 1 {
		return pieces[0].write.Address.String()
	}
	return fmt.Sprintf("%s and %d more", pieces[0].write.Address, len(pieces)-1)
}
