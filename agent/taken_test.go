package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
)

// addresses are those of everything that is tracked, with the identities.
func (b *bubble) addresses() []string {
	b.t.Helper()
	reader := b.reader()
	defer reader.Close()
	var list []string
	for item, err := range reader.Items(context.Background(), state.ItemFilter{}) {
		b.must(err)
		list = append(list, item.Address.String()+" "+item.Identity)
	}
	slices.Sort(list)
	return list
}

// revisions are those under which something was recorded.
func (b *bubble) revisions() []string {
	b.t.Helper()
	reader := b.reader()
	defer reader.Close()
	var list []string
	for event, err := range reader.History(context.Background(), state.HistoryFilter{}) {
		b.must(err)
		if !slices.Contains(list, event.Revision) {
			list = append(list, event.Revision)
		}
	}
	return list
}

// A refused reload is refused whole: what depends on observed values is evaluated
// again with what the configuration that runs had read, by each function that
// reads, and so it is after a restart.
func TestARefusedReloadReachesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.must(os.MkdirAll(filepath.Join(b.dir, "d"), 0o700))
		files := func(version string, n int) {
			csv, list := "ref\n", ""
			for i := range n {
				csv += fmt.Sprintf("%s_%d\n", version, i)
				list += fmt.Sprintf("%s_t%d\n", version, i)
				b.write(fmt.Sprintf("d/%s_%d.txt", version, i), version)
			}
			b.write("faxes.csv", csv)
			b.write("list.tmpl", list)
			b.write("content.txt", version)
			b.write("late.txt", version)
		}
		files("a", 3)
		const config = `
agent {
  max_forget = "100%" # so that nothing but the snapshot stands in the way
}
resource "globfax_recipient" "first" {
  rcpt_ref = "first"
}
locals {
  later = globfax_recipient.first.outcome == null ? "" : "" # so that what follows is evaluated again
}
resource "globfax_recipient" "csv" {
  for_each = toset([for r in csvdecode(file("faxes.csv")) : "${r.ref}${local.later}"])
  rcpt_ref = each.key
}
resource "globfax_recipient" "set" {
  for_each = toset([for f in fileset("d", "*.txt") : "set-${replace(f, ".", "_")}${local.later}"])
  rcpt_ref = each.key
}
resource "globfax_recipient" "template" {
  for_each = toset([for l in split("\n", trimspace(templatefile("list.tmpl", {}))) : "${l}${local.later}"])
  rcpt_ref = each.key
}
resource "globfax_recipient" "sum" {
  rcpt_ref = "${filemd5("content.txt")}${fileexists("none.txt")}${local.later}"
}
resource "globfax_recipient" "late" {
  for_each = { for k in ["late.txt"] : k => k if globfax_recipient.first.outcome == "failed" }
  rcpt_ref = "late-${file(each.value)}"
}
`
		b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "first", Status: "failed", SettleAfter: sandbox.Duration(10 * time.Minute)}))
		b.write("main.wb.hcl", b.providersText()+config)
		b.must(b.start())
		before := b.addresses()
		if len(before) != 11 {
			t.Fatalf("tracked: %q", before)
		}

		// The next commit has a mistake, and other files.
		files("b", 2)
		b.write("none.txt", "")
		b.must(os.Remove(filepath.Join(b.dir, "d", "a_0.txt")))
		b.write("main.wb.hcl", b.providersText()+config+"resource \"globfax_recipient\" {\n")
		time.Sleep(20 * time.Minute) // the first one fails meanwhile, so that all is evaluated again
		if item := b.item("globfax_recipient.first"); item.Outcome != "failed" {
			t.Fatalf("the first is %s", item.Outcome)
		}
		if after := b.addresses(); !slices.Equal(after, before) {
			t.Errorf("tracked after a refused reload:\n%s\nbefore:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
		}
		if _, body := b.get(adminURL + "/-/ready"); !strings.Contains(body, "was not evaluated again") || !strings.Contains(body, "it has changed since the configuration that runs was taken") {
			t.Errorf("ready does not tell of the file that is asked for late: %s", body)
		}
		b.end()
		b.must(b.start())
		time.Sleep(time.Minute)
		if after := b.addresses(); !slices.Equal(after, before) {
			t.Errorf("tracked after a restart: %q", after)
		}
		if revisions := b.revisions(); len(revisions) != 1 {
			t.Errorf("recorded under the revisions %q", revisions)
		}

		// Mended, all of it is taken, the late file with it.
		b.write("main.wb.hcl", b.providersText()+config)
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Errorf("reload of what was mended: %d", status)
		}
		time.Sleep(time.Minute)
		if after := strings.Join(b.addresses(), "\n"); !strings.Contains(after, "late-b") || !strings.Contains(after, " b_1") || strings.Contains(after, " a_1") {
			t.Errorf("tracked after all was mended:\n%s", after)
		}
		b.end()
	})
}

