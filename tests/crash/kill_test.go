package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// life is one run of the program, from its start to the moment it dies.
type life struct {
	command string // "agent" or "apply"
	point   failpoint.Point
	hit     int    // which hit of the point; 0 is 1
	fault   string // WAYBILL_FAULT
}

func (l life) environment(signal string) map[string]string {
	return map[string]string{"WAYBILL_FAILPOINT": fmt.Sprintf("%s:%d:%s", l.point, max(l.hit, 1), signal), "WAYBILL_FAULT": l.fault}
}

// death is a case: what came before, and where the program dies.
type death struct {
	before []life // each ends by kill -9 at its point, or by itself where it has none
	last   life
	// windows is how many loss windows are due: after kill -9, and after SIGTERM.
	killed, ended int
	cut           bool // the vendor resets the first pull after its delete
	maybe         bool // a run may be over before that hit
}

// The database does not take one answer (it is tried alone when it was not), and
// one answer again when it is taken in.
const (
	refuseOnce  = "underived raw:1:2"
	refuseTwice = "underived raw:1:3"
)

func agentAt(p failpoint.Point, hits ...int) []death {
	var all []death
	for _, hit := range append([]int{1}, hits...) {
		all = append(all, death{last: life{command: "agent", point: p, hit: hit}})
	}
	return all
}

// losing is a death over which an answer that is in memory only is lost.
func losing(d ...death) []death {
	for i := range d {
		d[i].killed = 1
	}
	return d
}

