package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/harness"
	"github.com/waybill-dev/waybill/tests/oracle"
)

const (
	adminURL    = "http://127.0.0.1:8480"
	receiverURL = "http://127.0.0.1:8481"
	// timeout bounds every call of the configurations here.
	timeout = 30 * time.Second
)

// world is one simulation: four vendors, a configuration, a state, and a process
// that is started, stopped and killed.
type world struct {
	t       *testing.T
	seed    uint64
	rnd     *rand.Rand // of the story
	root    string
	config  string
	path    string // of the state
	states  int
	vendors *sandbox.Server
	net     *harness.Network
	vending context.CancelFunc
	vended  chan struct{}
	offset  atomic.Int64 // of the program's clock
	db      atomic.Int64 // dbFault
	process *process
	ghosts  sync.WaitGroup
	declare declaration

	mu       sync.Mutex
	draw     *rand.Rand // of the wire
	cutNext  cutClass
	failNext int64 // how the database fails once the vendor has answered a pull
	limits   oracle.Limits
	story    []string
	episodes map[string]int64
	calm     map[sandbox.Vendor]time.Time // since when, zero: disturbed
	// troubled says that a vendor's fault is on, earliest when its calm may begin.
	troubled map[sandbox.Vendor]bool
	earliest map[sandbox.Vendor]time.Time
	downAt   time.Time // since when, zero: up
	failAt   time.Time // since when the database fails
}

type process struct {
	stop  context.CancelFunc
	ended chan error
	wire  *wire
}

// The ways in which a database fails.
const (
	dbSound = iota
	dbFull
	dbBusy
	dbBroken // every call
	dbFlaky  // one call in 25
)

func newWorld(t *testing.T, seed uint64) *world {
	root := t.TempDir()
	// A sync on a disk costs milliseconds of real time, and this is no test of
	// power loss: the file is a real one, in memory where there is such a place.
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		if memory, err := os.MkdirTemp("/dev/shm", "waybill-sim-"); err == nil {
			root = memory
			t.Cleanup(func() { _ = os.RemoveAll(memory) })
		}
	}
	w := &world{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), draw: rand.New(rand.NewPCG(seed, 2)),
		root: root, config: filepath.Join(root, "config"), net: new(harness.Network),
		calm: make(map[sandbox.Vendor]time.Time), downAt: time.Now(),
		episodes: make(map[string]int64), troubled: make(map[sandbox.Vendor]bool), earliest: make(map[sandbox.Vendor]time.Time),
	}
	w.must(os.Mkdir(w.config, 0o700))
	w.path = w.statePath()
	w.limits.Timeout = timeout + 10*time.Second
	polled := oracle.Pace{Floor: 30 * time.Second, Interval: time.Minute, MaxInterval: 8 * time.Minute}
	w.limits.Pace = map[sandbox.Vendor]oracle.Pace{
		sandbox.GlobFax: polled, sandbox.Itniotech: polled,
		sandbox.UCloud: {Interval: 2 * time.Minute, MaxInterval: plan.DefaultMaxInterval},
	}
	w.limits.Calm = make(map[sandbox.Vendor][]oracle.Span)
	w.vendors = sandbox.New(sandbox.Options{Seed: seed, CallbackClient: w.net.Client(), ReadsKept: 1 << 16})
	ctx, cancel := context.WithCancel(context.Background())
	w.vending, w.vended = cancel, make(chan struct{})
	go func() { defer close(w.vended); w.vendors.Run(ctx) }()
	return w
}

func (w *world) statePath() string {
	w.states++
	dir := filepath.Join(w.root, fmt.Sprintf("state-%d", w.states))
	w.must(os.Mkdir(dir, 0o700))
	return filepath.Join(dir, "waybill.db")
}

func (w *world) must(errs ...error) {
	w.t.Helper()
	if err := errors.Join(errs...); err != nil {
		w.t.Fatal(err)
	}
}

