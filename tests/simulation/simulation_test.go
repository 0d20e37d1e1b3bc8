package simulation

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/oracle"
)

var (
	oneSeed = flag.Uint64("seed", 0, "repeat the simulation of this seed alone and print its story")
	seeds   = flag.Int("seeds", usualSeeds, "how many seeds the simulation runs")
	first   = flag.Uint64("first", 1, "the first of the seeds")
)

// TestSimulation lets the real agent live through days of trouble: four vendors
// with faults of all kinds, a database that fails, a clock that jumps, kills and
// reloads, all drawn from a seed. Then the oracle judges.
//
// The seed decides the story and where faults strike. What happens at the same
// moment happens in the order that the scheduler gives it, and the agent draws its
// jitter itself: what a seed showed once it may show in one of a few runs only
// (-count=20).
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		t.Run(fmt.Sprintf("seed=%d", *oneSeed), func(t *testing.T) { simulate(t, *oneSeed, true, new(totals)) })
		return
	}
	n := *seeds
	if testing.Short() {
		n = min(n, 10)
	}
	sum := new(totals)
	t.Run("seeds", func(t *testing.T) {
		for i := range n {
			seed := *first + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				simulate(t, seed, false, sum)
			})
		}
	})
	t.Logf("%d seeds, %.0f days of agent time: %d faults injected, %d records and %d reads checked\n%s",
		n, time.Duration(sum.lived.Load()).Hours()/24, sum.faults.Load(), sum.records.Load(), sum.reads.Load(), sum)
}

type totals struct {
	lived, faults, records, reads atomic.Int64

	mu    sync.Mutex
	kinds map[string]int64
}

// add counts the troubles of one world by their kinds.
func (s *totals) add(w *world, account *sandbox.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kinds == nil {
		s.kinds = make(map[string]int64)
	}
	for i := range account.Faults {
		s.kinds[string(account.Faults[i].Vendor)+" "+string(account.Faults[i].Kind)] += account.Faults[i].Struck
	}
	for kind, n := range w.episodes {
		s.kinds[kind] += n
	}
	s.kinds["page cut"] += int64(len(w.limits.Cut))
	s.kinds["kill -9"] += int64(len(w.limits.Kills))
	s.kinds["callback given up"] += int64(len(account.Dropped))
	s.kinds["report expired"] += int64(len(account.Expired))
}

func (s *totals) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.kinds)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, s.kinds[name]))
	}
	return strings.Join(parts, ", ")
}

func simulate(t *testing.T, seed uint64, verbose bool, sum *totals) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		defer w.end()
		began := time.Now()
		w.live()
		report := w.judge()
		sum.lived.Add(int64(time.Since(began)))
		sum.faults.Add(report.Faults + int64(len(w.limits.Kills)+len(w.limits.Failing)+len(w.limits.Jumps)))
		sum.records.Add(int64(report.Records))
		sum.reads.Add(report.Reads)
		account := w.vendors.Account()
		sum.add(w, &account)
		if !report.OK() {
			t.Errorf("seed %d breaks promises; repeat it with\n\tgo test ./tests/simulation -run TestSimulation -seed=%d -v\n%s", seed, seed, report)
		}
		if verbose {
			t.Logf("the story of seed %d:\n%s\n%s", seed, strings.Join(w.story, "\n"), report.Counts())
		}
	})
}

// live is the story: a beginning, episodes drawn from the seed, and an end in
// which nothing more happens, so that all that can come has come.
func (w *world) live() {
	span := w.upTo(4*time.Hour, 8*time.Hour)
	w.populate(3+w.rnd.IntN(5), span)
	w.write(w.render())
	if !w.start() {
		w.t.Fatalf("seed %d: the first start failed: %s", w.seed, w.story)
	}
	for end := time.Now().Add(span); time.Now().Before(end); {
		time.Sleep(w.upTo(10*time.Second, 12*time.Minute))
		w.episode()
		if !w.start() {
			w.failDB(dbSound)
			if !w.start() {
				w.t.Fatalf("seed %d: the agent does not start: %s", w.seed, strings.Join(w.story, "\n"))
			}
		}
	}
	w.rest()
}

// rest ends all trouble, declares everything, and waits until the last callback
// was told or given up and the last report was pulled.
func (w *world) rest() {
	w.tell("all is well again")
	w.vendors.ClearFaults()
	w.failDB(dbSound)
	if w.offset.Load() != 0 {
		w.shift(0)
	}
	for _, t := range w.declare.all() {
		t.declared = true
	}
	w.declare.noPolicy, w.declare.extra = false, ""
	w.write(w.render())
	if !w.start() {
		w.t.Errorf("seed %d: the agent does not start when all is well", w.seed)
	}
	w.mu.Lock()
	w.cutNext = cutNone
	w.mu.Unlock()
	w.calmAfter(0, polledVendors...)
	time.Sleep(3 * time.Hour)
	w.stop()
	w.ghosts.Wait()
}

// judge applies once more, sees that a plan finds nothing, and asks the oracle.
func (w *world) judge() *oracle.Report {
	ctx := context.Background()
	time.Sleep(time.Minute)
	transport := w.vendors.Transport()
	config, diags := w.load(source.Take(w.config))
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	store, err := w.open()
	w.must(err)
	opts := agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}
	_, diags, err = w.runner(transport).Apply(ctx, config, store, opts, func(*plan.Result) (bool, error) { return true, nil })
	if err != nil || diags.HasErrors() {
		w.t.Fatalf("seed %d: apply: %v %v", w.seed, err, diags)
	}
	w.must(store.Close())
	w.vending()
	<-w.vended
	reader, err := sqlite.OpenReader(w.path)
	w.must(err)
	defer reader.Close()
	planned, diags, err := w.runner(transport).Plan(ctx, config, reader, agent.PassOptions{Refresh: true, StatePath: w.path})
	if err != nil || diags.HasErrors() {
		w.t.Fatalf("seed %d: plan: %v %v", w.seed, err, diags)
	}
	if c := planned.Plan.Counts(); !c.Empty() {
		w.t.Errorf("seed %d: a plan after an apply finds %+v: %+v %+v", w.seed, c, planned.Plan.Changes, planned.Plan.Drift)
	}
	if left, err := filepath.Glob(w.path + ".spill/*.answer"); err != nil || len(left) > 0 {
		w.t.Errorf("seed %d: spill files are left: %v %v", w.seed, left, err)
	}
	report, err := oracle.Check(ctx, w.vendors.Account(), reader, w.limits)
	w.must(err)
	return report
}