// deaths has a case for each point.
func deaths() map[failpoint.Point][]death {
	apply := func(p failpoint.Point, hit int) death {
		return death{last: life{command: "apply", point: p, hit: hit}, maybe: hit > 8}
	}
	spilling := func(p failpoint.Point, killed int) []death {
		return []death{
			{last: life{command: "agent", point: p, fault: refuseOnce}, killed: killed},
			{last: life{command: "apply", point: p, fault: refuseOnce}, killed: killed},
		}
	}
	// after a death that left something to take in
	finishing := func(p failpoint.Point, before life, windows int) []death {
		return []death{
			{before: []life{before}, last: life{command: "agent", point: p}, killed: windows, ended: windows},
			{before: []life{before}, last: life{command: "apply", point: p}, killed: windows, ended: windows},
		}
	}
	spilled := life{command: "agent", point: failpoint.SpillEnd, fault: refuseOnce}
	partial := life{command: "apply", point: failpoint.FileWritten, fault: refuseOnce}
	landed := life{command: "agent", point: failpoint.PullLanded, hit: 2}
	asked := life{command: "agent", point: failpoint.PullAnswered, hit: 2}
	nothing := func(p failpoint.Point) []death {
		return []death{{last: life{command: "agent", point: p}, cut: true, killed: 1, ended: 1}}
	}
	return map[failpoint.Point][]death{
		failpoint.PullBegin:     append(agentAt(failpoint.PullBegin, 3), apply(failpoint.PullBegin, 2)),
		failpoint.PullIntended:  losing(append(agentAt(failpoint.PullIntended, 3), apply(failpoint.PullIntended, 2))...),
		failpoint.PullAnswered:  losing(append(agentAt(failpoint.PullAnswered, 2), apply(failpoint.PullAnswered, 3))...),
		failpoint.PullLanded:    append(agentAt(failpoint.PullLanded, 2), apply(failpoint.PullLanded, 1)),
		failpoint.PullDerived:   append(agentAt(failpoint.PullDerived, 3), apply(failpoint.PullDerived, 2)),
		failpoint.PullNothing:   nothing(failpoint.PullNothing),
		failpoint.PullConcluded: nothing(failpoint.PullConcluded),

		failpoint.SpillBegin: spilling(failpoint.SpillBegin, 1),
		failpoint.SpillEnd:   spilling(failpoint.SpillEnd, 0),
		// A file that is written is whole after kill -9, under whatever name; the
		// agent's first files are those of the last good configuration.
		failpoint.FileWritten: append(agentAt(failpoint.FileWritten, 2), spilling(failpoint.FileWritten, 0)...),
		failpoint.FileSynced:  append(agentAt(failpoint.FileSynced, 2), spilling(failpoint.FileSynced, 0)...),
		failpoint.FileRenamed: append(agentAt(failpoint.FileRenamed, 2), spilling(failpoint.FileRenamed, 0)...),

		failpoint.FinishLanded: finishing(failpoint.FinishLanded, landed, 0),
		failpoint.FinishSpill:  append(finishing(failpoint.FinishSpill, spilled, 0), finishing(failpoint.FinishSpill, partial, 0)...),
		failpoint.FinishStored: finishing(failpoint.FinishStored, spilled, 0),
		failpoint.FinishDerived: append(finishing(failpoint.FinishDerived, spilled, 0),
			// while it runs: the database refuses the first answer, and takes it later
			death{last: life{command: "agent", point: failpoint.FinishDerived, fault: refuseTwice}}),
		failpoint.FinishRemoved:  finishing(failpoint.FinishRemoved, spilled, 0),
		failpoint.FinishLost:     finishing(failpoint.FinishLost, asked, 1),
		failpoint.FinishRecorded: finishing(failpoint.FinishRecorded, asked, 1),

		failpoint.CallbackRead:   agentAt(failpoint.CallbackRead, 7),
		failpoint.CallbackStored: agentAt(failpoint.CallbackStored, 7),
		failpoint.CallbackSent:   agentAt(failpoint.CallbackSent, 7),

		failpoint.ReadBegin:    append(agentAt(failpoint.ReadBegin, 3), apply(failpoint.ReadBegin, 2)),
		failpoint.ReadAnswered: append(agentAt(failpoint.ReadAnswered, 3), apply(failpoint.ReadAnswered, 2)),
		failpoint.ReadRecorded: append(agentAt(failpoint.ReadRecorded, 3), apply(failpoint.ReadRecorded, 2)),
		failpoint.FoldBegin:    append(agentAt(failpoint.FoldBegin), apply(failpoint.FoldBegin, 1)),
		failpoint.FoldRecorded: append(agentAt(failpoint.FoldRecorded), apply(failpoint.FoldRecorded, 1)),

		failpoint.DeclareBegin:   append(agentAt(failpoint.DeclareBegin), apply(failpoint.DeclareBegin, 1)),
		failpoint.DeclareChanged: append(agentAt(failpoint.DeclareChanged), apply(failpoint.DeclareChanged, 1)),
		failpoint.DeclareChunk:   append(agentAt(failpoint.DeclareChunk), apply(failpoint.DeclareChunk, 1)),
		failpoint.DeclareEnd:     append(agentAt(failpoint.DeclareEnd), apply(failpoint.DeclareEnd, 1)),
		failpoint.ResultsBegin:   append(agentAt(failpoint.ResultsBegin), apply(failpoint.ResultsBegin, 1)),
		failpoint.ResultsEnd:     append(agentAt(failpoint.ResultsEnd), apply(failpoint.ResultsEnd, 1)),
		failpoint.ReloadBegin:    agentAt(failpoint.ReloadBegin),

		failpoint.KeepBegin:    agentAt(failpoint.KeepBegin, 2),
		failpoint.KeepCopied:   agentAt(failpoint.KeepCopied, 2),
		failpoint.KeepManifest: agentAt(failpoint.KeepManifest, 2),

		failpoint.HeartbeatBegin: agentAt(failpoint.HeartbeatBegin, 2),
		failpoint.HeartbeatEnd:   agentAt(failpoint.HeartbeatEnd, 2),
		failpoint.ShutdownBegin:  agentAt(failpoint.ShutdownBegin),
		failpoint.ShutdownIdle:   agentAt(failpoint.ShutdownIdle),
		failpoint.ShutdownEnd:    agentAt(failpoint.ShutdownEnd),

		failpoint.OpenCreated:      append(agentAt(failpoint.OpenCreated), apply(failpoint.OpenCreated, 1)),
		failpoint.MigrateBegin:     append(agentAt(failpoint.MigrateBegin), apply(failpoint.MigrateBegin, 1)),
		failpoint.MigrateWritten:   append(agentAt(failpoint.MigrateWritten), apply(failpoint.MigrateWritten, 1)),
		failpoint.MigrateCommitted: append(agentAt(failpoint.MigrateCommitted), apply(failpoint.MigrateCommitted, 1)),

		failpoint.CommitBegin:        everywhere(failpoint.CommitBegin),
		failpoint.CommitEnd:          everywhere(failpoint.CommitEnd),
		failpoint.CheckpointBegin:    append(agentAt(failpoint.CheckpointBegin), apply(failpoint.CheckpointBegin, 1)),
		failpoint.CheckpointFinished: append(agentAt(failpoint.CheckpointFinished), apply(failpoint.CheckpointFinished, 1)),
	}
}

// everywhere dies at one commit after the other of an apply, and at some of an agent's.
func everywhere(p failpoint.Point) []death {
	var all []death
	for hit := 1; hit <= 14; hit++ {
		all = append(all, death{last: life{command: "apply", point: p, hit: hit}, maybe: hit > 8})
	}
	for hit := 2; hit <= 20; hit += 3 {
		all = append(all, death{last: life{command: "agent", point: p, hit: hit}, maybe: hit > 8})
	}
	return all
}

