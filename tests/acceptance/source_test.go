package acceptance

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// A checkout that is delivered as a link, which is put to another tree: the agent
// follows it, and lives on when the old tree is gone.
func TestTheDirectoryIsALinkThatIsSwapped(t *testing.T) {
	t.Parallel()
	_, env := harness.Vendors(t, sandbox.Options{AutoCreate: true, Speed: sandbox.Speed{Earliest: time.Hour, Latest: 2 * time.Hour}})
	s := newSite(t, "", env)
	backend := fmt.Sprintf("waybill {\n  backend \"sqlite\" {\n    path = %q\n  }\n}\n", filepath.Join(s.Dir, "state", "waybill.db"))
	tree := func(revision string, n int) {
		s.Write(filepath.Join(revision, "main.wb.hcl"), backend+harness.FourVendors+faxes(n))
		next := filepath.Join(s.Dir, "current.new")
		if err := os.Symlink(revision, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(s.Dir, "current")); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want int) {
		t.Helper()
		harness.Eventually(t, func() string {
			return harness.Unless(len(strings.Fields(s.Must(0, "-chdir=current", "state", "list").Stdout)), want)
		})
	}
	tree("rev1", 3)
	a := s.AgentIn("current")
	count(3)
	tree("rev2", 5)
	if err := os.RemoveAll(filepath.Join(s.Dir, "rev1")); err != nil {
		t.Fatal(err)
	}
	count(5)
	tree("rev3", 6)
	if status, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", ""); status != http.StatusOK {
		t.Errorf("reload: %d %s", status, body)
	}
	count(6)
	if err := os.Remove(filepath.Join(s.Dir, "current")); err != nil {
		t.Fatal(err)
	}
	status, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", "")
	if status != http.StatusInternalServerError || !strings.Contains(body, "Unreadable configuration directory") || strings.Contains(body, "<nil>") || strings.Contains(a.Log(), "<nil>") {
		t.Errorf("reload without a directory: %d %s", status, body)
	}
	a.Stop()
}

// Whoever reads the log goes away, or stands: the agent goes on as if he read.
func TestWhoReadsTheLogDoesNotMatter(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*os.File) error{
		"gone":   (*os.File).Close,
		"stands": func(*os.File) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, env := harness.Vendors(t, sandbox.Options{AutoCreate: true})
			s := newSite(t, harness.FourVendors+faxes(2), env)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			c := s.Command("agent")
			c.Env = append(c.Env, "WAYBILL_LOG=debug")
			c.Stdout, c.Stderr = write, write // one file: the process has the pipe itself
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if err := write.Close(); err != nil {
				t.Fatal(err)
			}
			admin := ""
			lines := bufio.NewScanner(read)
			for admin == "" && lines.Scan() {
				if at := regexp.MustCompile(`msg="the agent runs" admin=(\S+)`).FindStringSubmatch(lines.Text()); at != nil {
					admin = "http://" + at[1]
				}
			}
			if err := end(read); err != nil {
				t.Fatal(err)
			}
			// Each mistake is told at length: more than a pipe holds.
			s.Write("main.wb.hcl", harness.FourVendors+faxes(2)+strings.Repeat("resource \"globfax_recipient\" \"twice\" {\n}\n", 100))
			for range 20 {
				if status, body := harness.Call(http.MethodPost, admin+"/-/reload", ""); status != http.StatusInternalServerError {
					t.Fatalf("reload: %d %s", status, body)
				}
			}
			s.Write("main.wb.hcl", harness.FourVendors+faxes(4))
			if status, body := harness.Call(http.MethodPost, admin+"/-/reload", ""); status != http.StatusOK {
				t.Fatalf("reload: %d %s", status, body)
			}
			tracked(t, s, 4)
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err != nil {
				t.Errorf("the agent ended with %v", err)
			}
		})
	}
}

// Nobody reads what apply prints any more: it pulls and records to its end.
func TestApplyWithoutAReader(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{AutoCreate: true})
	if err := server.AddSend(sandbox.Send{SessionNo: "s1", Count: 5, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, harness.FourVendors+"resource \"ucloud_usms_report_pull\" \"main\" {}\n"+faxes(3), env)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := s.Command("apply", "-auto-approve")
	c.Env = append(c.Env, "WAYBILL_LOG=debug")
	c.Stdout, c.Stderr = io.Discard, write
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(); err != nil {
		t.Errorf("apply ended with %v", err)
	}
	_ = write.Close()
	if n := len(s.Records()); n != 5 {
		t.Errorf("%d records, want 5", n)
	}
}