// A reload whose declaration cannot be recorded changes nothing: the tokens before
// are those in force. It is tried again by itself, and then holds whole.
func TestAReloadThatCannotBeRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		var broken atomic.Bool
		b.fault = func(op string) error {
			if broken.Load() && (strings.Contains(op, "begin") || strings.Contains(op, "commit")) {
				return sqlite3.Error{Code: sqlite3.ErrFull}
			}
			return nil
		}
		token := b.vendors.Credentials().NXCloudToken
		config := func(token, more string) string {
			return strings.Replace(b.providersText(), b.vendors.Credentials().NXCloudToken, token, 1) + more
		}
		const more = `
provider "globfax" {
  alias      = "other"
  endpoint   = "ENDPOINT"
  api_key    = "KEY"
  api_secret = "SECRET"
}
resource "globfax_recipient" "other" {
  provider = globfax.other
  rcpt_ref = "other"
}
`
		e, c := b.vendors.Endpoints(), b.vendors.Credentials()
		other := strings.NewReplacer("ENDPOINT", e.GlobFax, "KEY", c.GlobFaxKey, "SECRET", c.GlobFaxSecret).Replace(more)
		b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "other", Status: "success", SettleAfter: sandbox.Duration(time.Second)}))
		b.write("main.wb.hcl", config(token, ""))
		b.must(b.start())
		at := func(token string) string { return receiverURL + "/callbacks/nxcloud/" + token }
		const next = "the-token-that-comes-next"

		broken.Store(true)
		b.write("main.wb.hcl", config(next, other))
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusInternalServerError {
			t.Errorf("reload: %d", status)
		}
		if status := b.post(at(next), "{}"); status != http.StatusNotFound {
			t.Errorf("the token of a declaration that is not recorded: %d, want 404", status)
		}
		if status := b.post(at(token), "{}"); status != http.StatusServiceUnavailable {
			t.Errorf("the token in force, with a full disk: %d, want 503", status)
		}
		if _, body := b.get(adminURL + "/-/ready"); !strings.Contains(body, "could not be recorded and is tried again") || strings.Contains(body, "was refused") {
			t.Errorf("ready: %s", body)
		}
		if _, metrics := b.get(adminURL + "/metrics"); !strings.Contains(metrics, "waybill_config_last_reload_successful 0\n") {
			t.Error("the metric says that the reload was taken")
		}
		time.Sleep(10 * time.Minute)
		if reads := b.vendors.Account().Reads; len(reads) != 0 {
			t.Errorf("read meanwhile: %v", reads)
		}

		broken.Store(false)
		time.Sleep(2 * time.Minute)
		if status := b.post(at(next), "{}"); status != http.StatusOK {
			t.Errorf("the new token: %d, want 200", status)
		}
		if status := b.post(at(token), "{}"); status != http.StatusNotFound {
			t.Errorf("the old token: %d, want 404", status)
		}
		if _, body := b.get(adminURL + "/-/ready"); strings.Contains(body, "note the reload") || strings.Contains(body, "could not be kept") {
			t.Errorf("ready: %s", body)
		}
		if item := b.item("globfax_recipient.other"); item.Outcome != "succeeded" {
			t.Errorf("an item of an account that came with the reload is %s", item.Outcome)
		}
		b.end()
	})
}

// What is asked for once something was observed is kept too.
func TestALateFileIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "first", Status: "failed", SettleAfter: sandbox.Duration(time.Minute)}))
		b.write("late.txt", "late")
		b.write("main.wb.hcl", b.providersText()+`
resource "globfax_recipient" "first" {
  rcpt_ref = "first"
}
resource "globfax_recipient" "late" {
  for_each = { for k in ["late.txt"] : k => k if globfax_recipient.first.outcome == "failed" }
  rcpt_ref = file(each.value)
}
`)
		b.must(b.start())
		time.Sleep(5 * time.Minute)
		if got := b.addresses(); len(got) != 2 {
			t.Fatalf("tracked: %q", got)
		}
		b.end()
		b.must(os.Remove(filepath.Join(b.dir, "late.txt")))
		b.write("main.wb.hcl", "{")
		b.must(b.start())
		if _, body := b.get(adminURL + "/-/ready"); strings.Contains(body, "not evaluated again") || !strings.Contains(body, "was refused") {
			t.Errorf("ready: %s", body)
		}
		if got := b.addresses(); len(got) != 2 {
			t.Errorf("tracked: %q", got)
		}
		b.end()
	})
}

