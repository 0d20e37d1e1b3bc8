package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// noteRestored is the note of the restore that was told last.
const noteRestored = "restore_told"

// Restored records what may be gone when the state was put back to an older one: a
// loss window for each pull policy, whose reports the vendor has deleted, and for
// each account that receives, whose callbacks were answered 200. It is told once, and
// asked for once the declaration is recorded.
func (c *Recorder) Restored(ctx context.Context) error {
	restored, err := c.store.Restored(ctx)
	if restored == nil || err != nil {
		return err
	}
	told, err := c.store.Note(ctx, state.NoteKey{Name: noteRestored})
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	for told != restored.ID { // told, and then the process ended
		err := c.recordRestore(ctx, restored)
		if err == nil {
			break
		}
		if !errors.Is(err, state.ErrStale) {
			return err
		}
	}
	return c.store.RestoreTold(ctx)
}

func (c *Recorder) recordRestore(ctx context.Context, restored *state.Restored) error {
	under, now := c.terms.Load(), c.now()
	window := plan.LossWindow{From: restored.Since, To: now, Bound: -1, Cause: plan.LossRestore,
		Detail: "the state was put back (" + restored.How + "): what was pulled and received since is not in it"}
	if window.From.IsZero() {
		window.From = now
	}
	window = *inOrder(&window)
	batch := &state.Batch{Notes: map[state.NoteKey]string{
		{Name: noteRestored}: restored.ID,
		{Name: noteAlive}:    plan.FormatTime(now), // the window tells of an outage, too
	}}
	for name, t := range c.catalog.Types {
		if t.Kind != plan.Policy {
			continue
		}
		for item, err := range c.store.Items(ctx, state.ItemFilter{Type: name}) {
			if err != nil {
				return fmt.Errorf("read the state: %w", err)
			}
			w := window
			w.Address, w.Account = item.Address, item.Account
			batch.LossWindows = append(batch.LossWindows, w)
			item.Pulls.LossWindows++
			fields, err := Rederive(t, item, plan.Tally{}, now)
			if err != nil {
				return err
			}
			batch.Items = append(batch.Items, state.ItemWrite{Item: *item})
			if len(fields) > 0 {
				batch.Events = append(batch.Events, plan.Event{
					At: now, ItemID: item.ID, Address: item.Address, Action: plan.Observe, Revision: under.revision, Changes: fields,
				})
			}
		}
	}
	for name, account := range under.accounts {
		if account.Gate != nil {
			w := window
			w.Account = name
			batch.LossWindows = append(batch.LossWindows, w)
		}
	}
	slices.SortStableFunc(batch.LossWindows, func(a, b plan.LossWindow) int { return cmp.Compare(a.Account, b.Account) })
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record what a restore may have cost: %w", err)
	}
	c.tellLosses(batch.LossWindows)
	return nil
}
