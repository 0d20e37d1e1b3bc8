package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// recorder is the recording step: whatever was declared, read, pulled or
// received goes through it into the state, as one batch with its history.
//
// Declaring and observing may happen at once. An item that was loaded, then read
// from its vendor for seconds, may have been declared anew meanwhile: epoch
// counts declarations, and an observation made on an older epoch is made again
// on the item as it is now.
type recorder struct {
	catalog catalog
	store   state.Store
	now     func() time.Time
	log     *slog.Logger
	metrics *metrics // nil outside the agent

	mu       sync.RWMutex   // held for writing while declaring
	one      [64]sync.Mutex // see alone
	epoch    int64
	revision string
	eval     *hclspec.Evaluation // judges expectations
	accounts map[string]*account

	// rescheduled is told of every item whose next due time was recorded; may be nil.
	rescheduled func(item *plan.Item)
	// changed is told of items whose values changed, and how; may be nil.
	changed func(item *plan.Item, fields []value.Field)
	// lost is told of loss windows that were recorded; nil: they are logged.
	lost func([]plan.LossWindow)
	// unfolded is told that records were stored; may be nil.
	unfolded chan struct{}

	spill spill
	// pulling is held for reading by each pull under way, and for writing by finish,
	// which must not take a pull under way for one that a dead process left.
	pulling sync.RWMutex
	// backlog says that there may be answers that are not in the state, or not derived.
	backlog atomic.Bool
	// verdicts are, by intent, the ends of pulls that brought nothing and of which the
	// state could not be told: only this process knows that nothing was lost there.
	verdicts sync.Map
	// abandon is closed when the process must end, whatever could not be written.
	abandon <-chan struct{}
}

// snapshot is what an item was loaded under.
func (c *recorder) snapshot() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

// current is the item as it is to be observed on: the one loaded under epoch, or
// loaded again when something was declared since; nil when it is forgotten. The
// caller holds mu for reading.
func (c *recorder) current(ctx context.Context, item *plan.Item, epoch int64) (*plan.Item, error) {
	if epoch == c.epoch {
		return item, nil
	}
	items, err := c.store.ItemsByID(ctx, []int64{item.ID})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", item.Address, err)
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() || items[0].Identity != item.Identity {
		return nil, nil
	}
	return items[0], nil
}

// paceOf says what the schedule must know of an item.
func (c *recorder) paceOf(item *plan.Item) (pace, error) {
	p := pace{Settings: item.Settings, jitter: rand.Float64()}
	if a, ok := c.accounts[item.Account]; ok {
		p.floor = a.MinInterval
	}
	return p, nil
}

// recording is how many answers may wait for the disk beside the calls that are
// under way: the more wait, the more share one fsync.
const recording = 512

// read polls one item and records what came of it. answered is called once a good
// answer is there, so that the next call need not wait for the disk. The
// returned error is the vendor's; a state that cannot be written is a fatal one.
func (c *recorder) read(ctx context.Context, item *plan.Item, epoch int64, a *account, answered func()) (vendorErr, fatal error) {
	t, err := c.catalog.typeOf(item.Address.Type())
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.ReadBegin)
	started := c.now()
	r := poll(ctx, t, a, item, c.now)
	took := c.now().Sub(started)
	c.metrics.read(a, r, took)
	c.log.LogAttrs(ctx, slog.LevelDebug, "read", slog.String("account", a.Name), slog.Any("address", item.Address),
		slog.Int("status", r.answer.Status), slog.Bool("same", r.same), slog.Any("error", r.err), slog.Duration("took", took))
	if r.err == nil {
		answered()
	}

	c.mu.RLock()
	defer c.mu.RUnlock()
	for {
		current, err := c.current(ctx, item, epoch)
		if err != nil || current == nil {
			return r.err, err
		}
		if r.same && string(current.BodyDigest) != string(item.BodyDigest) {
			r.same = false // another read came between
		}
		if err = c.recordReading(ctx, t, current, r); !errors.Is(err, state.ErrStale) {
			return r.err, err
		}
		epoch = -1 // load it again
	}
}

