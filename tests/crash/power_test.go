package crash

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/harness"
	"github.com/waybill-dev/waybill/tests/oracle"
)

// cuts is how many power cuts a recording is tried with, beside the one at its end.
const cuts = 60

// A power cut at any moment takes away whatever was not synced. What was accepted
// before it is there after the next start, or the loss is a recorded window; what
// the program said was safe when it ended is there.
func TestPowerCut(t *testing.T) {
	for name, record := range recordings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, complaint := range w.cutPower(record(w, "")) {
				t.Error(complaint)
			}
		})
	}
}

// recordings are runs of the program under the recorder, with a safeguard left out.
func recordings() map[string]func(w *world, weakened failpoint.Safeguard) []op {
	return map[string]func(*world, failpoint.Safeguard) []op{
		"agent": func(w *world, weakened failpoint.Safeguard) []op {
			w.send()
			return w.traced(map[string]string{"WAYBILL_WEAKEN": string(weakened)}, 0, "agent")
		},
		"spill": func(w *world, weakened failpoint.Safeguard) []op {
			w.send()
			return w.traced(map[string]string{"WAYBILL_WEAKEN": string(weakened), "WAYBILL_FAULT": refuseOnce}, 1, "apply", "-auto-approve")
		},
	}
}

// traced runs the program under the recorder to its end.
func (w *world) traced(env map[string]string, code int, args ...string) []op {
	w.t.Helper()
	if !canTrace {
		w.t.Skip("system calls are recorded on linux/amd64 only")
	}
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	log := filepath.Join(w.t.TempDir(), "calls")
	env["WAYBILL_TRACE"], env["WAYBILL_TRACER"] = log, self
	p := w.begin(env, args...)
	if args[0] == "agent" {
		w.accompany(p, life{command: "agent"})
	}
	if got := p.Wait(); got == 120 {
		w.t.Skipf("system calls cannot be recorded here: %s", p.Log())
	} else if got != code {
		w.t.Fatalf("the program ended with %d:\n%s", got, p.Log())
	}
	f, err := os.Open(log)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	var ops []op
	for in := gob.NewDecoder(f); ; {
		var o op
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			w.t.Fatal(err)
		}
		ops = append(ops, o)
	}
	return ops
}

// cutPower cuts the power of a recorded run at many moments, and says what is
// wrong with what is left.
func (w *world) cutPower(ops []op) []string {
	w.t.Helper()
	die := rand.New(rand.NewPCG(1, 2))
	chosen := map[int]bool{len(ops): true}
	for len(chosen) < min(cuts, len(ops)) {
		chosen[1+die.IntN(len(ops))] = true
	}
	account := w.vendors.Account()
	d := newDisk()
	var complaints []string
	tried := 0
	for i, o := range ops {
		d.apply(o)
		if !chosen[i+1] {
			continue
		}
		at := account.At
		if i+1 < len(ops) {
			at = time.Unix(0, ops[i+1].Entry)
		}
		for _, d2 := range []*rand.Rand{nil, rand.New(rand.NewPCG(uint64(i), 3))} {
			tried++
			for _, wrong := range w.afterCut(d, d2, before(account, at), i+1 == len(ops)) {
				complaints = append(complaints, fmt.Sprintf("power cut after call %d of %d: %s", i+1, len(ops), wrong))
			}
		}
		if len(complaints) > 5 {
			break
		}
	}
	w.t.Logf("%d calls recorded, %d power cuts, %d callbacks accepted, %d reports deleted", len(ops), tried, len(account.Accepted), len(account.Deleted))
	return complaints
}

// before is the vendors' account as it was at a moment.
func before(a sandbox.Account, at time.Time) sandbox.Account {
	a.Accepted = slices.DeleteFunc(slices.Clone(a.Accepted), func(c sandbox.Callback) bool { return !c.At.Before(at) })
	a.Deleted = slices.DeleteFunc(slices.Clone(a.Deleted), func(d sandbox.Deletion) bool { return !d.At.Before(at) })
	a.Pulls = slices.DeleteFunc(slices.Clone(a.Pulls), func(p sandbox.Pull) bool { return !p.At.Before(at) })
	a.Reads = nil // a read that was not recorded is made again
	return a
}

// afterCut starts the program on what a power cut left, and compares.
func (w *world) afterCut(d *disk, die *rand.Rand, account sandbox.Account, atEnd bool) []string {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.t.TempDir(), "cut-")
	if err != nil {
		w.t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := d.crash(dir, die); err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(dir, "waybill.db")
	store, err := sqlite.Open(path, state.Owner{PID: os.Getpid(), Command: "test"}, sqlite.Options{})
	if err != nil {
		return []string{"the state cannot be opened: " + err.Error()}
	}
	defer store.Close()
	runner := (&inside{vendors: w.vendors}).runner()
	config, diags := harness.Load(source.Take(w.Dir), w.Env)
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	runner.Log = slog.New(slog.DiscardHandler)
	_, diags, err = runner.Apply(context.Background(), config, store, agent.PassOptions{StatePath: path}, func(*plan.Result) (bool, error) { return true, nil })
	if err != nil || diags.HasErrors() {
		return []string{fmt.Sprintf("the next start: %v %v", err, diags)}
	}
	report, err := oracle.Check(context.Background(), account, store, oracle.Limits{Kills: []time.Time{account.At, time.Now()}})
	if err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	if !report.OK() {
		wrong = append(wrong, strings.TrimSpace(report.String()))
	}
	if atEnd && report.Windows > 0 {
		windows, _ := store.LossWindows(context.Background())
		wrong = append(wrong, fmt.Sprintf("the program had ended and said that all was safe, and there are loss windows: %+v", windows))
	}
	return wrong
}
