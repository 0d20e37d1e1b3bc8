package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// chunk is how many new items one batch tracks.
const chunk = 5000

// Declare records the declaration's changes: forgets, moves and changes together,
// then what is newly tracked, in batches of chunk.
func (c *Recorder) Declare(ctx context.Context, changes []plan.Change, progress func(done, total int64)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.declareHeld(ctx, changes, progress)
}

// Adopt records a declaration, and makes the expectations that it comes with, and
// with accounts their connections and a revision, the ones that are recorded
// under. When it cannot be recorded, those before stay in force.
func (c *Recorder) Adopt(ctx context.Context, e Expectations, accounts map[string]*providers.Account, revision string, changes []plan.Change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	expectBefore, accountsBefore, revisionBefore := c.expect, c.accounts, c.revision
	c.expect = e
	if accounts != nil {
		c.accounts, c.revision = accounts, revision
	}
	if err := c.declareHeld(ctx, changes, nil); err != nil {
		c.expect, c.accounts, c.revision = expectBefore, accountsBefore, revisionBefore
		return err
	}
	return nil
}

// declareHeld is Declare; the caller holds mu.
func (c *Recorder) declareHeld(ctx context.Context, changes []plan.Change, progress func(done, total int64)) error {
	c.epoch++
	now := c.now()
	failpoint.Hit(failpoint.DeclareBegin)
	batch := &state.Batch{}
	var tracks []plan.Change
	for i := range changes {
		if changes[i].Action == plan.Track {
			tracks = append(tracks, changes[i])
			continue
		}
		if err := c.declareOne(ctx, batch, &changes[i], now); err != nil {
			return err
		}
	}
	if err := c.commitDeclared(ctx, batch); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeclareChanged)
	forgotten, err := c.forgotten(ctx, tracks)
	if err != nil {
		return err
	}
	fresh := make(map[string]plan.Derived)
	// While one batch is written the next is made.
	var written errgroup.Group
	for done := 0; done < len(tracks); {
		batch := &state.Batch{}
		for ; done < len(tracks) && len(batch.Items) < chunk; done++ {
			if err := c.track(ctx, batch, tracks[done].Desired, forgotten, fresh, now); err != nil {
				return errors.Join(err, written.Wait())
			}
		}
		if err := written.Wait(); err != nil {
			return err
		}
		upTo := int64(done)
		written.Go(func() error {
			if err := c.commitDeclared(ctx, batch); err != nil {
				return err
			}
			failpoint.Hit(failpoint.DeclareChunk)
			if progress != nil {
				progress(upTo, int64(len(tracks)))
			}
			return nil
		})
	}
	if err := written.Wait(); err != nil {
		return err
	}
	failpoint.Hit(failpoint.DeclareEnd)
	return nil
}

func (c *Recorder) commitDeclared(ctx context.Context, batch *state.Batch) error {
	if len(batch.Items) == 0 {
		return nil
	}
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record the declaration: %w", err)
	}
	for i := range batch.Items {
		if batch.Items[i].ForgottenAt.IsZero() {
			c.tell(&batch.Items[i].Item, nil)
		}
	}
	return nil
}

// declareOne adds a forget, a move or a change to the batch.
func (c *Recorder) declareOne(ctx context.Context, batch *state.Batch, change *plan.Change, now time.Time) error {
	// The diff ran on declared columns only: load the item whole.
	items, err := c.store.ItemsByID(ctx, []int64{change.Item.ID})
	if err != nil {
		return fmt.Errorf("load %s: %w", change.Address, err)
	}
	if len(items) == 0 {
		return fmt.Errorf("%s: %w", change.Address, state.ErrNotFound)
	}
	if change.Action == plan.Forget {
		return c.forget(batch, items[0], c.revision, now)
	}
	write := state.ItemWrite{Item: *items[0]}
	event := plan.Event{At: now, ItemID: write.ID, Address: change.Address, Action: change.Action, Revision: c.revision}
	before, err := value.Merge(write.Values, write.Args)
	if err != nil {
		return fmt.Errorf("%s: %w", change.Address, err)
	}
	d := change.Desired
	write.Declare(d)
	write.Revision = c.revision
	if err := c.redeclared(ctx, &write, now); err != nil {
		return err
	}
	after, err := value.Merge(write.Values, write.Args)
	if err != nil {
		return fmt.Errorf("%s: %w", change.Address, err)
	}
	if event.Changes, err = c.catalog.Types[change.Address.Type()].Fields(before, after); err != nil {
		return fmt.Errorf("%s: %w", change.Address, err)
	}
	if change.From != nil {
		event.Changes = append([]value.Field{plan.AddressField(*change.From, change.Address)}, event.Changes...)
	}
	batch.Items = append(batch.Items, write)
	batch.Events = append(batch.Events, event)
	return nil
}

