package acceptance

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// What no vendor has told yet is unknown, not null and not an error: outputs say
// so, checks are pending, and what depends on it waits.
func TestWhatIsNotReadYetIsUnknown(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	describe(t, server)
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"
}

resource "nxcloud_number_check" "batch" {
  for_each = toset([for s in [globfax_recipient.fax.status] : "batch-${s}"])
  batch_no = each.key
}

output "page_count" {
  value = globfax_recipient.fax.page_count * 2
}

output "words" {
  value = "pages: ${globfax_recipient.fax.page_count}"
}

output "standing" {
  value = "${globfax_recipient.fax.outcome} ${globfax_recipient.fax.settled}"
}

check "delivered" {
  assert {
    condition     = globfax_recipient.fax.status == "success"
    error_message = "not delivered"
  }
}
`, env)
	got := s.Must(0, "plan", "-check-exitcode")
	harness.Says(t, "the plan", got.Stdout, "page_count = (known after the first read)", "words      = (known after the first read)", `standing   = "pending false"`)
	if !strings.Contains(got.Stdout, "Plan: 1 to track, ") {
		t.Errorf("a for_each over what is unknown keeps its instances, which are none: %s", got.LastLine())
	}
	// Declared without a read, it stays unknown.
	s.Must(0, "apply", "-auto-approve", "-refresh=false")
	harness.Says(t, "outputs", s.Must(0, "output").Stdout, "(known after the first read)")
	harness.Wants(t, "before the first read", s.Values("globfax_recipient.fax"), map[string]any{"outcome": "pending", "settled": false})

	// One apply reads it and declares what depends on it.
	got = s.Must(0, "apply", "-auto-approve", "-check-exitcode")
	list := strings.Fields(s.Must(0, "state", "list").Stdout)
	if !slices.Equal(list, []string{"globfax_recipient.fax", `nxcloud_number_check.batch["batch-success"]`}) {
		t.Errorf("tracked after one apply: %v\n%s", list, got.Stdout)
	}
	if got := s.Must(0, "plan", "-detailed-exitcode").LastLine(); got != noChanges {
		t.Errorf("last line %q", got)
	}
}

// suspend stops reads and pulls, and is shown; what was suspended goes on when it
// is lifted.
func TestSuspend(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	describe(t, server)
	suspended := strings.Replace(oneOfEach, "provider \"globfax\" {", "provider \"globfax\" {\n  suspend = true", 1)
	suspended = strings.Replace(suspended, `order_id = "1234566"`, "order_id = \"1234566\"\n  suspend  = true", 1)
	suspended = strings.Replace(suspended, `"ucloud_usms_report_pull" "main" {`, "\"ucloud_usms_report_pull\" \"main\" {\n  suspend = true\n", 1)
	s := newSite(t, suspended, env)
	s.Must(0, "apply", "-auto-approve")
	a := s.Agent()
	for _, address := range []string{"globfax_recipient.fax", "itniotech_otp_order.login", "ucloud_usms_report_pull.main"} {
		if got := s.Must(0, "state", "list", address).Stdout; !strings.Contains(got, "suspended") {
			t.Errorf("state list: %s", got)
		}
	}
	if requests := server.Account().Requests; len(requests) != 0 {
		t.Errorf("suspended vendors were called: %v", requests)
	}
	s.Write("main.wb.hcl", oneOfEach)
	harness.Eventually(t, func() string {
		for _, address := range polledOrPulled {
			if s.Values(address)["settled"] != true {
				return address + " is not settled"
			}
		}
		return ""
	})
	a.Stop()
}

// Blocks that move and blocks that go, as in Terraform; and what protects them.
func TestMovedRemovedAndProtected(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	describe(t, server)
	fax := func(name, more string) string {
		return harness.FourVendors + "\nresource \"globfax_recipient\" \"" + name + "\" {\n  rcpt_ref = \"rcpt_1\"\n" + more + "}\n"
	}
	s := newSite(t, fax("a", ""), env)
	s.Must(0, "apply", "-auto-approve")
	before := len(s.History())

	// The same identity at a new address is a move, with or without a block that says so.
	s.Write("main.wb.hcl", fax("b", "")+"\nmoved {\n  from = globfax_recipient.a\n  to   = globfax_recipient.b\n}\n")
	if got := s.Must(2, "plan", "-detailed-exitcode"); got.LastLine() != "Plan: 0 to track, 1 to change, 0 to forget. 0 changed remotely." {
		t.Errorf("last line of a plan that moves: %q", got.LastLine())
	}
	s.Must(0, "apply", "-auto-approve")
	s.Write("main.wb.hcl", fax("c", ""))
	s.Must(0, "apply", "-auto-approve")
	events := s.History()[before:]
	if got := harness.Actions(events); !slices.Equal(got, []string{"move", "move"}) {
		t.Errorf("the history of a moved item ends with %v", got)
	}
	if at := s.History("globfax_recipient.c"); !slices.Equal(harness.Actions(at), []string{"track", "observe", "move", "move"}) || at[3].After("address") != "globfax_recipient.c" {
		t.Errorf("the history at the new address: %+v", at)
	}
	harness.Wants(t, "moved", s.Values("globfax_recipient.c"), map[string]any{"outcome": "succeeded"})
	if n := reads(server, "rcpt_1").Count; n != 1 {
		t.Errorf("it was read %d times: a settled item that moves is read no more", n)
	}

	// prevent_forget refuses while something is awaited; without it the item may go,
	// and its history stays. What has settled may go either way.
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_3", Status: "success", SettleAfter: sandbox.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	const guarded = "\n  lifecycle {\n    prevent_forget = true\n  }\n"
	awaited := strings.TrimPrefix(strings.Replace(fax("d", guarded), "rcpt_1", "rcpt_3", 1), harness.FourVendors)
	s.Write("main.wb.hcl", fax("c", guarded)+awaited)
	s.Must(0, "apply", "-auto-approve")
	s.Write("main.wb.hcl", harness.FourVendors)
	refused := s.Must(1, "plan").Stderr
	harness.Says(t, "a protected item that would go", refused, "globfax_recipient.d", "prevent_forget")
	if strings.Contains(refused, "globfax_recipient.c") {
		t.Errorf("a settled item is kept from going: %s", refused)
	}
	s.Must(1, "apply", "-auto-approve")
	s.Write("main.wb.hcl", fax("c", "")+"\nremoved {\n  from = globfax_recipient.d\n}\n")
	s.Must(0, "apply", "-auto-approve")
	s.Write("main.wb.hcl", fax("c", ""))
	s.Must(0, "apply", "-auto-approve")
	s.Write("main.wb.hcl", harness.FourVendors+"\nremoved {\n  from = globfax_recipient.c\n}\n")
	s.Must(0, "apply", "-auto-approve")
	events = s.History("globfax_recipient.c")
	if got := harness.Actions(events); got[len(got)-1] != "forget" {
		t.Errorf("the history ends with %v", got)
	}

	// A new identity at an address is a forget and a track.
	s.Write("main.wb.hcl", fax("c", ""))
	s.Must(0, "apply", "-auto-approve")
	s.Write("main.wb.hcl", strings.Replace(fax("c", ""), "rcpt_1", "rcpt_2", 1))
	if got := s.Must(0, "plan").LastLine(); got != "Plan: 1 to track, 0 to change, 1 to forget. 0 changed remotely." {
		t.Errorf("another identity: %q", got)
	}
	s.Must(0, "apply", "-auto-approve")
	harness.Wants(t, "another identity", s.Values("globfax_recipient.c"), map[string]any{"outcome": "unknown", "rcpt_ref": "rcpt_2"})
	if n := reads(server, "rcpt_1").Count; n != 1 {
		t.Errorf("declared again, the settled item was read %d times", n)
	}
}

// An expectation has a time: pending before it, failed after it, met late when it
// comes true in the end.
func TestExpectationWithin(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: sandbox.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"

  poll {
    interval     = "1s"
    max_interval = "1s"
  }

  expect "delivered" {
    condition     = self.status == "success"
    within        = "3s"
    error_message = "late: ${coalesce(self.status, "no status")}"
  }
}
`, env)
	a := s.Agent()
	state := func(want string) {
		t.Helper()
		harness.Eventually(t, func() string { return harness.Unless(a.Metric(`waybill_expectations{state="`+want+`"}`), "1") })
	}
	state("pending")
	s.Must(0, "plan", "-check-exitcode")
	state("failed")
	harness.Says(t, "a plan", s.Must(3, "plan", "-check-exitcode").Stdout, "late: ")
	server.Advance(2 * time.Hour)
	state("met_late")
	s.Must(0, "plan", "-check-exitcode")
	a.Stop()
}

