package record

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Declare records the declaration's changes in batches, so that nobody waits for all
// of them: forgets first, for they make room; then moves, each after what it makes
// room for; then changes; then what is newly tracked. What is not recorded when it
// ends early is found by the next diff.
func (c *Recorder) Declare(ctx context.Context, changes []plan.Change, progress func(done, total int64)) error {
	return c.declare(ctx, c.terms.Load(), changes, progress)
}

// Adopt records a declaration, and makes the expectations that it comes with, and
// with accounts their connections and a revision, the ones that are recorded
// under. When it cannot be recorded, those before stay in force. It is called from
// one goroutine.
func (c *Recorder) Adopt(ctx context.Context, e Expectations, accounts map[string]*providers.Account, revision string, changes []plan.Change) error {
	next := c.terms.Load().with(e, accounts, revision)
	if err := c.declare(ctx, next, changes, nil); err != nil {
		return err
	}
	c.terms.Store(next)
	return nil
}

func (c *Recorder) declare(ctx context.Context, under *terms, changes []plan.Change, progress func(done, total int64)) error {
	now := c.now()
	failpoint.Hit(failpoint.DeclareBegin)
	of := make(map[plan.Action][]*plan.Change)
	for i := range changes {
		of[changes[i].Action] = append(of[changes[i].Action], &changes[i])
	}
	if err := c.declareEach(ctx, under, of[plan.Forget], now); err != nil {
		return err
	}
	if err := c.declareMoves(ctx, under, of[plan.Moved], now); err != nil {
		return err
	}
	if err := c.declareEach(ctx, under, of[plan.Update], now); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeclareChanged)
	if err := c.declareTracks(ctx, under, of[plan.Track], now, progress); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeclareEnd)
	return nil
}

// declareEach records changes of which none depends on another.
func (c *Recorder) declareEach(ctx context.Context, under *terms, changes []*plan.Change, now time.Time) error {
	byID := make(map[int64]*plan.Change, min(len(changes), atOnce))
	for len(changes) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(len(changes), atOnce)
		clear(byID)
		ids := make([]int64, n)
		for i, change := range changes[:n] {
			ids[i] = change.Item.ID
			byID[change.Item.ID] = change
		}
		again, err := c.amendOnce(ctx, under, ids, func(under *terms, item *plan.Item) (*piece, error) {
			return c.declareOne(ctx, under, byID[item.ID], item, now)
		})
		if err != nil {
			return fmt.Errorf("record the declaration: %w", err)
		}
		changes = changes[n:]
		for _, id := range again {
			changes = append(changes[:len(changes):len(changes)], byID[id])
		}
	}
	return nil
}

// declareOne is what a forget, a move or a change makes of an item as it stands.
func (c *Recorder) declareOne(ctx context.Context, under *terms, change *plan.Change, item *plan.Item, now time.Time) (*piece, error) {
	if change.Action == plan.Forget {
		return c.forget(item, under.revision, now)
	}
	p := &piece{write: state.ItemWrite{Item: *item}}
	before, err := value.Merge(item.Values, item.Args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", change.Address, err)
	}
	p.write.Declare(change.Desired)
	p.write.Revision = under.revision
	if err := c.redeclared(ctx, under, &p.write, now); err != nil {
		return nil, err
	}
	after, err := value.Merge(p.write.Values, p.write.Args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", change.Address, err)
	}
	fields, err := c.catalog.Types[change.Address.Type()].Fields(before, after)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", change.Address, err)
	}
	if change.From != nil {
		fields = append([]value.Field{plan.AddressField(*change.From, change.Address)}, fields...)
	}
	p.event = &plan.Event{At: now, ItemID: item.ID, Address: change.Address, Action: change.Action, Revision: under.revision, Changes: fields}
	return p, nil
}

// forget is what a forget makes of an item.
func (c *Recorder) forget(item *plan.Item, revision string, now time.Time) (*piece, error) {
	fields, err := plan.ForgetFields(c.catalog.Types[item.Address.Type()], item) // nil of a type that this program lacks
	if err != nil {
		return nil, fmt.Errorf("forget %s: %w", item.Address, err)
	}
	p := &piece{write: state.ItemWrite{Item: *item}}
	p.write.ForgottenAt, p.write.Due = now, time.Time{}
	p.event = &plan.Event{At: now, ItemID: item.ID, Address: item.Address, Action: plan.Forget, Revision: revision, Changes: fields}
	return p, nil
}

// redeclared derives an item anew after its declaration changed, and puts it
// back on the schedule if it is not settled (any more).
func (c *Recorder) redeclared(ctx context.Context, under *terms, write *state.ItemWrite, now time.Time) error {
	t, err := c.catalog.TypeOf(write.Address.Type())
	if err != nil {
		return err
	}
	var tally state.Tally
	if t.Kind == plan.Counted {
		if tally, err = c.store.Tally(ctx, &write.Item); err != nil {
			return fmt.Errorf("count the records of %s: %w", write.Address, err)
		}
		write.FoldedTo = tally.UpTo
		write.ObservedAt = later(write.ObservedAt, tally.LastAt)
	}
	if _, err := Rederive(t, &write.Item, tally.Tally, now); err != nil {
		return err
	}
	_, deadline, err := Judge(under.expect, t, &write.Item, now)
	if err != nil {
		return err
	}
	p := under.paceOf(&write.Item)
	write.Due = declaredDue(t, &write.Item, p, deadline, now)
	return nil
}
