// Package record is the recording step: whatever was declared, read, pulled,
// received or derived becomes durable here, and nowhere else does anything commit.
//
// It may touch the state and, through an account's connection, a vendor. It knows no
// HTTP, no timers and no HCL: when something is done is decided by whoever calls
// (agent, agent/schedule), and expectations are judged through a small interface.
package record

import (
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
// Nothing is locked between loading an item and writing it. Each write names the
// version that it was made from; where the item was written meanwhile, by whatever,
// the state says state.ErrStale, and it is loaded and the work on it done again.
// Likewise the terms: what was recorded while others took their place is looked at
// again under those.
type Recorder struct {
	catalog providers.Catalog
	store   state.Store
	now     func() time.Time
	log     *slog.Logger
	meter   Meter
	terms   atomic.Pointer[terms]

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
	// stuck are the policies whose last page was full and brought nothing new, by id.
	stuck sync.Map
	// refused are accounts as Refused tells of them.
	refused sync.Map
	// bare are the blocks of whose items none has an expectation recorded; of Rejudge alone.
	bare    map[plan.Address]bool
	abandon <-chan struct{}

	receiver receiving
}

// New makes a Recorder.
func New(o Options) *Recorder {
	c := &Recorder{
		catalog: o.Catalog, store: o.Store, now: o.Now, log: o.Log, meter: o.Meter,
		rescheduled: o.Rescheduled, changed: o.Changed, lost: o.Lost, unfolded: make(chan struct{}, 1),
		abandon: o.Abandon,
	}
	if o.StatePath != "" {
		c.spill.dir = spillDir(o.StatePath)
	}
	c.terms.Store(&terms{revision: o.Revision, accounts: o.Accounts})
	c.backlog.Store(true)
	return c
}

// terms are what things are recorded under. They are replaced, never changed.
type terms struct {
	expect   Expectations // nil: nothing is judged
	accounts map[string]*providers.Account
	revision string // that declares
}

// paceOf says what the schedule must know of an item.
func (t *terms) paceOf(item *plan.Item) Pace {
	p := Pace{Settings: item.Settings, jitter: rand.Float64()}
	if a, ok := t.accounts[item.Account]; ok {
		p.floor = a.MinInterval
	}
	return p
}

// with are the terms with other expectations, and with accounts their connections
// and a revision.
func (t *terms) with(e Expectations, accounts map[string]*providers.Account, revision string) *terms {
	next := *t
	next.expect = e
	if accounts != nil {
		next.accounts, next.revision = accounts, revision
	}
	return &next
}

// Install makes these expectations, and with accounts their connections and a
// revision, the ones that are recorded under. It is called from one goroutine.
func (c *Recorder) Install(e Expectations, accounts map[string]*providers.Account, revision string) {
	c.terms.Store(c.terms.Load().with(e, accounts, revision))
}

// Accounts are the accounts by their names.
func (c *Recorder) Accounts() map[string]*providers.Account {
	return maps.Clone(c.terms.Load().accounts)
}

// Revision is what declares at present.
func (c *Recorder) Revision() string { return c.terms.Load().revision }

// Account finds an account by its name; nil: there is none.
func (c *Recorder) Account(name string) *providers.Account { return c.terms.Load().accounts[name] }

// tell tells the schedule and the evaluation of an item that was recorded.
func (c *Recorder) tell(item *plan.Item, fields []value.Field) {
	if c.rescheduled != nil {
		c.rescheduled(item)
	}
	if len(fields) > 0 && c.changed != nil {
		c.changed(item, fields)
	}
}
