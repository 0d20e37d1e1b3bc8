package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
)

// keepCopy makes a backup, and putBack puts it in the place of the state.
func (w *world) keepCopy() {
	w.t.Helper()
	reader := w.reader()
	defer reader.Close()
	if err := reader.Backup(context.Background(), w.path+".backup"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) putBack() {
	w.t.Helper()
	for _, step := range []error{os.Remove(w.path + "-wal"), os.Remove(w.path + "-shm"), os.Rename(w.path+".backup", w.path)} {
		if step != nil {
			w.t.Fatal(step)
		}
	}
}

// A state that was put back tells once what may be gone: the reports that were
// pulled since, and the callbacks that were answered 200.
func TestRestoreIsALossWindow(t *testing.T) {
	w := queueWorld(t, 30)
	w.apply()
	w.keepCopy()
	if err := w.vendors.AddSend(sandbox.Send{SessionNo: "s2", Count: 20, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	before := w.clock.now()
	w.clock.advance(2 * time.Minute)
	w.apply()
	if n := w.stored(); n != 50 {
		t.Fatalf("%d reports stored, want 50", n)
	}
	w.putBack()
	w.clock.advance(2 * time.Minute)
	result := w.apply()
	told := make(map[string]plan.LossWindow)
	for _, window := range result.LossWindows {
		told[window.Account] = window
	}
	for account, address := range map[string]string{"ucloud": "ucloud_usms_report_pull.main", "nxcloud": "."} {
		window := told[account]
		if window.Cause != plan.LossRestore || window.Bound != -1 || window.Address.String() != address ||
			window.From.After(before) || !window.To.Equal(w.clock.now()) {
			t.Errorf("%s: %+v, want a window of kind restore from at most %s to now", account, window, before)
		}
	}
	if n := len(w.losses()); n != 2 || len(result.LossWindows) != 2 {
		t.Errorf("%d windows in the state, %d told, want 2: %+v", n, len(result.LossWindows), w.losses())
	}
	if policy := w.item("ucloud_usms_report_pull.main"); policy.Pulls.LossWindows != 1 {
		t.Errorf("the policy counts %d windows", policy.Pulls.LossWindows)
	}
	w.clock.advance(2 * time.Minute)
	if result = w.apply(); len(result.LossWindows) != 0 || len(w.losses()) != 2 {
		t.Errorf("told again: %+v", w.losses())
	}
	historyFolds(t, w)
}

// The agent tells it before it is ready; a death between the telling and the note of
// it tells nothing twice.
func TestAgentTellsOfARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText()+`
resource "nxcloud_number_check" "january" {
  batch_no = "b1"
  expected = 20
}
`)
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.end()
		b.keepCopy()
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		for n := range 25 {
			if status := b.post(b.callbackURL(), fmt.Sprintf(`{"requestId":"r%d","batchNo":"b1","code":0,"message":"success"}`, n)); status != http.StatusOK {
				t.Fatalf("callback: %d", status)
			}
		}
		b.end()
		if n := b.stored(); n != 25 {
			t.Fatalf("%d callbacks stored", n)
		}
		seen, err := os.ReadFile(b.path + ".seen")
		b.must(err)
		b.putBack()
		for range 3 {
			if err := b.start(); err != nil {
				t.Fatal(err)
			}
			if status, body := b.get(adminURL + "/-/ready"); status != http.StatusOK {
				t.Errorf("ready: %d %s", status, body)
			}
			b.end()
			windows := b.losses()
			if len(windows) != 1 || windows[0].Cause != plan.LossRestore || windows[0].Account != "nxcloud" {
				t.Fatalf("windows %+v, want one of kind restore", windows)
			}
			b.must(os.WriteFile(b.path+".seen", seen, 0o600)) // as if the process had died before it noted that it told
		}
	})
}

// A spill file of a pull that the state put back knows nothing of is taken in.
func TestSpillOfAStatePutBack(t *testing.T) {
	w, name := spilledWorld(t)
	spilled, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{os.Remove(w.path), os.Remove(w.path + "-wal"), os.Remove(w.path + "-shm")} {
		if step != nil {
			t.Fatal(step)
		}
	}
	w.apply()
	if n := w.stored(); n != 30 {
		t.Errorf("%d reports stored of the 30 in the spill file", n)
	}
	if err := os.WriteFile(name, spilled, 0o600); err != nil { // only the removal was missed
		t.Fatal(err)
	}
	w.apply()
	policy := w.item("ucloud_usms_report_pull.main")
	if n := w.stored(); n != 30 || policy.Pulls.PulledTotal != 0 {
		t.Errorf("%d reports stored, %d pulled in all, want 30 and those of before this policy", n, policy.Pulls.PulledTotal)
	}
	if _, err := os.Stat(name); err == nil {
		t.Error("the spill file is still there")
	}
}

// A state whose file is gone takes no callback and makes no pull, and says so once.
func TestStateDeletedUnderTheAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		log := &lines{}
		b.runner.Log = log.logger()
		b.write("main.wb.hcl", b.providersText()+`
resource "ucloud_usms_report_pull" "main" {}
resource "nxcloud_number_check" "january" {
  batch_no = "b1"
}
`)
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		pulls := len(b.vendors.Account().Pulls)
		if pulls == 0 {
			t.Fatal("no pulls: the test shows nothing")
		}
		b.must(os.Rename(b.path, b.path+".away"))
		if status := b.post(b.callbackURL(), `{"requestId":"r1","batchNo":"b1","code":0,"message":"success"}`); status != http.StatusServiceUnavailable {
			t.Errorf("callback: %d, want 503", status)
		}
		if status, _ := b.get(adminURL + "/-/ready"); status != http.StatusServiceUnavailable {
			t.Errorf("ready: %d, want 503", status)
		}
		log.clear()
		time.Sleep(10 * time.Minute)
		if got := len(b.vendors.Account().Pulls); got != pulls {
			t.Errorf("%d pulls with no state", got-pulls)
		}
		if status, _ := b.get(adminURL + "/-/ready"); status != http.StatusServiceUnavailable {
			t.Errorf("ready: %d, want 503", status)
		}
		if told := log.with("deleted or replaced"); len(told) == 0 || len(told) > 12 {
			t.Errorf("said %d times in ten minutes:\n%s", len(told), strings.Join(told, ""))
		}
		b.stop()
		<-b.ended
	})
}
