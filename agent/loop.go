package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/quiet"
	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/agent/web"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// AgentOptions are what the long-running agent needs beside the Runner.
type AgentOptions struct {
	// Source is where configurations come from. The agent closes it.
	Source source.Source
	// Load loads the configuration of a snapshot.
	Load func(*source.Snapshot) (*hclspec.Root, hcl.Diagnostics)
	// Dir is the configuration directory, absolute: what settings name relative to
	// it is looked for there.
	Dir       string
	StatePath string
	// MaxForget overrides the configuration's max_forget at this start; nil: none.
	MaxForget *hclspec.ForgetLimit
	// Settings are those of the start; waybill {} and listen addresses need a restart.
	Settings hclspec.Settings
	// CheckState judges a place for the state, as written; nil: nothing does.
	CheckState func(path string) error
	// Reload is told when to reload (SIGHUP); may be nil.
	Reload <-chan struct{}
	// Report shows diagnostics of a configuration that was not taken; may be nil.
	Report func(*hclspec.Root, hcl.Diagnostics)
	// Listening is told where the agent listens, once it does; may be nil. It runs
	// before the declaration is recorded, so that a sandbox can be told where to push.
	Listening func(admin, receiver net.Addr)
	// Evaluated is told what a configuration declares before it is read (a sandbox
	// makes it exist); may be nil.
	Evaluated func([]plan.Desired)
	// Listen opens a port; nil: net.Listen.
	Listen func(network, address string) (net.Listener, error)
}

// Agent is the long-running loop: schedule, receiver, reload and admin around one
// recorder.
type Agent struct {
	runner  *Runner
	opts    AgentOptions
	store   state.Store
	catalog providers.Catalog
	rec     *record.Recorder
	metrics *web.Metrics
	log     *slog.Logger
	quiet   *quiet.Log // of troubles that go on
	journal *journal

	mu     sync.Mutex
	queues map[string]*schedule.Queue
	stops  map[string]context.CancelFunc
	config *hclspec.Root
	// snapshot is what config was loaded from.
	snapshot *source.Snapshot
	// referred are the blocks that others refer to: when their items change, the
	// configuration is evaluated again.
	referred map[string]bool
	longest  map[string]time.Duration // see waits
	reload   reloadState
	failing  map[string]bool // checks that fail, as last logged
	retry    *retry          // of what could not be written
	// refill says that items were recorded that no queue was told of.
	refill bool
	// unjudged is what was taken and whose expectations are not recorded yet.
	unjudged *evaluation

	items     int64 // that were tracked at the start
	running   sync.WaitGroup
	changed   chan struct{} // an item of a referred block changed
	setBack   chan struct{} // the clock was set back
	asked     chan chan error
	ending    <-chan struct{} // closed when the agent is told to end
	declared  atomic.Bool     // the declaration is recorded
	listening atomic.Bool     // the receiver listens
	turned    atomic.Int64    // unix nanoseconds of the loop's last turn
}

// RunAgent runs until ctx ends, then lets what is in flight finish. store must be
// open for writing; it is not closed.
func (r *Runner) RunAgent(ctx context.Context, store state.Store, opts AgentOptions) error {
	a := &Agent{
		runner: r, opts: opts, store: store, log: r.Log, quiet: quiet.New(r.Log, r.Now), metrics: web.NewMetrics(r.Version), catalog: providers.NewCatalog(r.Vendors),
		queues: make(map[string]*schedule.Queue), stops: make(map[string]context.CancelFunc),
		changed: make(chan struct{}, 1), setBack: make(chan struct{}, 1), asked: make(chan chan error), retry: newRetry(),
	}
	a.journal = newJournal(a.metrics, r.Now())
	abandon := make(chan struct{})
	a.rec = record.New(record.Options{
		Catalog: a.catalog, Store: store, Now: r.Now, Log: r.Log, StatePath: opts.StatePath, Meter: a.journal,
		Rescheduled: a.scheduled, Changed: a.sawChange, Abandon: abandon,
	})
	a.metrics.Gather(web.Sources{Store: store, Catalog: a.catalog, Queues: a.allQueues, Now: r.Now})
	return a.run(ctx, abandon)
}