// forget adds a forget to the batch.
func (c *Recorder) forget(batch *state.Batch, item *plan.Item, revision string, now time.Time) error {
	fields, err := plan.ForgetFields(c.catalog.Types[item.Address.Type()], item) // nil of a type that this program lacks
	if err != nil {
		return fmt.Errorf("forget %s: %w", item.Address, err)
	}
	write := state.ItemWrite{Item: *item}
	write.ForgottenAt, write.Due = now, time.Time{}
	batch.Items = append(batch.Items, write)
	batch.Events = append(batch.Events, plan.Event{
		At: now, ItemID: item.ID, Address: item.Address, Action: plan.Forget, Revision: revision, Changes: fields,
	})
	return nil
}

// redeclared derives an item anew after its declaration changed, and puts it
// back on the schedule if it is not settled (any more).
func (c *Recorder) redeclared(ctx context.Context, write *state.ItemWrite, now time.Time) error {
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
	_, deadline, err := Judge(c.expect, t, &write.Item, now)
	if err != nil {
		return err
	}
	p := c.paceOf(&write.Item)
	write.Due = declaredDue(t, &write.Item, p, deadline, now)
	return nil
}

// track adds a newly declared item to the batch. One that was forgotten takes up
// its history. fresh keeps what a polled type's items are before their first read.
func (c *Recorder) track(ctx context.Context, batch *state.Batch, d *plan.Desired, forgotten map[plan.Identity]int64, fresh map[string]plan.Derived, now time.Time) error {
	t, err := c.catalog.TypeOf(d.Address.Type())
	if err != nil {
		return err
	}
	again := false // it was tracked before
	write := state.ItemWrite{Item: plan.Item{TrackedAt: now}}
	if id, ok := forgotten[d.FullIdentity()]; ok {
		items, err := c.store.ItemsByID(ctx, []int64{id})
		if err != nil {
			return fmt.Errorf("load the history of %s: %w", d.Address, err)
		}
		if len(items) == 1 {
			again, write.Item = true, *items[0]
			write.ForgottenAt, write.TrackedAt, write.Expectations, write.Failures = time.Time{}, now, nil, 0
		}
	}
	if write.ID == 0 {
		if write.ID, err = c.store.NewItemID(ctx); err != nil {
			return fmt.Errorf("track %s: %w", d.Address, err)
		}
	}
	write.Declare(d)
	write.Account, write.Identity, write.Revision = d.Account, d.Identity, c.revision
	first, cached := fresh[t.Name]
	if cached && !again && c.plain(d.Address) {
		write.Values, write.Outcome, write.Settled, write.Due = first.Values, first.Outcome, first.Settled, now
		if write.Settings.Suspend {
			write.Due = time.Time{}
		}
	} else {
		if err := c.redeclared(ctx, &write, now); err != nil {
			return err
		}
		if t.Kind == plan.Polled && !again && !write.Settled {
			fresh[t.Name] = plan.Derived{Values: write.Values, Outcome: write.Outcome, Settled: write.Settled}
		}
	}
	fields, err := plan.TrackFields(t, &write.Item)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Address, err)
	}
	batch.Items = append(batch.Items, write)
	batch.Events = append(batch.Events, plan.Event{
		At: now, ItemID: write.ID, Address: d.Address, Action: plan.Track, Revision: c.revision, Changes: fields,
	})
	return nil
}

// plain reports whether an item of this block is the same as any other of its
// type before the first read.
func (c *Recorder) plain(address plan.Address) bool {
	return c.expect == nil || !c.expect.HasExpect(address.Block())
}

// forgotten finds, of what is to be tracked, what was tracked before: identity
// to item id.
func (c *Recorder) forgotten(ctx context.Context, tracks []plan.Change) (map[plan.Identity]int64, error) {
	if len(tracks) == 0 {
		return nil, nil
	}
	var wanted map[plan.Identity]bool
	found := make(map[plan.Identity]int64)
	for item, err := range c.store.Items(ctx, state.ItemFilter{Forgotten: true, Declared: true}) {
		if err != nil {
			return nil, fmt.Errorf("read forgotten items: %w", err)
		}
		if wanted == nil {
			wanted = make(map[plan.Identity]bool, len(tracks))
			for i := range tracks {
				d := tracks[i].Desired
				wanted[d.FullIdentity()] = true
			}
		}
		if key := item.FullIdentity(); wanted[key] {
			found[key] = item.ID
		}
	}
	return found, nil
}
