package record

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// land makes an answer durable: in the state, else in a spill file, else it is
// tried again until one of them takes it. The answer exists nowhere else.
func (c *Recorder) land(ctx context.Context, intent state.Intent, raw state.Raw) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := c.store.Commit(ctx, &state.Batch{Raws: []state.Raw{raw}})
		if err == nil {
			return nil
		}
		spillErr := c.spill.write(intent, raw)
		if spillErr == nil {
			return fmt.Errorf("the state cannot be written; what %s brought is safe in %s and is taken in when it can: %w", intent.Address, c.spill.dir, err)
		}
		c.log.Error("what was pulled can be written nowhere; trying again: free some disk space now",
			"address", intent.Address.String(), "state", err, "spill", spillErr)
		select {
		case <-time.After(wait):
		case <-c.abandon:
			return fmt.Errorf("what %s brought could be written nowhere, a loss window is recorded at the next start: %w", intent.Address, errors.Join(err, spillErr))
		}
	}
}

// TakeIn brings spill files and answers that were not derived into the state, if
// there may be any. While a pull is under way it does nothing and says so.
func (c *Recorder) TakeIn(ctx context.Context) error {
	if !c.backlog.Load() {
		return nil
	}
	if !c.pulling.TryLock() {
		return ErrPulling
	}
	defer c.pulling.Unlock()
	return c.finish(ctx)
}

// ErrPulling is why nothing is taken in at this moment.
var ErrPulling = errors.New("another pull is under way")

// verdict is how a pull ended of which the state could not be told.
type verdict struct {
	answer providers.Answer
	err    error
}

// begun are the pulls that were begun and not concluded.
type begun []state.Intent

// of takes the intent of a landed answer out: the policy's last one before it.
// One policy makes one pull at a time; where there are several, a process died
// over each but the last.
func (b *begun) of(raw *state.Raw) state.Intent {
	found := -1
	for i, intent := range *b {
		if intent.ItemID == raw.ItemID && (found < 0 || !intent.StartedAt.After(raw.At)) {
			found = i // they are in the order in which they began
		}
	}
	if found < 0 {
		return state.Intent{ItemID: raw.ItemID, Account: raw.Account, StartedAt: raw.At}
	}
	return b.take(found)
}

// named takes an intent out by its identifier.
func (b *begun) named(id string) (state.Intent, bool) {
	for i, intent := range *b {
		if intent.ID == id {
			return b.take(i), true
		}
	}
	return state.Intent{}, false
}

func (b *begun) take(i int) state.Intent {
	intent := (*b)[i]
	*b = append((*b)[:i:i], (*b)[i+1:]...)
	return intent
}

// finish does what an earlier process, or an earlier failure, left half done:
// landed answers derived, spill files in, and a loss window for every pull
// that was begun and of which nothing arrived. The caller holds pulling.
func (c *Recorder) finish(ctx context.Context) error {
	intents, err := c.store.OpenIntents(ctx)
	if err != nil {
		return fmt.Errorf("read open pulls: %w", err)
	}
	open := begun(intents)
	var landed []*state.Raw
	for raw, err := range c.store.Underived(ctx) {
		if err != nil {
			return fmt.Errorf("read landed answers: %w", err)
		}
		landed = append(landed, raw)
	}
	for _, raw := range landed {
		failpoint.Hit(failpoint.FinishLanded)
		intent := open.of(raw)
		if _, err := c.derivePull(ctx, raw, &intent, 0); err != nil {
			return err
		}
	}
	names, err := c.spill.files()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.takeInFile(ctx, name, &open); err != nil {
			return err
		}
	}
	for _, intent := range open {
		if err := c.concludeOpen(ctx, intent); err != nil {
			return err
		}
	}
	c.verdicts.Clear()
	c.backlog.Store(false)
	return nil
}

// takeInFile brings one spill file into the state and removes it.
func (c *Recorder) takeInFile(ctx context.Context, name string, open *begun) error {
	told, raw, err := readSpill(name)
	if errors.Is(err, errDamaged) {
		c.log.Error("a spill file is damaged; it is set aside, and its pull is recorded as a loss window", "file", name+damagedExt)
		if err := os.Rename(name, name+damagedExt); err != nil {
			return fmt.Errorf("set damaged spill file aside: %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	// The pull of one whose intent is over was taken in before, and only the removal
	// was missed: unless the state was put back to what it was before that pull.
	intent, ok := open.named(told.ID)
	if !ok {
		intent = told
		if ok, err = c.missing(ctx, &raw); err != nil {
			return fmt.Errorf("take in spill file %s: %w", name, err)
		}
	}
	if ok {
		failpoint.Hit(failpoint.FinishSpill)
		if raw.ID, err = c.store.NewRawID(ctx); err != nil {
			return fmt.Errorf("take in spill file %s: %w", name, err)
		}
		if err := c.store.Commit(ctx, &state.Batch{Raws: []state.Raw{raw}}); err != nil {
			return fmt.Errorf("take in spill file %s: %w", name, err)
		}
		failpoint.Hit(failpoint.FinishStored)
		if _, err := c.derivePull(ctx, &raw, &intent, 0); err != nil {
			return err
		}
		failpoint.Hit(failpoint.FinishDerived)
		c.log.Info("took in a spill file", "address", intent.Address.String(), "bytes", len(raw.Body))
	}
	if err := os.Remove(name); err != nil {
		return fmt.Errorf("remove spill file: %w", err)
	}
	failpoint.Hit(failpoint.FinishRemoved)
	return nil
}

// missing reports whether a record that an answer comes to is not in the state.
func (c *Recorder) missing(ctx context.Context, raw *state.Raw) (bool, error) {
	vendor, err := VendorOf(c.catalog, raw)
	if err != nil {
		return false, err
	}
	page := Parse(vendor, raw)
	for i := range page.Records {
		r, found := &page.Records[i], false
		for same, err := range c.store.Records(ctx, state.RecordFilter{Same: r}) {
			if err != nil {
				return false, err
			}
			found = found || same.Digest == r.Digest
		}
		if !found {
			return true, nil
		}
	}
	return false, nil
}

// concludeOpen ends a pull of which no answer is anywhere: as this process knows
// that it ended, else with a loss window.
func (c *Recorder) concludeOpen(ctx context.Context, intent state.Intent) error {
	known, ok := c.verdicts.Load(intent.ID)
	if !ok {
		return c.concludeLost(ctx, intent)
	}
	v := known.(verdict)
	return c.concludeEmpty(ctx, intent, v.answer, v.err)
}

// concludeLost records the loss window of a pull that was begun by a process that
// ended before an answer was on disk.
func (c *Recorder) concludeLost(ctx context.Context, intent state.Intent) error {
	now := c.now()
	window := inOrder(&plan.LossWindow{
		Address: intent.Address, Account: intent.Account, From: intent.StartedAt, To: now,
		Bound: int64(intent.Limit), Cause: plan.LossPull,
		Detail: "the process ended between the request and the answer",
	})
	batch := &state.Batch{LossWindows: []plan.LossWindow{*window}}
	failpoint.Hit(failpoint.FinishLost)
	err := c.conclude(ctx, intent, batch, func(_ *terms, item *plan.Item) ([]value.Field, error) {
		if item == nil {
			return nil, nil
		}
		t, err := c.catalog.TypeOf(item.Address.Type())
		if err != nil {
			return nil, err
		}
		item.Pulls.LossWindows++
		return Rederive(t, item, plan.Tally{}, now)
	}, now)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.FinishRecorded)
	return nil
}
