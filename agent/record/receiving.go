package record

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// MaxCallback is how long a callback's body may be.
const MaxCallback = providers.MaxCallback

// receiving is what is known of whether callbacks can be stored.
type receiving struct {
	since    time.Time    // since when they can be received and stored; of Heartbeat alone
	refusing atomic.Bool  // one could not be stored, and nothing proved since that it can
	stored   atomic.Int64 // unix nanoseconds of the last proof that they can be; 0: they cannot
}

// noteAlive is the note of when callbacks could last be stored.
const noteAlive = "receiver_alive_at"

// Heartbeat proves that callbacks can be stored and remembers it, and in the same
// commit records a loss window for each receiving account when they could not be
// for longer than the vendor repeats them. It is called from one goroutine.
func (c *Recorder) Heartbeat(ctx context.Context) error {
	failpoint.Hit(failpoint.HeartbeatBegin)
	now := c.now()
	if c.receiver.since.IsZero() || now.Before(c.receiver.since) {
		c.receiver.since = now
	}
	batch, err := c.alive(ctx, now)
	if err == nil {
		err = c.prove(ctx)
	}
	if err == nil {
		err = c.store.Commit(ctx, batch)
	}
	if err != nil {
		c.receiver.stored.Store(0)
		c.receiver.since = time.Time{}
		return fmt.Errorf("record that the receiver is alive: %w", err)
	}
	failpoint.Hit(failpoint.HeartbeatEnd)
	c.receiver.stored.Store(now.UnixNano())
	c.tellLosses(batch.LossWindows)
	return nil
}

// NotStored remembers that a callback could not be stored: CanStore is false
// until a commit as large as a callback may be has gone well.
func (c *Recorder) NotStored() {
	c.receiver.refusing.Store(true)
	c.receiver.stored.Store(0)
}

// prove commits as much as a callback may hold, and takes it back.
func (c *Recorder) prove(ctx context.Context) error {
	if !c.receiver.refusing.Load() {
		return nil
	}
	for _, text := range []string{strings.Repeat("x", MaxCallback), ""} {
		if err := c.store.Commit(ctx, &state.Batch{Notes: map[state.NoteKey]string{{Name: "proof"}: text}}); err != nil {
			return err
		}
	}
	c.receiver.refusing.Store(false)
	return nil
}

// alive says what is to be remembered of the receiver. The time does not move on
// before the vendor has had a chance to come again, so that an agent which dies
// soon after each start counts as down throughout.
func (c *Recorder) alive(ctx context.Context, now time.Time) (*state.Batch, error) {
	key := state.NoteKey{Name: noteAlive}
	batch := &state.Batch{Notes: map[state.NoteKey]string{key: plan.FormatTime(now)}}
	text, err := c.store.Note(ctx, key)
	if err != nil || text == "" {
		return batch, err
	}
	last, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, fmt.Errorf("note %s: %w", noteAlive, err)
	}
	until := c.receiver.since // so long nothing was received
	accounts := c.Accounts()
	maps.DeleteFunc(accounts, func(_ string, a *providers.Account) bool { return a.Gate == nil })
	chance := true
	for _, a := range accounts {
		chance = chance && now.Sub(c.receiver.since) >= a.Vendor.Redelivery.Chance
	}
	if chance {
		until = now // the beats since tell of nothing else
	}
	for name, a := range accounts {
		if repeats := a.Vendor.Redelivery.For; until.Sub(last) > repeats {
			batch.LossWindows = append(batch.LossWindows, plan.LossWindow{
				Account: name, From: last, To: now, Bound: -1, Cause: plan.LossOutage,
				Detail: fmt.Sprintf("callbacks could not be received for longer than the vendor repeats them (%g minutes)", repeats.Minutes()),
			})
		}
	}
	// One note serves all accounts: while one of them waits, so do the others' windows.
	if !chance && !last.After(now) && len(batch.LossWindows) < len(accounts) {
		batch.Notes[key], batch.LossWindows = text, nil
	}
	return batch, nil
}

// CanStore reports whether callbacks can be stored, as far as is known.
func (c *Recorder) CanStore() bool { return c.receiver.stored.Load() != 0 }