// tell adds a line to the story, which a failure prints.
func (w *world) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !strings.HasPrefix(format, "fault") {
		w.episodes[format]++
	}
	w.story = append(w.story, time.Now().UTC().Format("02T15:04:05 ")+fmt.Sprintf(format, args...))
}

// Write takes the program's log into the story.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.story) < 20_000 {
		w.story = append(w.story, "    "+strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

func (w *world) runner(transport http.RoundTripper) *agent.Runner {
	return &agent.Runner{
		Vendors: harness.Catalog(),
		Now:     w.now, Log: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime})),
		Transport: transport, Revision: "r1", Version: "test",
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func (w *world) load(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) {
	return harness.Load(s, nil)
}

func (w *world) open() (*sqlite.Store, error) {
	draw := rand.New(rand.NewPCG(w.seed, 3))
	var mu sync.Mutex
	return sqlite.Open(w.path, state.Owner{PID: os.Getpid(), Command: "simulation"}, sqlite.Options{Fault: func(op string) error {
		if op == "rollback" || op == "close" {
			return nil
		}
		switch w.db.Load() {
		case dbFull:
			if op == "commit" {
				return sqlite3.Error{Code: sqlite3.ErrFull}
			}
		case dbBusy:
			if op == "begin" {
				return sqlite3.Error{Code: sqlite3.ErrBusy}
			}
		case dbBroken:
			return sqlite3.Error{Code: sqlite3.ErrIoErr}
		case dbFlaky:
			mu.Lock()
			defer mu.Unlock()
			if draw.IntN(25) == 0 {
				return sqlite3.Error{Code: sqlite3.ErrIoErr}
			}
		}
		return nil
	}})
}

// start starts the program, and reports whether it runs.
func (w *world) start() bool {
	if w.process != nil {
		return true
	}
	store, err := w.open()
	if err != nil {
		w.tell("start: %v", err)
		return false
	}
	x := &wire{w: w}
	ctx, stop := context.WithCancel(context.Background())
	p := &process{stop: stop, ended: make(chan error, 1), wire: x}
	opts := agent.AgentOptions{
		Source: source.NewDirectory(w.config, slog.New(slog.DiscardHandler), true), Load: w.load,
		Dir: w.config, StatePath: w.path, Listen: w.net.Listen,
		Settings: hclspec.Settings{
			BackendPath: "waybill.db", Admin: hclspec.Listener{Listen: "127.0.0.1:8480"}, Receiver: hclspec.Listener{Listen: "127.0.0.1:8481"},
		},
	}
	go func() {
		err := w.runner(x).RunAgent(ctx, store, opts)
		p.ended <- errors.Join(err, store.Close())
	}()
	synctest.Wait()
	select {
	case err := <-p.ended:
		stop()
		w.tell("start: %v", err)
		return false
	default:
	}
	w.process = p
	w.tell("started")
	w.upAgain()
	return true
}

// stop ends the program as SIGTERM does.
func (w *world) stop() {
	if w.process == nil {
		return
	}
	w.disturb()
	w.down()
	w.tell("SIGTERM")
	w.process.stop()
	if err := <-w.process.ended; err != nil && w.db.Load() == dbSound {
		w.tell("ended with %v", err)
		w.t.Errorf("the agent ended with %v", err)
	}
	w.mu.Lock()
	if !w.failAt.IsZero() {
		// What could be written nowhere is a loss window at the next start, and what
		// was read is forgotten: as after a kill.
		w.limits.Kills = append(w.limits.Kills, time.Now())
	}
	w.mu.Unlock()
	w.process = nil
}

// end leaves nothing behind in the bubble, whatever became of the test.
func (w *world) end() {
	w.vending()
	<-w.vended
	if w.process != nil {
		w.process.stop()
		<-w.process.ended
	}
	w.ghosts.Wait()
}