func (c *recorder) recordReading(ctx context.Context, t *plan.Type, item *plan.Item, r reading) error {
	p, err := c.paceOf(item)
	if err != nil {
		return err
	}
	next, fields, err := after(t, item, r, p)
	if err != nil {
		return err
	}
	judged, deadline, err := judge(c.eval, t, &next, r.at)
	if err != nil {
		return err
	}
	if at := later(deadline, r.at.Add(p.floor)); !deadline.IsZero() && !next.Due.IsZero() && at.Before(next.Due) {
		next.Due = at
	}
	batch := &state.Batch{}
	if len(fields) == 0 && !judged && r.same || r.err != nil && len(fields) == 0 && !judged {
		batch.Touches = []state.Touch{{
			ItemID: next.ID, Version: next.Version, ReadAt: next.ReadAt, Due: next.Due, Failures: next.Failures,
			Unchanged: next.Unchanged, LastError: next.LastError, ObservedAt: next.ObservedAt,
		}}
	} else {
		event := plan.Event{
			At: r.at, ItemID: next.ID, Address: next.Address, Action: plan.Observe,
			Revision: c.revision, Changes: fields,
		}
		if r.err == nil && len(fields) > 0 && !r.same {
			id, err := c.store.NewRawID(ctx)
			if err != nil {
				return fmt.Errorf("record reading of %s: %w", item.Address, err)
			}
			raw := state.Raw{
				ID: id, Kind: state.RawPoll, Account: next.Account, ItemID: next.ID, At: r.at,
				Status: r.answer.Status, Complete: r.answer.Complete, Body: r.answer.Body, Derived: true,
				Redacted: r.answer.Redacted, Digest: r.answer.Sum,
			}
			batch.Raws = []state.Raw{raw}
			event.RawID, next.RawID = raw.ID, raw.ID
		}
		if len(fields) > 0 {
			batch.Events = []plan.Event{event}
		}
		batch.Items = []state.ItemWrite{{Item: next}}
	}
	failpoint.Hit(failpoint.ReadAnswered)
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record reading of %s: %w", item.Address, err)
	}
	failpoint.Hit(failpoint.ReadRecorded)
	c.tell(&next, fields)
	return nil
}

// tell tells the schedule and the evaluation of an item that was recorded.
func (c *recorder) tell(item *plan.Item, fields []value.Field) {
	if c.rescheduled != nil {
		c.rescheduled(item)
	}
	if len(fields) > 0 && c.changed != nil {
		c.changed(item, fields)
	}
}

// fold derives a counted item anew from its records, or any item from the clock
// alone, and records the difference.
func (c *recorder) fold(ctx context.Context, id int64) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	defer c.alone(id)()
	return c.foldHeld(ctx, id)
}

// foldAnew is fold of an item that may be read from its vendor at this moment:
// what the reading is recorded on is loaded again.
func (c *recorder) foldAnew(ctx context.Context, id int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	return c.foldHeld(ctx, id)
}

// alone keeps others from loading an item while it is changed by what is no read:
// records, pulls and the clock may concern one at the same moment. The caller
// holds mu for reading and calls what is returned at the end.
func (c *recorder) alone(id int64) (done func()) {
	m := &c.one[uint64(id)%uint64(len(c.one))]
	m.Lock()
	return m.Unlock
}

// foldHeld is fold; the caller holds mu, and is alone with the item.
func (c *recorder) foldHeld(ctx context.Context, id int64) error {
	items, err := c.store.ItemsByID(ctx, []int64{id})
	if err != nil {
		return fmt.Errorf("load item %d: %w", id, err)
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() {
		return nil
	}
	item := items[0]
	t, err := c.catalog.typeOf(item.Address.Type())
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
	fields, err := rederive(t, &write.Item, tally.Tally, now)
	if err != nil {
		return err
	}
	judged, deadline, err := judge(c.eval, t, &write.Item, now)
	if err != nil {
		return err
	}
	p, err := c.paceOf(item)
	if err != nil {
		return err
	}
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

// clockDue is when an item that was derived without a read is looked at next: at
// give_up_after or an expectation's deadline, and a polled one when it is its
// turn to be read. Policies keep their turn.
func clockDue(t *plan.Type, item *plan.Item, p pace, deadline, now time.Time) time.Time {
	if t.Kind == plan.Policy {
		return item.Due
	}
	if item.Settled {
		return time.Time{}
	}
	var due time.Time
	if t.Kind == plan.Polled && !p.Suspend {
		// A floor that was raised meanwhile puts a turn off; it never takes it away.
		due = later(later(item.Due, now), item.ReadAt.Add(p.floor))
	}
	for _, at := range []time.Time{item.GiveUpAt(), deadline} {
		if at.After(now) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// recorded tells whoever folds that there may be new records.
func (c *recorder) recorded() {
	if c.unfolded == nil {
		return
	}
	select {
	case c.unfolded <- struct{}{}:
	default: // it is told already
	}
}

// foldAll folds every item that has records nobody counted.
func (c *recorder) foldAll(ctx context.Context) error {
	for {
		ids, err := c.store.Unfolded(ctx, 1000)
		if err != nil {
			return fmt.Errorf("find items with new records: %w", err)
		}
		for _, id := range ids {
			if err := c.fold(ctx, id); err != nil {
				return err
			}
		}
		if len(ids) < 1000 {
			return nil
		}
	}
}
