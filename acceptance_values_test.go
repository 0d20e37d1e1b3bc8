package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// What no vendor has told yet is unknown, not null and not an error: outputs say
// so, checks are pending, and what depends on it waits.
func TestWhatIsNotReadYetIsUnknown(t *testing.T) {
	t.Parallel()
	server, env := vendors(t, sandbox.Options{})
	describe(t, server)
	s := newSite(t, fourProviders+`
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
	got := s.must(0, "plan", "-check-exitcode")
	says(t, "the plan", got.stdout, "page_count = (known after the first read)", "words      = (known after the first read)", `standing   = "pending false"`)
	if !strings.Contains(got.stdout, "Plan: 1 to track, ") {
		t.Errorf("a for_each over what is unknown keeps its instances, which are none: %s", got.lastLine())
	}
	// Declared without a read, it stays unknown.
	s.must(0, "apply", "-auto-approve", "-refresh=false")
	says(t, "outputs", s.must(0, "output").stdout, "(known after the first read)")
	wants(t, "before the first read", s.values("globfax_recipient.fax"), map[string]any{"outcome": "pending", "settled": false})

	// One apply reads it and declares what depends on it.
	got = s.must(0, "apply", "-auto-approve", "-check-exitcode")
	list := strings.Fields(s.must(0, "state", "list").stdout)
	if !slices.Equal(list, []string{"globfax_recipient.fax", `nxcloud_number_check.batch["batch-success"]`}) {
		t.Errorf("tracked after one apply: %v\n%s", list, got.stdout)
	}
	if got := s.must(0, "plan", "-detailed-exitcode").lastLine(); got != noChanges {
		t.Errorf("last line %q", got)
	}
}

// suspend stops reads and pulls, and is shown; what was suspended goes on when it
// is lifted.
func TestSuspend(t *testing.T) {
	t.Parallel()
	server, env := vendors(t, sandbox.Options{})
	describe(t, server)
	suspended := strings.Replace(oneOfEach, "provider \"globfax\" {", "provider \"globfax\" {\n  suspend = true", 1)
	suspended = strings.Replace(suspended, `order_id = "1234566"`, "order_id = \"1234566\"\n  suspend  = true", 1)
	suspended = strings.Replace(suspended, `"ucloud_usms_report_pull" "main" {`, "\"ucloud_usms_report_pull\" \"main\" {\n  suspend = true\n", 1)
	s := newSite(t, suspended, env)
	s.must(0, "apply", "-auto-approve")
	a := s.agent()
	for _, address := range []string{"globfax_recipient.fax", "itniotech_otp_order.login", "ucloud_usms_report_pull.main"} {
		if got := s.must(0, "state", "list", address).stdout; !strings.Contains(got, "suspended") {
			t.Errorf("state list: %s", got)
		}
	}
	if requests := server.Account().Requests; len(requests) != 0 {
		t.Errorf("suspended vendors were called: %v", requests)
	}
	s.write("main.wb.hcl", oneOfEach)
	eventually(t, func() string {
		for _, address := range polledOrPulled {
			if s.values(address)["settled"] != true {
				return address + " is not settled"
			}
		}
		return ""
	})
	a.stop()
}

// Blocks that move and blocks that go, as in Terraform; and what protects them.
func TestMovedRemovedAndProtected(t *testing.T) {
	t.Parallel()
	server, env := vendors(t, sandbox.Options{})
	describe(t, server)
	fax := func(name, more string) string {
		return fourProviders + "\nresource \"globfax_recipient\" \"" + name + "\" {\n  rcpt_ref = \"rcpt_1\"\n" + more + "}\n"
	}
	s := newSite(t, fax("a", ""), env)
	s.must(0, "apply", "-auto-approve")
	before := len(s.history())

	// The same identity at a new address is a move, with or without a block that says so.
	s.write("main.wb.hcl", fax("b", "")+"\nmoved {\n  from = globfax_recipient.a\n  to   = globfax_recipient.b\n}\n")
	if got := s.must(2, "plan", "-detailed-exitcode"); got.lastLine() != "Plan: 0 to track, 1 to change, 0 to forget. 0 changed remotely." {
		t.Errorf("last line of a plan that moves: %q", got.lastLine())
	}
	s.must(0, "apply", "-auto-approve")
	s.write("main.wb.hcl", fax("c", ""))
	s.must(0, "apply", "-auto-approve")
	events := s.history()[before:]
	if got := actions(events); !slices.Equal(got, []string{"move", "move"}) {
		t.Errorf("the history of a moved item ends with %v", got)
	}
	if at := s.history("globfax_recipient.c"); !slices.Equal(actions(at), []string{"track", "observe", "move", "move"}) || at[3].after("address") != "globfax_recipient.c" {
		t.Errorf("the history at the new address: %+v", at)
	}
	wants(t, "moved", s.values("globfax_recipient.c"), map[string]any{"outcome": "succeeded"})
	if n := reads(server, "rcpt_1").Count; n != 1 {
		t.Errorf("it was read %d times: a settled item that moves is read no more", n)
	}

	// prevent_forget refuses; without it the item may go, and its history stays.
	s.write("main.wb.hcl", fax("c", "\n  lifecycle {\n    prevent_forget = true\n  }\n"))
	s.must(0, "apply", "-auto-approve")
	s.write("main.wb.hcl", fourProviders)
	says(t, "a protected item that would go", s.must(1, "plan").stderr, "globfax_recipient.c", "prevent_forget")
	s.must(1, "apply", "-auto-approve")
	s.write("main.wb.hcl", fax("c", ""))
	s.must(0, "apply", "-auto-approve")
	s.write("main.wb.hcl", fourProviders+"\nremoved {\n  from = globfax_recipient.c\n}\n")
	s.must(0, "apply", "-auto-approve")
	events = s.history("globfax_recipient.c")
	if got := actions(events); got[len(got)-1] != "forget" {
		t.Errorf("the history ends with %v", got)
	}

	// A new identity at an address is a forget and a track.
	s.write("main.wb.hcl", fax("c", ""))
	s.must(0, "apply", "-auto-approve")
	s.write("main.wb.hcl", strings.Replace(fax("c", ""), "rcpt_1", "rcpt_2", 1))
	if got := s.must(0, "plan").lastLine(); got != "Plan: 1 to track, 0 to change, 1 to forget. 0 changed remotely." {
		t.Errorf("another identity: %q", got)
	}
	s.must(0, "apply", "-auto-approve")
	wants(t, "another identity", s.values("globfax_recipient.c"), map[string]any{"outcome": "unknown", "rcpt_ref": "rcpt_2"})
	if n := reads(server, "rcpt_1").Count; n != 1 {
		t.Errorf("declared again, the settled item was read %d times", n)
	}
}

// An expectation has a time: pending before it, failed after it, met late when it
// comes true in the end.
func TestExpectationWithin(t *testing.T) {
	t.Parallel()
	server, env := vendors(t, sandbox.Options{})
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: sandbox.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, fourProviders+`
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
	a := s.agent()
	state := func(want string) {
		t.Helper()
		eventually(t, func() string { return unless(a.metric(`waybill_expectations{state="`+want+`"}`), "1") })
	}
	state("pending")
	s.must(0, "plan", "-check-exitcode")
	state("failed")
	says(t, "a plan", s.must(3, "plan", "-check-exitcode").stdout, "late: ")
	server.Advance(2 * time.Hour)
	state("met late")
	s.must(0, "plan", "-check-exitcode")
	a.stop()
}

// An apply that cannot even begin leaves no state behind, which would hide the
// one of -sandbox from the commands that read.
func TestAFailedApplyMakesNoState(t *testing.T) {
	t.Parallel()
	s := newSite(t, "provider \"globfax\" {}\n\nresource \"globfax_recipient\" \"fax\" {\n  rcpt_ref = \"rcpt_1\"\n}\n", nil)
	says(t, "apply without credentials", s.must(1, "apply", "-auto-approve").stderr, "GLOBFAX_API_KEY", "GLOBFAX_API_SECRET")
	if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 1 {
		t.Errorf("it left files behind: %v, %v", entries, err)
	}
}

// What is declared only once others were read cannot be shown before; nothing of
// it happens without a yes.
func TestApplyAsksBeforeDependentsChange(t *testing.T) {
	t.Parallel()
	server, env := vendors(t, sandbox.Options{})
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: sandbox.Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, fourProviders+`
resource "globfax_recipient" "first" {
  for_each = toset(["rcpt_1"])
  rcpt_ref = each.key
}

resource "nxcloud_number_check" "unsettled" {
  for_each = { for k, r in globfax_recipient.first : k => r if !r.settled }
  batch_no = each.key
}
`, env)
	s.must(0, "apply", "-auto-approve")
	before := s.must(0, "state", "list").stdout
	server.Advance(2 * time.Hour)
	eventually(t, func() string { // until the floor of 100 ms has passed
		if got := s.must(0, "plan").lastLine(); got != "Plan: 0 to track, 0 to change, 1 to forget. 1 changed remotely." {
			return got
		}
		return ""
	})
	s.must(1, "apply") // standard input is empty: nobody said yes
	if after := s.must(0, "state", "list").stdout; after != before {
		t.Errorf("without a yes the tracked items became\n%s, they were\n%s", after, before)
	}
}