// kill ends the program as kill -9 does, at a moment when it waits: what is on
// disk then is what the next start finds. The old process goes on with nobody to
// talk to, on files that nobody looks at.
func (w *world) kill() {
	if w.process == nil {
		return
	}
	synctest.Wait()
	w.disturb()
	w.down()
	w.tell("kill -9")
	p := w.process
	w.process = nil
	// Everything in the bubble waits, and nothing is woken before the copy is made.
	old := w.path
	w.path = w.statePath()
	w.must(copyTree(filepath.Dir(old), filepath.Dir(w.path)))
	p.wire.dead.Store(true)
	w.net.Sever()
	w.mu.Lock()
	w.limits.Kills = append(w.limits.Kills, time.Now())
	w.mu.Unlock()
	p.stop()
	w.ghosts.Go(func() { <-p.ended })
}

// copyTree copies what would survive: not the lock, not the shared memory.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case strings.HasSuffix(name, "-shm") || strings.HasSuffix(name, ".lock"):
			return nil
		default:
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			return os.WriteFile(target, content, 0o600)
		}
	})
}

func (w *world) down() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.downAt.IsZero() {
		w.downAt = time.Now()
	}
}

// upAgain ends the time in which nothing could be stored, if it is over.
func (w *world) upAgain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.process != nil && w.failAt.IsZero() && !w.downAt.IsZero() {
		w.limits.Down = append(w.limits.Down, oracle.Span{From: w.downAt, To: time.Now()})
		w.downAt = time.Time{}
	}
	w.settle()
}

// settle lets the calm of those vendors begin with whom nothing is the matter, as
// soon as what has put their schedule off is over. The caller holds mu.
func (w *world) settle() {
	if w.process == nil || !w.failAt.IsZero() || w.offset.Load() != 0 {
		return
	}
	for _, v := range polledVendors {
		if !w.troubled[v] && w.calm[v].IsZero() {
			w.calm[v] = time.Now()
			if w.earliest[v].After(w.calm[v]) {
				w.calm[v] = w.earliest[v]
			}
		}
	}
}

var polledVendors = []sandbox.Vendor{sandbox.GlobFax, sandbox.Itniotech, sandbox.UCloud}

// disturb ends the calm of vendors, of all where none is named.
func (w *world) disturb(vendors ...sandbox.Vendor) {
	if len(vendors) == 0 {
		vendors = polledVendors
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range vendors {
		if from := w.calm[v]; !from.IsZero() && from.Before(time.Now()) {
			w.limits.Calm[v] = append(w.limits.Calm[v], oracle.Span{From: from, To: time.Now()})
		}
		w.calm[v] = time.Time{}
	}
}

// trouble switches a disturbance of one vendor on; calmAfter ends it, and tells for
// how long it still puts the schedule off.
func (w *world) trouble(v sandbox.Vendor) {
	w.disturb(v)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.troubled[v] = true
}

func (w *world) calmAfter(wait time.Duration, vendors ...sandbox.Vendor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range vendors {
		w.troubled[v] = false
		if at := time.Now().Add(wait); at.After(w.earliest[v]) {
			w.earliest[v] = at
		}
	}
	w.settle()
}

// failDB switches a fault of the database on, or off.
func (w *world) failDB(mode int64) {
	w.disturb()
	w.db.Store(mode)
	w.mu.Lock()
	if mode != dbSound && w.failAt.IsZero() {
		w.failAt = time.Now()
		if w.downAt.IsZero() {
			w.downAt = time.Now()
		}
	} else if mode == dbSound && !w.failAt.IsZero() {
		w.limits.Failing = append(w.limits.Failing, oracle.Span{From: w.failAt, To: time.Now()})
		w.failAt = time.Time{}
	}
	w.mu.Unlock()
	w.upAgain()
}

// shift moves the program's clock.
func (w *world) shift(to time.Duration) {
	w.disturb()
	w.offset.Store(int64(to))
	w.mu.Lock()
	w.limits.Jumps = append(w.limits.Jumps, oracle.Jump{At: time.Now(), Offset: to})
	w.mu.Unlock()
	// A due time that can be is believed, whichever clock wrote it; and an account
	// that was paused has its pause.
	w.calmAfter(plan.DefaultMaxInterval, polledVendors...)
}

func (w *world) post(path string) int {
	response, err := w.net.Client().Post(adminURL+path, "text/plain", nil)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