// The copy for a later start is tried again when it could not be written.
func TestACopyThatCannotBeKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText())
		b.write("waybill.db.last-good", "in the way")
		b.must(b.start())
		if _, body := b.get(adminURL + "/-/ready"); !strings.Contains(body, "could not be kept for a later start, which is tried again") {
			t.Errorf("ready: %s", body)
		}
		b.must(os.Remove(filepath.Join(b.dir, "waybill.db.last-good")))
		time.Sleep(2 * time.Minute)
		if _, body := b.get(adminURL + "/-/ready"); strings.Contains(body, "could not be kept") {
			t.Errorf("ready: %s", body)
		}
		b.end()
		b.write("main.wb.hcl", "{")
		b.must(b.start())
		b.end()
	})
}

// A start that follows a death in loading takes the last good configuration, and
// says so, until the files change or a reload is asked for.
func TestAStartAfterADeathInLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText())
		b.must(b.start())
		b.end()
		const more = "resource \"globfax_recipient\" \"fax\" {\n  rcpt_ref = file(\"ref.txt\")\n}\n"
		b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "r", Status: "sending"}))
		b.write("main.wb.hcl", b.providersText()+more)
		b.write("ref.txt", "r")
		b.die(t)

		b.must(b.start())
		if _, body := b.get(adminURL + "/-/ready"); !strings.Contains(body, "the agent died while it loaded this configuration") {
			t.Errorf("ready: %s", body)
		}
		if n := b.tracked(); n != 0 {
			t.Errorf("%d items are tracked", n)
		}
		time.Sleep(time.Minute)
		if n := b.tracked(); n != 0 {
			t.Errorf("%d items are tracked after a minute", n)
		}
		b.end()
		b.must(b.start()) // and the same again
		if n := b.tracked(); n != 0 {
			t.Errorf("%d items are tracked after another start", n)
		}
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Errorf("reload: %d", status)
		}
		if n := b.tracked(); n != 1 {
			t.Errorf("%d items are tracked after a reload that was asked for", n)
		}
		b.end()

		// A file that was read before the death, mended, is tried at once.
		b.die(t)
		b.write("ref.txt", "s")
		b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "s", Status: "sending"}))
		b.must(b.start())
		if got := b.addresses(); len(got) != 1 || got[0] != "globfax_recipient.fax s" {
			t.Errorf("tracked after a file was mended: %q", got)
		}
		b.end()
	})
}

// die leaves what a process leaves that dies while it loads the configuration.
func (b *bubble) die(t *testing.T) {
	s := source.Take(b.dir)
	_, err := source.KeptBeside(b.path).Loading(s, b.runner.Version)
	b.must(err)
	config, diags := b.loadFrom(s)
	if diags = config.Mistakes(t.Context(), diags); diags.HasErrors() {
		t.Fatal(diags)
	}
}

// A configuration that takes for ever to evaluate keeps no agent from ending.
func TestAnAgentEndsDuringALongEvaluation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText())
		forever, reached := make(chan struct{}), make(chan struct{})
		var slow atomic.Bool
		b.must(b.start(func(o *agent.AgentOptions) {
			load := o.Load
			o.Load = func(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) {
				if slow.Load() {
					close(reached)
					<-forever
				}
				return load(s)
			}
		}))
		slow.Store(true)
		b.write("more.wb.hcl", "locals {\n}\n")
		<-reached
		b.end()
		close(forever)
	})
}

// A reload of which only a part could be recorded: while it is tried again, what ran
// before takes nothing of it back; when its mending is refused, what ran before is
// declared whole again.
func TestAReloadThatIsRecordedInPart(t *testing.T) {
	for name, mended := range map[string]bool{"and then whole": true, "and then refused": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				var broken atomic.Bool
				b.fault = func(op string) error {
					if broken.Load() && op == "new item" {
						return sqlite3.Error{Code: sqlite3.ErrFull}
					}
					return nil
				}
				config := func(names string) string {
					return "agent {\n  max_forget = \"100%\"\n}\n" + b.providersText() + fmt.Sprintf(`
resource "globfax_recipient" "fax" {
  for_each = toset(%s)
  rcpt_ref = each.key
}
resource "globfax_recipient" "again" {
  for_each = { for k, r in globfax_recipient.fax : k => k if r.outcome == "failed" && k == "none" }
  rcpt_ref = "again-${each.key}"
}
`, names)
				}
				for _, ref := range []string{"a", "b", "c", "d", "e"} {
					b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: ref, Status: "sending"}))
				}
				b.write("main.wb.hcl", config(`["a", "b", "c"]`))
				b.must(b.start())
				before := b.addresses()

				time.Sleep(5 * time.Minute) // nothing is observed any more that would have all evaluated again
				broken.Store(true)          // the forgets are recorded, the tracks are not
				b.write("main.wb.hcl", config(`["a", "d", "e"]`))
				if status := b.post(adminURL+"/-/reload", ""); status != http.StatusInternalServerError {
					t.Errorf("reload: %d", status)
				}
				part := b.addresses()
				if len(part) != 1 {
					t.Fatalf("tracked: %q", part)
				}
				want := []string{`globfax_recipient.fax["a"] a`, `globfax_recipient.fax["d"] d`, `globfax_recipient.fax["e"] e`}
				if !mended {
					want = before
					b.write("main.wb.hcl", "{")
				}
				broken.Store(false)
				time.Sleep(20 * time.Minute)
				if got := b.addresses(); !slices.Equal(got, want) {
					t.Errorf("tracked: %q, want %q", got, want)
				}
				b.end()
			})
		})
	}
}

