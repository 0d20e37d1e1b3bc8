package oracle_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/oracle"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state/sqlite"
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
			t.Errorf("seed %d breaks promises; repeat it with\n\tgo test ./oracle -run TestSimulation -seed=%d -v\n%s", seed, seed, report)
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
	config, diags := w.load("")
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	store, err := w.open()
	w.must(err)
	opts := agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}
	_, diags, err = w.runner(transport).Apply(ctx, config, store, opts, func(*agent.Result) (bool, error) { return true, nil })
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

// episode is one piece of trouble.
func (w *world) episode() {
	switch n := w.rnd.IntN(100); {
	case n < 40:
		w.vendorTrouble()
	case n < 48:
		w.stop()
		time.Sleep(w.upTo(time.Second, 50*time.Minute))
	case n < 52: // longer than NXCLOUD tries
		w.stop()
		time.Sleep(w.upTo(61*time.Minute, 3*time.Hour))
	case n < 54 && len(w.limits.Down) < 40: // longer than UCloud keeps
		w.stop()
		time.Sleep(w.upTo(71*time.Hour, 90*time.Hour))
	case n < 62:
		w.kill()
		time.Sleep(w.upTo(0, 10*time.Minute))
	case n < 64:
		w.crashLoop()
	case n < 72:
		w.databaseTrouble()
	case n < 78:
		w.clockTrouble()
	case n < 90:
		w.reloadTrouble()
	default:
		w.populate(1+w.rnd.IntN(3), 3*time.Hour)
		w.tell("new work")
		w.write(w.render())
	}
}

// vendorTrouble switches one fault on for some time or some requests. One in
// three kills falls into it.
func (w *world) vendorTrouble() {
	if w.chance(20) {
		class := 1 + cutClass(w.rnd.IntN(int(cutClasses)-1))
		w.tell("the next page is cut (%d)", class)
		w.mu.Lock()
		w.cutNext = class
		w.mu.Unlock()
		w.trouble(sandbox.UCloud)
		w.send(w.upTo(time.Second, time.Minute))
		time.Sleep(w.upTo(time.Minute, 6*time.Minute))
		w.calmAfter(0, sandbox.UCloud)
		return
	}
	f := w.fault()
	w.tell("fault %s %s %+v", f.Vendor, f.Kind, f)
	if f.Vendor != sandbox.NXCloud {
		w.trouble(f.Vendor)
	}
	_, err := w.vendors.AddFault(f)
	w.must(err)
	switch f.Vendor { // something for it to strike
	case sandbox.UCloud:
		w.send(w.upTo(time.Second, 10*time.Minute))
	case sandbox.NXCloud:
		w.batch(w.upTo(time.Second, 10*time.Minute))
	}
	time.Sleep(w.upTo(10*time.Second, 15*time.Minute))
	if w.chance(20) {
		w.kill()
		time.Sleep(w.upTo(0, time.Minute))
		w.start()
	}
	w.vendors.ClearFaults()
	if f.Vendor != sandbox.NXCloud {
		w.calmAfter(time.Duration(f.RetryAfter)+timeout, f.Vendor)
	}
}

// fault draws one of every kind that has a meaning somewhere.
func (w *world) fault() sandbox.Fault {
	polls := []sandbox.Vendor{sandbox.GlobFax, sandbox.Itniotech, sandbox.UCloud}
	all := append(polls[:3:3], sandbox.NXCloud)
	kinds := []struct {
		kind    sandbox.FaultKind
		vendors []sandbox.Vendor
	}{
		{sandbox.Delay, all}, {sandbox.RateLimit, polls}, {sandbox.ServerError, polls}, {sandbox.Refuse, polls[1:]},
		{sandbox.HTML, polls}, {sandbox.Truncate, all}, {sandbox.Unreachable, all}, {sandbox.ResetBefore, polls},
		{sandbox.ResetAfter, all}, {sandbox.Oversize, polls}, {sandbox.WrongID, polls[:2]}, {sandbox.Skew, polls[1:2]},
		{sandbox.Odd, all}, {sandbox.CloseIdle, polls}, {sandbox.Duplicate, all[3:]}, {sandbox.Conflict, all[3:]},
	}
	k := kinds[w.rnd.IntN(len(kinds))]
	f := sandbox.Fault{Kind: k.kind, Vendor: k.vendors[w.rnd.IntN(len(k.vendors))], Acted: w.chance(50), Fraction: float64(w.rnd.IntN(100)) / 100}
	switch w.rnd.IntN(3) {
	case 0:
		f.Next = 1 + w.rnd.IntN(4)
	case 1:
		f.Probability = 0.3
	}
	switch f.Kind {
	case sandbox.Delay:
		f.Delay = sandbox.Duration(w.upTo(time.Second, 45*time.Second))
	case sandbox.RateLimit:
		if w.chance(50) {
			f.RetryAfter = sandbox.Duration(w.upTo(time.Second, 10*time.Minute).Truncate(time.Second))
		}
	case sandbox.Refuse:
		f.Code = map[sandbox.Vendor][]string{
			sandbox.Itniotech: {"-1", "-15", "-16", "-18", "-22"}, sandbox.UCloud: {"153", "171", "292", "18004", "18000", "99999"},
		}[f.Vendor][w.rnd.IntN(5)]
	case sandbox.Skew:
		f.Skew = sandbox.Duration(time.Hour)
	case sandbox.Oversize:
		f.Next = 1 // 16 MiB each
		f.Probability = 0
	}
	return f
}