func (a *Agent) run(ctx context.Context, abandon chan struct{}) error {
	listeners, err := web.Listen(web.ListenOptions{
		Admin: a.opts.Settings.Admin, Receiver: a.opts.Settings.Receiver, Dir: a.opts.Dir, Open: a.opts.Listen, Now: a.runner.Now, Log: a.log,
	})
	if err != nil {
		return err
	}
	defer listeners.Close()
	defer func() { _ = a.opts.Source.Close() }() // nothing is left to be told
	if a.opts.Listening != nil {
		a.opts.Listening(listeners.AdminAddr(), listeners.ReceiverAddr())
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	a.ending = ctx.Done()
	if err := a.start(ctx); err != nil {
		if ctx.Err() == nil {
			return err
		}
		a.log.Info("stopped before the declaration was recorded; the next start goes on from there", "at", err)
		return nil
	}
	served := listeners.Serve(web.NewAdmin(a, a.metrics), web.NewReceiver(a.rec, a.metrics, a.runner.Now, a.log))
	a.listening.Store(true)
	a.log.Info("the agent runs", "admin", listeners.AdminAddr().String(), "receiver", listeners.ReceiverAddr().String(),
		"configuration", a.opts.Dir, "revision", a.rec.Revision(), "items", a.items, "accounts", len(a.rec.Accounts()),
		"callbacks", a.callbackURLs(listeners.ReceiverAddr().String()))

	work, stopWork := context.WithCancel(ctx)
	defer stopWork()
	a.running.Go(func() { a.foldLoop(work) })
	a.running.Go(func() { a.configure(work) })
	err = a.loop(ctx, served)

	failpoint.Hit(failpoint.ShutdownBegin)
	a.log.Info("stopping: what is in flight finishes")
	longest := 5 * time.Second
	for _, q := range a.allQueues() {
		if account := q.Account(); account != nil {
			longest = max(longest, account.Timeout)
		}
	}
	until := time.Now().Add(longest + 4*time.Second)
	last := time.AfterFunc(time.Until(until), func() { close(abandon) })
	defer last.Stop()
	stopWork()
	end() // the queues too, when it was not the signal that ended the loop
	listeners.Shutdown(longest)
	a.waitFor(time.Until(until))
	failpoint.Hit(failpoint.ShutdownIdle)
	ending := context.WithoutCancel(ctx)
	err = errors.Join(err, a.foldLast(ending, time.Until(until)), a.rec.Heartbeat(ending))
	a.journal.tell(a.log, a.runner.Now(), true)
	failpoint.Hit(failpoint.ShutdownEnd)
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}

// callbackURLs are where vendors push to, without the tokens that end them.
func (a *Agent) callbackURLs(address string) string {
	scheme := "http"
	if a.opts.Settings.Receiver.WebConfigFile != "" {
		scheme = "https"
	}
	var urls []string
	for name, account := range a.rec.Accounts() {
		if account.Gate != nil {
			urls = append(urls, fmt.Sprintf("%s://%s/callbacks/%s/TOKEN", scheme, address, name))
		}
	}
	slices.Sort(urls)
	return strings.Join(urls, " ")
}

// foldLast folds what records came in last, at most so long.
func (a *Agent) foldLast(ctx context.Context, longest time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	err := a.rec.FoldAll(ctx)
	if err != nil && ctx.Err() != nil {
		a.log.Info("not all records that came in could be counted before the end; the next start does that")
		return nil
	}
	return err
}

// waitFor waits until everything that was under way has ended, at most so long: a
// read that still waits for its turn at the rate limit is no reason to stay.
func (a *Agent) waitFor(longest time.Duration) {
	ended := make(chan struct{})
	go func() {
		a.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(longest):
		a.log.Warn("something under way did not end in time; what it would have told is read again after the next start")
	}
}

// start records the declaration and fills the schedule.
func (a *Agent) start(ctx context.Context) error {
	if err := a.takeFirst(ctx); err != nil {
		return err
	}
	if err := a.rec.Restored(ctx); err != nil {
		return err
	}
	if err := a.rec.TakeIn(ctx); err != nil {
		return err
	}
	if err := a.rec.Heartbeat(ctx); err != nil {
		return err
	}
	counts, err := a.store.Counts(ctx)
	if err != nil {
		return fmt.Errorf("count the state: %w", err)
	}
	a.metrics.Seed(a.rec.Accounts(), counts)
	for _, n := range counts.Items {
		a.items += n
	}
	a.declared.Store(true)
	if err := a.fill(ctx); err != nil {
		return err
	}
	a.tellRefused()
	return nil
}

// scheduled puts an item's next turn on its queue.
func (a *Agent) scheduled(item *plan.Item) {
	a.journal.stands(item)
	if !item.Due.IsZero() && a.declared.Load() {
		a.queueOf(item.Address.Type(), item.Account).Add(item.ID, item.Due, item.Due)
	}
}

// sawChange asks for another evaluation when others refer to the item's block.
func (a *Agent) sawChange(item *plan.Item, fields []value.Field) {
	a.journal.changed(item, fields)
	a.mu.Lock()
	wanted := a.referred[item.Address.Block()]
	a.mu.Unlock()
	if wanted {
		a.evaluateSoon()
	}
}

// foldLoop folds what records came in, gathering those of a tenth of a second.
func (a *Agent) foldLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.rec.Unfolded():
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
		if err := a.rec.FoldAll(ctx); err != nil && ctx.Err() == nil {
			a.quiet.Error("counting", "records could not be counted; trying again", "error", err)
			a.rec.Recorded()
		}
	}
}

// loop beats until ctx ends: nothing that may take long is done in it, so that it
// tells whether the process lives.
func (a *Agent) loop(ctx context.Context, served <-chan error) error {
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	var lastBeat, lastTick time.Time
	for {
		a.turned.Store(a.runner.Now().UnixNano())
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return err
		case <-beat.C:
			now := a.runner.Now()
			if now.Before(lastTick) {
				a.clockSetBack()
			}
			lastTick = now
			a.journal.tell(a.log, now, false)
			if now.Sub(lastBeat).Abs() < beatEvery && a.healthy() { // a clock that is set back puts no beat off
				continue
			}
			if err := a.rec.Heartbeat(ctx); err != nil {
				a.quiet.Error("state", "the state cannot be written: callbacks are refused with 503 until it can", "error", err)
				continue
			}
			a.quiet.Over("state", "the state can be written again")
			lastBeat = now
			if err := a.rec.TakeIn(ctx); err != nil && !errors.Is(err, record.ErrPulling) {
				a.quiet.Error("taking in", "what was pulled before could not be taken in yet", "error", err)
			}
		}
	}
}

// clockSetBack has the schedule filled again: what was scheduled by a clock that was
// ahead would not come for as long.
func (a *Agent) clockSetBack() {
	select {
	case a.setBack <- struct{}{}:
	default:
	}
}

// beatEvery is how often the agent proves, and remembers, that callbacks can be
// stored.
const beatEvery = 30 * time.Second
