package crash

import (
	"syscall"
	"testing"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/tests/harness"
)

// Each safeguard left out is noticed: a test that cannot fail holds nothing. With
// -v it prints what is then found; docs/guarantees.md repeats it.
func TestEachSafeguardIsNeeded(t *testing.T) {
	power := func(name string) func(*world, failpoint.Safeguard) []string {
		return func(w *world, s failpoint.Safeguard) []string { return w.cutPower(recordings()[name](w, s)) }
	}
	// The program is killed at a point, and the next start has all its safeguards.
	kill := func(p failpoint.Point) func(*world, failpoint.Safeguard) []string {
		return func(w *world, s failpoint.Safeguard) []string {
			w.send()
			w.Env["WAYBILL_WEAKEN"] = string(s)
			w.live(life{command: "agent", point: p, hit: 2}, "kill")
			delete(w.Env, "WAYBILL_WEAKEN")
			w.restarts()
			return w.complaints(0, 1)
		}
	}
	for safeguard, found := range map[failpoint.Safeguard]func(*world, failpoint.Safeguard) []string{
		failpoint.Synchronous: power("agent"),
		failpoint.FileSync:    power("spill"),
		failpoint.DirSync:     power("spill"),
		failpoint.Intent:      kill(failpoint.PullAnswered),
		failpoint.AnswerFirst: kill(failpoint.CallbackRead),
	} {
		t.Run(string(safeguard), func(t *testing.T) {
			t.Parallel()
			complaints := found(newWorld(t), safeguard)
			if len(complaints) == 0 {
				t.Fatalf("without %s nothing is found to be missing", safeguard)
			}
			t.Logf("without %s: %s", safeguard, complaints[0])
		})
	}
}

// restarts starts the agent and ends it as soon as the vendors have nothing left.
func (w *world) restarts() {
	w.t.Helper()
	p := w.begin(nil, "agent")
	told := false
	harness.Eventually(w.t, func() string {
		_, receiver, ok := p.Addresses()
		if !ok {
			return "the agent does not run:\n" + p.Log()
		}
		if !told {
			told = true
			w.receiver(receiver)
			w.aMinuteLater()
		}
		if a := w.vendors.Account(); a.Reports.Waiting+a.Reports.Coming+a.Callbacks.Pending > 0 {
			return "the vendors are not done"
		}
		return ""
	})
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(); code != 0 {
		w.t.Fatalf("the agent ended with %d:\n%s", code, p.Log())
	}
}
