// Package record is the recording step: whatever was declared, read, pulled,
// received or derived becomes durable here, and nowhere else does anything commit.
//
// It may touch the state and, through an account's connection, a vendor. It knows no
// HTTP, no timers and no HCL: when something is done is decided by whoever calls
// (agent, agent/schedule), and expectations are judged through a small interface.
package record

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Options are what a Recorder works with. Catalog, Store, Now and Log are needed.
type Options struct {
	Catalog providers.Catalog
	Store   state.Store
	Now     func() time.Time
	Log     *slog.Logger
	// StatePath is where the state is; what a pull brought and the state could not
	// take is kept beside it. Empty: nothing is pulled.
	StatePath string
	// Revision is what declares; Accounts are who is asked. See Install.
	Revision string
	Accounts map[string]*providers.Account
	Meter    Meter // nil: nothing is counted
	// Rescheduled is told of every item whose next due time was recorded; may be nil.
	Rescheduled func(item *plan.Item)
	// Changed is told of items whose values changed, and how; may be nil.
	Changed func(item *plan.Item, fields []value.Field)
	// Lost is told of loss windows that were recorded; nil: they are logged.
	Lost func([]plan.LossWindow)
	// Abandon is closed when the process must end, whatever could not be written.
	Abandon <-chan struct{}
}

// Meter counts what is recorded.
type Meter interface {
	// Call counts a read or a pull and how long it took.
	Call(account string, err error, notFound bool, took time.Duration)
	// Pulled counts records that a pull brought and that were new.
	Pulled(account string, n int)
	Lost(windows []plan.LossWindow)
}

// Recorder is the recording step: whatever was declared, read, pulled or
// received goes through it into the state, as one batch with its history.
//
// Declaring and observing may happen at once. An item that was loaded, then read
// from its vendor for seconds, may have been declared anew meanwhile: epoch
// counts declarations, and an observation made on an older epoch is made again
// on the item as it is now.
type Recorder struct {
	catalog providers.Catalog
	store   state.Store
	now     func() time.Time
	log     *slog.Logger
	meter   Meter

	mu       sync.RWMutex   // held for writing while declaring
	one      [64]sync.Mutex // see alone
	epoch    int64
	revision string
	expect   Expectations
	accounts map[string]*providers.Account

	rescheduled func(item *plan.Item)
	changed     func(item *plan.Item, fields []value.Field)
	lost        func([]plan.LossWindow)
	unfolded    chan struct{} // see Unfolded

	spill spill
	// pulling is held for reading by each pull under way, and for writing by finish,
	// which must not take a pull under way for one that a dead process left.
	pulling sync.RWMutex
	// backlog says that there may be answers that are not in the state, or not derived.
	backlog atomic.Bool
	// verdicts are, by intent, the ends of pulls that brought nothing and of which the
	// state could not be told: only this process knows that nothing was lost there.
	verdicts sync.Map
	abandon  <-chan struct{}

	receiver receiving
}

// New makes a Recorder.
func New(o Options) *Recorder {
	c := &Recorder{
		catalog: o.Catalog, store: o.Store, now: o.Now, log: o.Log, meter: o.Meter,
		revision: o.Revision, accounts: o.Accounts,
		rescheduled: o.Rescheduled, changed: o.Changed, lost: o.Lost, unfolded: make(chan struct{}, 1),
		abandon: o.Abandon,
	}
	if o.StatePath != "" {
		c.spill.dir = spillDir(o.StatePath)
	}
	c.backlog.Store(true)
	return c
}

// Install makes these expectations, and with accounts their connections and a
// revision, the ones that are recorded under.
func (c *Recorder) Install(e Expectations, accounts map[string]*providers.Account, revision string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.expect = e
	if accounts != nil {
		c.accounts, c.revision = accounts, revision
	}
}

// Accounts are the accounts by their names.
func (c *Recorder) Accounts() map[string]*providers.Account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.accounts)
}

// Revision is what declares at present.
func (c *Recorder) Revision() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revision
}

// Account finds an account by its name; nil: there is none.
func (c *Recorder) Account(name string) *providers.Account {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.accounts[name]
}

// Snapshot is what an item was loaded under.
func (c *Recorder) Snapshot() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.epoch
}

// current is the item as it is to be observed on: the one loaded under epoch, or
// loaded again when something was declared since; nil when it is forgotten. The
// caller holds mu for reading.
func (c *Recorder) current(ctx context.Context, item *plan.Item, epoch int64) (*plan.Item, error) {
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
func (c *Recorder) paceOf(item *plan.Item) Pace {
	p := Pace{Settings: item.Settings, jitter: rand.Float64()}
	if a, ok := c.accounts[item.Account]; ok {
		p.floor = a.MinInterval
	}
	return p
}

// tell tells the schedule and the evaluation of an item that was recorded.
func (c *Recorder) tell(item *plan.Item, fields []value.Field) {
	if c.rescheduled != nil {
		c.rescheduled(item)
	}
	if len(fields) > 0 && c.changed != nil {
		c.changed(item, fields)
	}
}
