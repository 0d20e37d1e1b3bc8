package acceptance

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// faxes declares recipients rcpt_0 to rcpt_n-1.
func faxes(n int) string {
	return fmt.Sprintf("\nresource \"globfax_recipient\" \"fax\" {\n  count    = %d\n  rcpt_ref = \"rcpt_${count.index}\"\n}\n", n)
}

// tracked waits until the agent tracks that many items.
func tracked(t *testing.T, s *harness.Site, want int) {
	t.Helper()
	harness.Eventually(t, func() string {
		list := strings.Fields(s.Must(0, "state", "list").Stdout)
		if len(list) != want {
			return fmt.Sprintf("%d items are tracked, want %d", len(list), want)
		}
		return ""
	})
}

// Each way to tell an agent of a new configuration.
func TestEachWayToReload(t *testing.T) {
	t.Parallel()
	_, env := harness.Vendors(t, sandbox.Options{AutoCreate: true})
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  for_each = { for r in csvdecode(file("data/faxes.csv")) : r.ref => r }
  rcpt_ref = each.key
}
`, env)
	csv := func(n int) string {
		text := "ref\n"
		for i := range n {
			text += fmt.Sprintf("rcpt_%d\n", i)
		}
		return text
	}
	// A mount as Kubernetes makes it: data -> ..data -> a directory that is swapped.
	mount := func(version string, n int) {
		s.Write(filepath.Join("mount", version, "faxes.csv"), csv(n))
		link := filepath.Join(s.Dir, "..data.new")
		if err := os.Symlink(filepath.Join("mount", version), link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(s.Dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	mount("1", 2)
	if err := os.Symlink("..data", filepath.Join(s.Dir, "data")); err != nil {
		t.Fatal(err)
	}
	a := s.Agent()
	tracked(t, s, 2)

	s.Write("more.wb.hcl", "resource \"globfax_recipient\" \"more\" {\n  rcpt_ref = \"rcpt_more\"\n}\n") // a file that was not there
	tracked(t, s, 3)
	mount("2", 4)
	tracked(t, s, 5)
	s.Write("mount/2/faxes.csv", csv(5))
	a.Signal(syscall.SIGHUP)
	tracked(t, s, 6)
	s.Write("mount/2/faxes.csv", csv(6))
	if status, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", ""); status != http.StatusOK || !strings.Contains(body, "reloaded") {
		t.Errorf("reload: %d %s", status, body)
	}
	tracked(t, s, 7)
	if status, _ := a.Get("/-/reload"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /-/reload: %d", status)
	}
	if status, body := a.Get("/"); status != http.StatusNotFound || !strings.Contains(body, "not in this version") {
		t.Errorf("the dashboard to come: %d %s", status, body)
	}
	// What only a restart can change is said.
	s.Write("main.wb.hcl", strings.Replace(s.Read("main.wb.hcl"), "127.0.0.1:0", "127.0.0.1:1", 1))
	harness.Eventually(t, func() string {
		if _, body := a.Get("/-/ready"); !strings.Contains(body, "agent.admin changed and needs a restart") {
			return body
		}
		return ""
	})
	a.Stop()
}

// A configuration that does not load, or forgets too much, leaves the last good
// one running, over a restart too.
func TestTheLastGoodConfigurationServes(t *testing.T) {
	t.Parallel()
	// What is settled does not count for the guard: nothing settles here.
	server, env := harness.Vendors(t, sandbox.Options{AutoCreate: true, Speed: sandbox.Speed{Earliest: time.Hour, Latest: 2 * time.Hour}})
	good := harness.FourVendors + faxes(10)
	s := newSite(t, good, env)
	a := s.Agent()
	tracked(t, s, 10)
	if got := a.Metric("waybill_config_last_reload_successful"); got != "1" {
		t.Errorf("after the start: last reload successful %q", got)
	}

	refused := func(a *harness.Process, config string, words ...string) {
		t.Helper()
		s.Write("main.wb.hcl", config)
		harness.Eventually(t, func() string {
			status, body := a.Get("/-/ready")
			if status != http.StatusOK {
				t.Fatalf("a refused reload makes the agent unready: %d %s", status, body)
			}
			for _, word := range words {
				if !strings.Contains(body, word) {
					return fmt.Sprintf("/-/ready does not say %q: %s", word, body)
				}
			}
			return harness.Unless(a.Metric("waybill_config_last_reload_successful"), "0")
		})
		if status, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", ""); status/100 == 2 {
			t.Errorf("reload of a configuration that is refused: %d %s", status, body)
		}
		tracked(t, s, 10)
	}
	refused(a, good+"resource {{", "the last good configuration runs")
	refused(a, harness.FourVendors+faxes(7), "would forget 3 of 10 items", "max_forget", "20%")
	refused(a, good+"\nresource \"globfax_recipient\" \"twin\" {\n  rcpt_ref = \"rcpt_1\"\n}\n", "rcpt_1")
	harness.Says(t, "the log", a.Log(), "Error: ", "main.wb.hcl line ") // each mistake as validate shows it

	info, err := os.Stat(filepath.Join(s.Dir, "waybill.db.last-good"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the last good configuration: %v, %v", info, err)
	}

	// Two of ten is what 20 % allows, and one is always allowed.
	s.Write("main.wb.hcl", harness.FourVendors+faxes(8))
	tracked(t, s, 8)
	harness.Eventually(t, func() string { return harness.Unless(a.Metric("waybill_config_last_reload_successful"), "1") })
	if _, body := a.Get("/-/ready"); strings.Contains(body, "refused") {
		t.Errorf("a good reload leaves the refusal in /-/ready: %s", body)
	}

	// Over a restart: broken, so that the last good one (8 items) serves.
	s.Write("main.wb.hcl", "resource {{")
	a.Stop()
	a = s.Agent()
	a.WaitLog("the last good one runs")
	tracked(t, s, 8)
	if got := a.Metric("waybill_config_last_reload_successful"); got != "0" {
		t.Errorf("with the last good one: last reload successful %q", got)
	}
	s.Write("main.wb.hcl", harness.FourVendors+faxes(9)) // mended
	tracked(t, s, 9)

	// At a start max_forget holds too; one start may be told otherwise.
	a.Stop()
	s.Write("main.wb.hcl", harness.FourVendors+faxes(2))
	a = s.Agent()
	a.WaitLog("would forget 7 of 9 items")
	tracked(t, s, 9)
	a.Stop()
	a = s.Agent("-max-forget=7")
	tracked(t, s, 2)
	a.Stop()

	// What a removed block names may go however much it is.
	s.Write("main.wb.hcl", harness.FourVendors+"\nremoved {\n  from = globfax_recipient.fax\n}\n")
	a = s.Agent()
	tracked(t, s, 0)
	a.Stop()
	if n := len(server.Account().Pulls); n != 0 {
		t.Errorf("%d pulls without a policy", n)
	}

	// Without any last good one an agent whose configuration does not load ends.
	if err := os.RemoveAll(filepath.Join(s.Dir, "waybill.db.last-good")); err != nil {
		t.Fatal(err)
	}
	s.Write("main.wb.hcl", "resource {{")
	harness.Says(t, "no last good one", s.Must(1, "agent").Stderr, "main.wb.hcl line 1")
}

// What depends on what was read is declared by the agent itself once it is known.
func TestTheAgentEvaluatesDependentsAgain(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "failed", SettleAfter: sandbox.Duration(2 * 1e9)}); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"again-rcpt_1"} {
		if err := server.AddRecipient(sandbox.Recipient{Ref: ref, Status: "success", SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "first" {
  for_each = toset(["rcpt_1"])
  rcpt_ref = each.key

  poll {
    interval     = "1s"
    max_interval = "1s"
  }
}

resource "globfax_recipient" "again" {
  for_each = { for k, r in globfax_recipient.first : k => r if r.outcome == "failed" }
  rcpt_ref = "again-${each.key}"
}

output "failed" {
  value = [for k, r in globfax_recipient.first : k if r.outcome == "failed"]
}

check "none_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.first : r.outcome != "failed"])
    error_message = "a fax failed"
  }
}
`, env)
	a := s.Agent()
	tracked(t, s, 2)
	harness.Eventually(t, func() string {
		return harness.Unless(s.Values(`globfax_recipient.again["rcpt_1"]`)["outcome"], "succeeded")
	})
	a.WaitLog("a check fails")
	if got := strings.TrimSpace(s.Must(0, "output", "-json", "failed").Stdout); got != `["rcpt_1"]` {
		t.Errorf("the output is %s", got)
	}
	a.Stop()
	if got := s.Must(3, "plan", "-detailed-exitcode", "-check-exitcode").LastLine(); got != noChanges {
		t.Errorf("last line %q", got)
	}
}
