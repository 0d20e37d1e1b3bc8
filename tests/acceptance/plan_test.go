package acceptance

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

const noChanges = "No changes. Your records match the configuration."

// All four systems in a process of their own: a plan touches nothing, an apply
// does what was shown, and the next plan finds nothing left.
func TestPlanApplyPlanAgainstAnotherProcess(t *testing.T) {
	t.Parallel()
	vendors, env := harness.SandboxProcess(t, program)
	vendors.Post("recipients", []sandbox.Recipient{
		{Ref: "rcpt_1", Status: "success", SettleAfter: -1, UnitPrice: "0.0020", PageCount: 3, ChargedAmount: "0.0060"},
		{Ref: "rcpt_2", Status: "failed", FailedCode: "BUSY", FailedReason: "Recipient line is busy", SettleAfter: -1},
	})
	vendors.Post("orders", sandbox.Order{ID: "1234566", Outcome: "verified", Channel: "sms", SettleAfter: -1})
	vendors.Post("sends", sandbox.Send{SessionNo: "d0aa6c6e", Project: "org-34", Count: 2, Outcomes: []string{"success", "success"}, SettleAfter: -1})

	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "invoice" {
  for_each = { one = "rcpt_1", two = "rcpt_2" }
  rcpt_ref = each.value

  expect "delivered" {
    condition     = self.status == "success"
    error_message = "fax ${each.key} was not delivered"
  }
}

resource "itniotech_otp_order" "login" {
  order_id = "1234566"
}

resource "ucloud_usms_report_pull" "main" {}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
  expected   = 2
}

resource "nxcloud_number_check" "january" {
  batch_no = "901946960376"
}

output "cost" {
  value = globfax_recipient.invoice["one"].charged_amount
}
`, env)

	const planned = "Plan: 6 to track, 0 to change, 0 to forget. 0 changed remotely."
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"plan"}},
		{2, []string{"plan", "-detailed-exitcode"}},
		{0, []string{"plan", "-check-exitcode"}}, // nothing is known yet, so nothing fails yet
		{2, []string{"plan", "-detailed-exitcode", "-check-exitcode"}},
		{2, []string{"plan", "-detailed-exitcode", "-refresh=false"}},
	} {
		if got := s.Must(c.code, c.args...); got.LastLine() != planned || got.Stderr != "" {
			t.Errorf("waybill %q: last line %q, stderr %q", c.args, got.LastLine(), got.Stderr)
		}
	}
	if got := s.Must(0, "plan").Stdout; !strings.Contains(got, "cost = (known after the first read)") {
		t.Errorf("the output is not shown as unknown:\n%s", got)
	}
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("a plan left files behind: %v, %v", entries, err)
	}
	if a := vendors.Account(); len(a.Requests) != 0 || len(a.Pulls) != 0 || len(a.Deleted) != 0 || a.Reports.Waiting != 2 {
		t.Errorf("a plan called a vendor: %+v", a)
	}

	s.Must(0, "apply", "-auto-approve")
	a := vendors.Account()
	if len(a.Pulls) != 1 || len(a.Deleted) != 2 {
		t.Errorf("apply pulled %d times and had %d reports deleted, want 1 and 2", len(a.Pulls), len(a.Deleted))
	}
	for _, read := range a.Reads {
		if read.Count != 1 {
			t.Errorf("apply read %s %s %d times", read.Vendor, read.ID, read.Count)
		}
	}

	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"plan"}},
		{0, []string{"plan", "-detailed-exitcode"}},
		{3, []string{"plan", "-check-exitcode"}},
		{3, []string{"plan", "-detailed-exitcode", "-check-exitcode"}},
	} {
		if got := s.Must(c.code, c.args...); got.LastLine() != noChanges {
			t.Errorf("waybill %q: last line %q", c.args, got.LastLine())
		}
	}
	s.Must(3, "apply", "-auto-approve", "-check-exitcode")
	if got := s.Must(0, "output", "-json", "cost").Stdout; strings.TrimSpace(got) != "0.006" && strings.TrimSpace(got) != "0.0060" {
		t.Errorf("the cost is %s", got)
	}

	// A plan of something to change, with something failing: 3 beats 2.
	s.Write("main.wb.hcl", strings.Replace(s.Read("main.wb.hcl"), `batch_no = "901946960376"`, "batch_no = \"901946960376\"\n  expected = 2", 1))
	if got := s.Must(2, "plan", "-detailed-exitcode"); got.LastLine() != "Plan: 0 to track, 1 to change, 0 to forget. 0 changed remotely." {
		t.Errorf("last line %q", got.LastLine())
	}
	s.Must(3, "plan", "-detailed-exitcode", "-check-exitcode")

	// Each apply pulled once, no plan did.
	if n := len(vendors.Account().Pulls); n != 2 {
		t.Errorf("%d pulls, want 2", n)
	}
}

// A plan tells what the vendors changed and writes none of it.
func TestPlanTellsDriftAndWritesNothing(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: sandbox.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"
}
`, env)
	s.Must(0, "apply", "-auto-approve")
	seen := len(s.History())
	server.Advance(2 * time.Hour)
	harness.Eventually(t, func() string { // until the floor of 100 ms has passed
		if got := s.Must(0, "plan").LastLine(); got != "Plan: 0 to track, 0 to change, 0 to forget. 1 changed remotely." {
			return got
		}
		return ""
	})
	s.Must(2, "plan", "-detailed-exitcode")
	s.Must(0, "plan", "-detailed-exitcode", "-refresh=false")
	if n := len(s.History()); n != seen {
		t.Errorf("a plan wrote %d lines of history", n-seen)
	}
	harness.Wants(t, "after plans", s.Values("globfax_recipient.fax"), map[string]any{"status": "queued", "settled": false})
	if got := s.Must(0, "apply", "-auto-approve"); !strings.Contains(got.Stdout, "1 changed remotely") {
		t.Errorf("apply: %s", got.Stdout)
	}
	if got := s.Must(0, "plan", "-detailed-exitcode").LastLine(); got != noChanges {
		t.Errorf("last line %q", got)
	}
	harness.Wants(t, "after apply", s.Values("globfax_recipient.fax"), map[string]any{"status": "success", "settled": true, "outcome": "succeeded"})
}