// crashLoop is a program that dies soon after each start, for over an hour.
func (w *world) crashLoop() {
	w.tell("crash loop")
	for end := time.Now().Add(w.upTo(20*time.Minute, 2*time.Hour)); time.Now().Before(end); {
		w.kill()
		time.Sleep(w.upTo(time.Minute, 25*time.Minute))
		w.start()
		time.Sleep(w.upTo(0, 10*time.Second))
	}
}

// databaseTrouble lets the database fail, sometimes with no place for spill
// files either.
func (w *world) databaseTrouble() {
	mode := int64(1 + w.rnd.IntN(4))
	blocked := w.chance(30) && os.Remove(w.path+".spill") != nil
	if blocked {
		if _, err := os.Stat(w.path + ".spill"); err == nil {
			blocked = false
		} else {
			w.must(os.WriteFile(w.path+".spill", nil, 0o600))
		}
	}
	spill := w.path + ".spill"
	w.tell("the database fails (%d), no spill file: %t", mode, blocked)
	if w.chance(50) {
		w.send(w.upTo(time.Second, time.Minute))
		w.mu.Lock()
		w.failNext = mode
		w.mu.Unlock()
		time.Sleep(w.upTo(time.Minute, 4*time.Minute))
		w.mu.Lock()
		w.failNext = dbSound
		w.mu.Unlock()
	}
	w.failDB(mode)
	if w.chance(70) {
		time.Sleep(w.upTo(5*time.Second, 10*time.Minute))
	} else {
		time.Sleep(w.upTo(10*time.Minute, 100*time.Minute))
	}
	switch {
	case w.chance(20):
		w.stop()
		w.start()
	case w.chance(20):
		w.kill()
	}
	if blocked {
		w.must(os.Remove(spill))
		if w.path+".spill" != spill {
			w.must(os.Remove(w.path + ".spill"))
		}
	}
	w.failDB(dbSound)
	w.tell("the database works")
	w.start()
}

// clockTrouble sets the program's clock an hour ahead or back, and right again.
func (w *world) clockTrouble() {
	by := time.Hour
	if w.chance(50) {
		by = -by
	}
	w.tell("the clock jumps by %s", by)
	w.shift(by)
	time.Sleep(w.upTo(time.Second, 20*time.Minute))
	switch {
	case w.chance(30):
		w.kill()
		w.start()
	case w.chance(30): // longer than NXCLOUD tries, under the same wrong clock
		w.kill()
		time.Sleep(w.upTo(61*time.Minute, 2*time.Hour))
		w.start()
	}
	time.Sleep(w.upTo(time.Second, 20*time.Minute))
	w.tell("the clock is right again")
	w.shift(0)
}

// reloadTrouble is a merge: one that does not load, one that forgets too much, or
// one that forgets and, later, declares again.
func (w *world) reloadTrouble() {
	reload := func() {
		if w.chance(50) {
			w.post("/-/reload")
		} else {
			time.Sleep(11 * time.Second)
		}
	}
	switch w.rnd.IntN(4) {
	case 0:
		w.tell("a reload that does not parse")
		w.write("resource \"globfax_recipient\" {")
		reload()
		time.Sleep(w.upTo(time.Second, 10*time.Minute))
		if w.chance(30) {
			w.stop()
			w.start()
		}
	case 1:
		w.tell("a reload that would forget everything")
		w.write(emptied(w.render()))
		reload()
		time.Sleep(w.upTo(time.Second, 10*time.Minute))
	case 2:
		w.tell("a reload that forgets the policy")
		w.declare.noPolicy = true
		w.trouble(sandbox.UCloud)
		w.write(w.render())
		reload()
		time.Sleep(w.upTo(time.Second, 30*time.Minute))
		w.declare.noPolicy = false
		w.write(w.render())
		reload()
		w.calmAfter(0, sandbox.UCloud)
		return
	default:
		w.tell("a reload that forgets, and declares others")
		for _, t := range w.declare.all() {
			if w.chance(30) {
				t.declared = !t.declared
			}
		}
	}
	w.write(w.render())
	reload()
	w.tell("reloaded")
}

// emptied is a configuration that declares nothing any more, under a limit that
// refuses it.
func emptied(text string) string {
	text = strings.Replace(text, `max_untrack = "100%"`, `max_untrack = 1`, 1)
	at := strings.Index(text, `resource "globfax_recipient"`)
	return text[:at]
}
