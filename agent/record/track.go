package record

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"golang.org/x/sync/errgroup"
)

// chunk is how many new items one batch tracks.
const chunk = 5000

// declareTracks records what is newly tracked. While one batch is written the next
// is made.
func (c *Recorder) declareTracks(ctx context.Context, under *terms, tracks []*plan.Change, now time.Time, progress func(done, total int64)) error {
	forgotten, err := c.forgotten(ctx, tracks)
	if err != nil {
		return err
	}
	t := &tracking{Recorder: c, under: under, forgotten: forgotten, fresh: make(map[string]plan.Derived), now: now}
	var written errgroup.Group
	for done := 0; done < len(tracks); {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, written.Wait())
		}
		part := tracks[done:min(done+chunk, len(tracks))]
		pieces, err := t.pieces(ctx, part)
		if err = errors.Join(err, written.Wait()); err != nil {
			return err
		}
		done += len(part)
		written.Go(func() error {
			for {
				stale, err := c.commitPieces(context.WithoutCancel(ctx), pieces)
				if err != nil {
					return fmt.Errorf("record the declaration: %w", err)
				}
				if stale == nil {
					break
				}
				// One that was forgotten was written meanwhile: the end of a pull of its own.
				again := *t
				again.fresh = make(map[string]plan.Derived)
				if pieces, err = again.pieces(ctx, part); err != nil {
					return err
				}
			}
			failpoint.Hit(failpoint.DeclareChunk)
			if progress != nil {
				progress(int64(done), int64(len(tracks)))
			}
			return nil
		})
	}
	return written.Wait()
}

// tracking is what newly declared items are made with.
type tracking struct {
	*Recorder
	under     *terms
	forgotten map[plan.Identity]int64 // of what was tracked before: the item's id
	// fresh keeps what a polled type's items are before their first read.
	fresh map[string]plan.Derived
	now   time.Time
}

func (c *tracking) pieces(ctx context.Context, tracks []*plan.Change) ([]*piece, error) {
	pieces := make([]*piece, len(tracks))
	for i, change := range tracks {
		var err error
		if pieces[i], err = c.track(ctx, change.Desired); err != nil {
			return nil, err
		}
	}
	return pieces, nil
}

// track is a newly declared item. One that was forgotten takes up its history.
func (c *tracking) track(ctx context.Context, d *plan.Desired) (*piece, error) {
	t, err := c.catalog.TypeOf(d.Address.Type())
	if err != nil {
		return nil, err
	}
	again := false // it was tracked before
	p := &piece{write: state.ItemWrite{Item: plan.Item{TrackedAt: c.now}}}
	write := &p.write
	if id, ok := c.forgotten[d.FullIdentity()]; ok {
		items, err := c.store.ItemsByID(ctx, []int64{id})
		if err != nil {
			return nil, fmt.Errorf("load the history of %s: %w", d.Address, err)
		}
		if len(items) == 1 {
			again, write.Item = true, *items[0]
			write.ForgottenAt, write.TrackedAt, write.Expectations, write.Failures = time.Time{}, c.now, nil, 0
		}
	}
	if write.ID == 0 {
		if write.ID, err = c.store.NewItemID(ctx); err != nil {
			return nil, fmt.Errorf("track %s: %w", d.Address, err)
		}
	}
	write.Declare(d)
	write.Account, write.Identity, write.Revision = d.Account, d.Identity, c.under.revision
	first, cached := c.fresh[t.Name]
	if cached && !again && c.plain(d.Address) {
		write.Values, write.Outcome, write.Settled, write.Due = first.Values, first.Outcome, first.Settled, c.now
		if write.Settings.Suspend {
			write.Due = time.Time{}
		}
	} else {
		if err := c.redeclared(ctx, c.under, write, c.now); err != nil {
			return nil, err
		}
		if t.Kind == plan.Polled && !again && !write.Settled {
			c.fresh[t.Name] = plan.Derived{Values: write.Values, Outcome: write.Outcome, Settled: write.Settled}
		}
	}
	fields, err := plan.TrackFields(t, &write.Item)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Address, err)
	}
	p.event = &plan.Event{At: c.now, ItemID: write.ID, Address: d.Address, Action: plan.Track, Revision: c.under.revision, Changes: fields}
	return p, nil
}

// plain reports whether an item of this block is the same as any other of its
// type before the first read.
func (c *tracking) plain(address plan.Address) bool {
	return c.under.expect == nil || !c.under.expect.HasExpect(address.Block())
}

// forgotten finds, of what is to be tracked, what was tracked before: identity
// to item id.
func (c *Recorder) forgotten(ctx context.Context, tracks []*plan.Change) (map[plan.Identity]int64, error) {
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