// An apply that cannot even begin leaves no state behind, which would hide the
// one of -sandbox from the commands that read.
func TestAFailedApplyMakesNoState(t *testing.T) {
	t.Parallel()
	s := newSite(t, "provider \"globfax\" {}\n\nresource \"globfax_recipient\" \"fax\" {\n  rcpt_ref = \"rcpt_1\"\n}\n", nil)
	harness.Says(t, "apply without credentials", s.Must(1, "apply", "-auto-approve").Stderr, "GLOBFAX_API_KEY", "GLOBFAX_API_SECRET")
	if entries, err := os.ReadDir(s.Dir); err != nil || len(entries) != 1 {
		t.Errorf("it left files behind: %v, %v", entries, err)
	}
}

// What is declared only once others were read cannot be shown before; nothing of
// it happens without a yes.
func TestApplyAsksBeforeDependentsChange(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: sandbox.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "first" {
  for_each = toset(["rcpt_1"])
  rcpt_ref = each.key
}

resource "nxcloud_number_check" "unsettled" {
  for_each = { for k, r in globfax_recipient.first : k => r if !r.settled }
  batch_no = each.key
}
`, env)
	s.Must(0, "apply", "-auto-approve")
	before := s.Must(0, "state", "list").Stdout
	server.Advance(2 * time.Hour)
	harness.Eventually(t, func() string { // until the floor of 100 ms has passed
		if got := s.Must(0, "plan").LastLine(); got != "Plan: 0 to track, 0 to change, 1 to forget. 1 changed remotely." {
			return got
		}
		return ""
	})
	s.Must(1, "apply") // standard input is empty: nobody said yes
	if after := s.Must(0, "state", "list").Stdout; after != before {
		t.Errorf("without a yes the tracked items became\n%s, they were\n%s", after, before)
	}
}
