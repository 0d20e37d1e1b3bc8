package acceptance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// reads is the vendor's account of the reads of one item.
func reads(server *sandbox.Server, id string) sandbox.ItemReads {
	for _, r := range server.Account().Reads {
		if r.ID == id {
			return r
		}
	}
	return sandbox.ItemReads{}
}

// An item is read no sooner than its floor, later and later while nothing
// changes, and no more once it has settled.
func TestFloorsBackOffAndSettlement(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	s := newSite(t, strings.ReplaceAll(harness.FourVendors, "100ms", "1s")+`
resource "globfax_recipient" "fax" {
  for_each = toset(["never", "soon"])
  rcpt_ref = each.key

  poll {
    interval     = "1s"
    max_interval = "3s"
  }
}
`, env)
	for _, err := range []error{
		server.AddRecipient(sandbox.Recipient{Ref: "never", Status: "queued", SettleAfter: -1}),
		server.AddRecipient(sandbox.Recipient{Ref: "soon", Status: "success", SettleAfter: sandbox.Duration(500 * time.Millisecond)}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	a := s.Agent()
	harness.Eventually(t, func() string { return harness.Unless(s.Values(`globfax_recipient.fax["never"]`)["status"], "queued") })
	s.Must(0, "plan") // does not read it: the last recorded read is younger than the floor
	harness.Eventually(t, func() string { return harness.Unless(reads(server, "never").Count >= 5, true) })
	a.Stop()

	never, soon := reads(server, "never"), reads(server, "soon")
	for _, r := range []sandbox.ItemReads{never, soon} {
		if r.Count > 1 && time.Duration(r.ShortestGap) < time.Second {
			t.Errorf("%s was read twice within %s, the floor is 1s", r.ID, time.Duration(r.ShortestGap))
		}
	}
	if soon.FinalAt.IsZero() || soon.AfterFinal != 0 {
		t.Errorf("the one that settled: %+v", soon)
	}
	// 1s after the first read told something new, then doubled up to 3s; a tenth sooner at most.
	var gaps []time.Duration
	for i := 1; i < len(never.Times); i++ {
		gaps = append(gaps, never.Times[i].Sub(never.Times[i-1]))
	}
	for i, least := range []time.Duration{1000, 1800, 2700, 2700} {
		if gaps[i] < least*time.Millisecond {
			t.Errorf("gap %d is %s, want at least %s: %v", i+1, gaps[i], least*time.Millisecond, gaps)
		}
	}
}

// What a vendor asks for with Retry-After holds its account, and no other.
func TestRetryAfterHoldsTheAccount(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"

  poll {
    interval     = "1s"
    max_interval = "10s" # the account is probed that often whatever the vendor asks for
  }
}

resource "itniotech_otp_order" "login" {
  order_id = "never"

  poll {
    interval     = "1s"
    max_interval = "1s"
  }
}
`, env)
	for _, err := range []error{
		server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: -1}),
		server.AddOrder(sandbox.Order{ID: "never", Outcome: "never", SettleAfter: -1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.AddFault(sandbox.Fault{Vendor: sandbox.GlobFax, Kind: sandbox.RateLimit, RetryAfter: sandbox.Duration(4 * time.Second), Next: 1}); err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	a := s.Agent()
	harness.Eventually(t, func() string { return harness.Unless(s.Values("globfax_recipient.fax")["settled"], true) })
	a.Stop()
	fax, login := reads(server, "rcpt_1"), reads(server, "never")
	if waited := fax.First.Sub(before); waited < 4*time.Second || fax.Count != 1 {
		t.Errorf("GlobFax was asked again after %s, %d times, although it said 4s", waited, fax.Count)
	}
	if login.Count < 3 {
		t.Errorf("itniotech was read %d times while GlobFax held its account", login.Count)
	}
}

// A pull under way is never cut off: SIGTERM waits for the answer and records it.
func TestSIGTERMLetsAPullFinish(t *testing.T) {
	t.Parallel()
	endDuringPull(t, func(a *harness.Process) {
		a.Signal(syscall.SIGTERM)
		a.WaitLog("stopping")
	})
}

// timeout(1), and some supervisors, send SIGTERM to the process and then to its group.
func TestASecondSIGTERMCutsNoPullOff(t *testing.T) {
	t.Parallel()
	endDuringPull(t, func(a *harness.Process) {
		a.Signal(syscall.SIGTERM)
		a.WaitLog("stopping")
		a.Signal(syscall.SIGTERM)
	})
}

// endDuringPull ends an agent while the vendor has deleted a report and its answer
// is on the way.
func endDuringPull(t *testing.T, end func(*harness.Process)) {
	t.Helper()
	server, env := harness.Vendors(t, sandbox.Options{})
	describe(t, server)
	s := newSite(t, oneOfEach, env)
	if _, err := server.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Delay, Delay: sandbox.Duration(3 * time.Second), Next: 1}); err != nil {
		t.Fatal(err)
	}
	a := s.Agent()
	harness.Eventually(t, func() string { return harness.Unless(len(server.Account().Deleted), 1) })
	end(a)
	if code := a.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := len(s.Records()); n != 1 {
		t.Errorf("%d records, want the one that was deleted at the vendor", n)
	}
	harness.Wants(t, "the policy", s.Values("ucloud_usms_report_pull.main"), map[string]any{"pulled_total": 1, "loss_windows": 0})
	harness.Wants(t, "the message", s.Values("ucloud_usms_message.promo"), map[string]any{"received": 1, "outcome": "succeeded"})
}

// What was answered 200 survives kill -9; a pull that was under way becomes a
// loss window; and the dead owner's lock is taken over at once.
func TestKillAndTakeOver(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	s := newSite(t, harness.FourVendors+`
resource "ucloud_usms_report_pull" "main" {
  limit = 7
}

resource "nxcloud_number_check" "january" {
  batch_no = "b"
  expected = 50
}
`, env)
	if err := server.AddSend(sandbox.Send{SessionNo: "lost", Project: "org-34", Count: 3, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := server.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Delay, Delay: sandbox.Duration(time.Minute), Next: 1}); err != nil {
		t.Fatal(err)
	}
	a := s.Agent()
	harness.Eventually(t, func() string { return harness.Unless(len(server.Account().Deleted), 3) })
	for i := range 50 {
		body := fmt.Sprintf(`{"requestId": "r%d", "batchNo": "b", "code": 0, "message": "ok", "phone": "86x", "data": null, "cost": {"price": 0.0031, "currency": "CNY"}}`, i)
		if status, answer := harness.Call(http.MethodPost, a.Callbacks(), body); status != http.StatusOK {
			t.Fatalf("callback: %d %s", status, answer)
		}
	}
	a.Kill()
	if n := len(s.Records()); n != 50 {
		t.Errorf("%d of 50 accepted callbacks survived", n)
	}

	a = s.Agent()
	harness.Wants(t, "the policy", s.Values("ucloud_usms_report_pull.main"), map[string]any{"loss_windows": 1})
	if got := a.Metric(`waybill_loss_windows_total{provider="ucloud"}`); got != "1" {
		t.Errorf("loss windows are counted as %q", got)
	}
	harness.Says(t, "the log", a.Log(), "records may have been lost", "ucloud_usms_report_pull.main", "bound=7")
	harness.Eventually(t, func() string { return harness.Unless(s.Values("nxcloud_number_check.january")["received"], 50) })
	harness.Wants(t, "the batch", s.Values("nxcloud_number_check.january"), map[string]any{"costs": map[string]any{"CNY": json.Number("0.155")}, "settled": true})

	refused := s.Must(1, "agent")
	harness.Says(t, "the second agent", refused.Stderr, fmt.Sprintf("pid %d", a.PID()), "waybill agent", "since ")
	if host, err := os.Hostname(); err != nil || !strings.Contains(refused.Stderr, host) {
		t.Errorf("the second agent does not name the host %q (%v): %s", host, err, refused.Stderr)
	}
	harness.Says(t, "a second apply", s.Must(1, "apply", "-auto-approve").Stderr, fmt.Sprintf("pid %d", a.PID()))
	for _, reading := range [][]string{{"plan"}, {"show"}, {"state", "list"}, {"history"}, {"records"}, {"output"}, {"validate"}} {
		s.Must(0, reading...)
	}
	a.Stop()
	// Stopped, the state is free, and stopping left no further window.
	s.Must(0, "apply", "-auto-approve", "-pull=false")
	harness.Wants(t, "the policy after a clean end", s.Values("ucloud_usms_report_pull.main"), map[string]any{"loss_windows": 1})
}