// A reload takes nothing for which the next start would fail, and the next start
// does not fail on what stands there.
func TestAReloadTakesNothingThatAStartWouldRefuse(t *testing.T) {
	t.Parallel()
	_, env := harness.Vendors(t, sandbox.Options{AutoCreate: true})
	good := harness.FourVendors + faxes(1)
	s := newSite(t, good, env)
	a := s.Agent()
	somebody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer somebody.Close()
	taken := somebody.Addr().String()
	for what, c := range map[string]struct{ from, to, want string }{
		"beyond loopback":     {"    listen = \"127.0.0.1:0\"\n  }\n}", "    listen = \"0.0.0.0:0\"\n  }\n}", "beyond loopback"},
		"no such address":     {"    listen = \"127.0.0.1:0\"\n  }\n}", "    listen = \"[::1]:1:1\"\n  }\n}", "Invalid listen address"},
		"somebody's port":     {"    listen = \"127.0.0.1:0\"\n  }\n}", "    listen = \"" + taken + "\"\n  }\n}", "Cannot listen"},
		"no web_config_file":  {"    listen = \"127.0.0.1:0\"\n  }\n}", "    listen = \"127.0.0.1:0\"\n    web_config_file = \"none.yml\"\n  }\n}", "none.yml"},
		"a directory":         {"agent {", "waybill {\n  backend \"sqlite\" {\n    path = \".\"\n  }\n}\nagent {", "is a directory"},
		"another's file":      {"agent {", "waybill {\n  backend \"sqlite\" {\n    path = \"main.wb.hcl\"\n  }\n}\nagent {", "is not a state"},
		"required_version":    {"agent {", "waybill {\n  required_version = \">= 999\"\n}\nagent {", "Unsupported Waybill version"},
		"a mistaken guard":    {"agent {", "agent {\n  max_forget = \"half\"", "Invalid max_forget"},
		"a setting of before": {"agent {", "agent {\n  max_untrack = \"50%\"", "max_forget now"},
	} {
		if !strings.Contains(good, c.from) {
			t.Fatalf("%s: the configuration holds no %q", what, c.from)
		}
		s.Write("main.wb.hcl", strings.Replace(good, c.from, c.to, 1))
		if status, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", ""); status != http.StatusInternalServerError || !strings.Contains(body, c.want) {
			t.Errorf("%s: reload: %d %s", what, status, body)
		}
		a.Stop()
		a = s.Agent()
		a.WaitLog("the last good one runs")
	}
	a.Stop()
}

// An interrupt during a pull is answered at once with what is awaited and what a
// second one costs. One lets the answer be stored; a second one ends, and the loss
// is a window.
func TestAnInterruptDuringAPull(t *testing.T) {
	t.Parallel()
	for name, twice := range map[string]bool{"once": false, "twice": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, env := harness.Vendors(t, sandbox.Options{})
			if err := server.AddSend(sandbox.Send{SessionNo: "s1", Count: 5, SettleAfter: -1}); err != nil {
				t.Fatal(err)
			}
			if _, err := server.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Delay, Delay: sandbox.Duration(4 * time.Second), Next: 1}); err != nil {
				t.Fatal(err)
			}
			s := newSite(t, harness.FourVendors+"resource \"ucloud_usms_report_pull\" \"main\" {}\n", env)
			p := s.Start("apply", "-auto-approve")
			harness.Eventually(t, func() string {
				if len(server.Account().Pulls) == 0 {
					return "no pull has reached the vendor"
				}
				return ""
			})
			p.Signal(os.Interrupt)
			p.WaitLog("The pull of ucloud_usms_report_pull.main (ucloud) is under way", "20s", "up to 100 reports may be lost")
			if twice {
				p.Signal(os.Interrupt)
			}
			if code := p.Wait(); code == 0 {
				t.Error("an interrupted apply ended with 0")
			}
			stored := len(s.Records())
			if want := map[bool]int{false: 5, true: 0}[twice]; stored != want {
				t.Errorf("%d records are stored, want %d", stored, want)
			}
			s.Must(0, "apply", "-auto-approve")
			if lost := s.Values("ucloud_usms_report_pull.main")["loss_windows"]; fmt.Sprint(lost) != map[bool]string{false: "0", true: "1"}[twice] {
				t.Errorf("loss_windows: %v", lost)
			}
		})
	}
}