// Wherever the program dies, by kill -9 or by SIGTERM, the next start goes on from
// there: nothing that was accepted is missing, and what cannot be helped is a
// recorded window. SIGTERM loses nothing at all.
func TestDeathAtEveryFailpoint(t *testing.T) {
	cases := deaths()
	for _, p := range failpoint.All() {
		if len(cases[p]) == 0 {
			t.Errorf("failpoint %s has no case", p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(cases)) {
		for i, d := range cases[p] {
			for _, signal := range []string{"kill", "term"} {
				t.Run(fmt.Sprintf("%s/%d-%s-%s", p, i, d.last.command, signal), func(t *testing.T) {
					t.Parallel()
					dies(t, d, signal)
				})
			}
		}
	}
}

func dies(t *testing.T, d death, signal string) {
	w := newWorld(t)
	w.send()
	if d.cut {
		w.fault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.ResetAfter, Next: 1})
	}
	for _, l := range d.before {
		if !w.live(l, "kill") {
			w.t.Fatalf("failpoint %s was never hit", l.point)
		}
	}
	if !w.live(d.last, signal) && !d.maybe {
		w.t.Fatalf("failpoint %s was never hit", d.last.point)
	}
	least, most := d.killed, d.killed
	if signal == "term" {
		least, most = d.ended, d.ended
	}
	// An agent that dies over something else may be in the middle of a pull.
	if w.dead && !d.last.pulling() {
		most++
	}
	w.recovers()
	w.holds(least, most)
}

// pulling reports whether the one policy cannot be elsewhere in a pull when the
// program dies at this point.
func (l life) pulling() bool {
	if l.command == "apply" {
		return l.point != failpoint.CommitBegin && l.point != failpoint.CommitEnd
	}
	kind, _, _ := strings.Cut(string(l.point), ".")
	return slices.Contains([]string{"pull", "spill", "finish", "file", "keep", "declare", "migrate", "open"}, kind) && l.hit < 2 || kind == "pull"
}

// live runs the program until it dies at its point, and reports whether it was
// there at all.
func (w *world) live(l life, signal string) (hit bool) {
	w.t.Helper()
	args := []string{"agent"}
	if l.command == "apply" {
		args = []string{"apply", "-auto-approve"}
	}
	p := w.begin(l.environment(signal), args...)
	if l.command == "agent" {
		w.accompany(p, l)
	}
	code := p.Wait()
	if !strings.Contains(p.Log(), "failpoint "+string(l.point)+" hit") {
		w.t.Logf("failpoint %s was not hit; the process ended with %d:\n%s", l.point, code, p.Log())
		return false
	}
	switch {
	case signal == "kill":
		if !p.Killed() {
			w.t.Fatalf("the process did not die at %s; it ended with %d:\n%s", l.point, code, p.Log())
		}
		w.died()
	case w.told && code == -1:
		w.died() // told to end before, it takes a second SIGTERM for an order
	case l.command == "agent" && code != 0:
		w.t.Errorf("after SIGTERM at %s the agent ended with %d:\n%s", l.point, code, p.Log())
	case code != 0 && code != 1:
		w.t.Errorf("after SIGTERM at %s apply ended with %d:\n%s", l.point, code, p.Log())
	}
	if strings.Contains(p.Log(), "panic:") || strings.Contains(p.Log(), "goroutine ") {
		w.t.Errorf("a stack trace reached the user:\n%s", p.Log())
	}
	return true
}

// accompany does what the world does around an agent: pushes callbacks, reloads
// once, and ends it when there is nothing left to do.
func (w *world) accompany(p *harness.Process, l life) {
	w.t.Helper()
	told, reloaded := false, false
	harness.Eventually(w.t, func() string {
		if !p.Running() {
			return ""
		}
		admin, receiver, ok := p.Addresses()
		if !ok {
			return "the agent does not run:\n" + p.Log()
		}
		if !told {
			w.receiver(receiver)
			told = true
		}
		if l.point != failpoint.HeartbeatBegin && l.point != failpoint.HeartbeatEnd && !reloaded {
			reloaded = true
			w.Write("more.wb.hcl", `output "more" { value = 1 }`)
			reload(admin)
		}
		if left := w.unfinished(); left != "" {
			return left + "\n" + p.Log()
		}
		w.told = true
		p.Signal(syscall.SIGTERM)
		return ""
	})
}

// recovers starts the agent as a service manager would, and lets it come to the
// end of everything.
func (w *world) recovers() {
	w.t.Helper()
	p := w.begin(nil, "agent")
	told := false
	harness.Eventually(w.t, func() string {
		if !p.Running() {
			w.t.Fatalf("the agent ended after the restart:\n%s", p.Log())
		}
		_, receiver, ok := p.Addresses()
		if !ok {
			return "the agent does not run:\n" + p.Log()
		}
		if !told {
			told = true
			w.receiver(receiver)
			w.aMinuteLater()
		}
		if left := w.unfinished(); left != "" {
			return left + "\n" + p.Log()
		}
		return ""
	})
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(); code != 0 {
		w.t.Fatalf("the agent ended with %d:\n%s", code, p.Log())
	}
	if code := w.begin(nil, "plan", "-refresh=false", "-detailed-exitcode").Wait(); code != 0 {
		w.t.Errorf("after everything, a plan finds something to do (%d)", code)
	}
}