// watching is a source that knows whether it was asked to watch what was fetched last.
type watching struct {
	*source.Directory
	watched *atomic.Bool
}

func (w watching) Fetch(ctx context.Context) (*source.Snapshot, error) {
	w.watched.Store(false)
	return w.Directory.Fetch(ctx)
}

func (w watching) Watch() { w.watched.Store(true) }

// Files are watched as soon as they were read, by a start and by a reload, taken or not.
func TestWhatWasReadIsWatchedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText())
		var watched atomic.Bool
		b.must(b.start(func(o *agent.AgentOptions) {
			o.Source = watching{source.NewDirectory(b.dir, b.runner.Log, true), &watched}
		}))
		if !watched.Load() {
			t.Error("after the start nothing is watched")
		}
		for _, text := range []string{"{", b.providersText()} {
			b.write("main.wb.hcl", text)
			watched.Store(false)
			b.post(adminURL+"/-/reload", "")
			if !watched.Load() {
				t.Errorf("after a reload of %.20q nothing is watched", text)
			}
		}
		b.end()
	})
}

// An output or a check may take as long as it likes to evaluate: the agent's end
// does not wait for it.
func TestTheEndWaitsForNoEvaluation(t *testing.T) {
	for name, block := range map[string]string{
		"output": "output \"o\" {\n  value     = env(\"SLOW\")\n  sensitive = true\n}\n",
		"check":  "check \"c\" {\n  assert {\n    condition     = env(\"SLOW\") == \"\"\n    error_message = \"No.\"\n  }\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				b.write("main.wb.hcl", b.providersText()+block)
				slow := func(o *agent.AgentOptions) {
					o.Load = func(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) {
						return b.loadWith(s, func(name string) (string, bool) {
							if name == "SLOW" {
								time.Sleep(time.Hour) // of the bubble's clock
							}
							return "", name == "SLOW"
						})
					}
				}
				if err := b.start(slow); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				b.end()
				if took := time.Since(begun); took > 35*time.Second {
					t.Errorf("the end took %s", took)
				}
				time.Sleep(time.Hour) // what was left to itself ends too
			})
		})
	}
}

// An expectation that is taken out of the configuration is gone from what settled
// under it too: by a reload, by a start, by an apply.
func TestExpectationsThatAreTakenOut(t *testing.T) {
	const fax = `
resource "globfax_recipient" "first" {
  rcpt_ref = "first"
  %s
}
`
	const expect = `expect "delivered" {
    condition     = self.status == "success"
    error_message = "not delivered"
  }`
	for _, way := range []string{"reload", "start", "apply"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "first", Status: "failed", SettleAfter: sandbox.Duration(-1)}))
				b.write("main.wb.hcl", b.providersText()+fmt.Sprintf(fax, expect))
				b.must(b.start())
				time.Sleep(5 * time.Minute)
				if item := b.item("globfax_recipient.first"); !item.Settled || len(item.Expectations) != 1 || item.Expectations[0].State != plan.ExpectFailed {
					t.Fatalf("before: settled %v, %+v", item.Settled, item.Expectations)
				}
				if way != "reload" {
					b.end()
				}
				b.write("main.wb.hcl", b.providersText()+fmt.Sprintf(fax, ""))
				switch way {
				case "reload":
					b.post(adminURL+"/-/reload", "")
					b.end()
				case "start":
					b.must(b.start())
					b.end()
				case "apply":
					b.apply()
				}
				if item := b.item("globfax_recipient.first"); len(item.Expectations) != 0 {
					t.Errorf("after: %+v", item.Expectations)
				}
			})
		})
	}
}
