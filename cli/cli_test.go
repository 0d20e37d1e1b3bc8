package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/cli/view"
	"github.com/waybill-dev/waybill/plan"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// capture is a program whose output is kept.
func capture() (*program, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	p := newProgram(nil, view.NewStream(&out), view.NewStream(&errs))
	p.now = func() time.Time { return noon }
	return p, &out, &errs
}

func TestExitCodeOneBeatsThreeBeatsTwo(t *testing.T) {
	changed := plan.Plan{Drift: make([]plan.Change, 1)}
	failed := []plan.Check{{Name: "c", State: plan.CheckFail}}
	for _, test := range []struct {
		name            string
		result          plan.Result
		detailed, check bool
		want            int
	}{
		{"nothing asked", plan.Result{Plan: changed, Checks: failed}, false, false, exitOK},
		{"no changes", plan.Result{}, true, true, exitOK},
		{"changes", plan.Result{Plan: changed}, true, true, exitChanges},
		{"changes, not asked for", plan.Result{Plan: changed}, false, true, exitOK},
		{"check", plan.Result{Checks: failed}, true, true, exitCheck},
		{"check, not asked for", plan.Result{Checks: failed}, true, false, exitOK},
		{"check beats changes", plan.Result{Plan: changed, Checks: failed}, true, true, exitCheck},
		{"credentials beat all", plan.Result{Plan: changed, Checks: failed, CredentialsFailed: true}, true, true, exitError},
		{"expectation", plan.Result{Expectations: []plan.ItemExpectation{{Expectation: plan.Expectation{State: plan.ExpectFailed}}}}, false, true, exitCheck},
		{"outputs alone", plan.Result{Outputs: []plan.OutputChange{{Name: "a", After: cty.True}}}, true, true, exitOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := exitCode(&test.result, &passFlags{detailed: test.detailed, check: test.check}); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestParseSince(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"2026-01-01T00:00:00Z":      time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		"2026-01-01":                time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		"2026-01-01T08:00:00+08:00": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		"90m":                       noon.Add(-90 * time.Minute),
		"7d":                        noon.AddDate(0, 0, -7),
		"1d12h":                     noon.Add(-36 * time.Hour),
	} {
		got, err := parseSince(text, noon)
		if err != nil || !got.Equal(want) {
			t.Errorf("parseSince(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-3h", "d", "3", "2026-13-01"} {
		if got, err := parseSince(text, noon); err == nil {
			t.Errorf("parseSince(%q) = %v, want an error", text, got)
		}
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	for _, test := range []struct{ in, want []string }{
		{[]string{"a", "-json", "b"}, []string{"a", "b"}},
		{[]string{"-json", "a", "--since=1h"}, []string{"a"}},
		{[]string{"a", "--", "-json"}, []string{"a", "-json"}},
		{nil, nil},
	} {
		p, _, _ := capture()
		var asJSON bool
		c := &command{name: "x", flags: func(fs *flag.FlagSet) { fs.BoolVar(&asJSON, "json", false, ""); fs.String("since", "", "") }}
		got, err := p.parseFlags(c, test.in)
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("parseFlags(%q) = %q, %v; want %q", test.in, got, err, test.want)
		}
	}
}

func TestReplaceFileKeepsModeAndLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real.wb.hcl"), filepath.Join(dir, "main.wb.hcl")
	if err := os.WriteFile(target, []byte("a"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("b")); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(target)
	info, statErr := os.Stat(target)
	linked, linkErr := os.Lstat(link)
	if err := errors.Join(err, statErr, linkErr); err != nil {
		t.Fatal(err)
	}
	if string(content) != "b" || info.Mode().Perm() != 0o640 || linked.Mode()&os.ModeSymlink == 0 {
		t.Errorf("content %q, mode %v, link %v", content, info.Mode(), linked.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("files left: %v", entries)
	}
}

func TestSandboxPath(t *testing.T) {
	for in, want := range map[string]string{"waybill.db": "waybill.sandbox.db", "a/b.sqlite": "a/b.sandbox.sqlite", "state": "state.sandbox"} {
		if got := sandboxPath(in); got != want {
			t.Errorf("sandboxPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestReachable(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1:1": "127.0.0.1:1", "[::]:2": "127.0.0.1:2", "0.0.0.0:3": "127.0.0.1:3", ":4": "127.0.0.1:4"} {
		if got := reachable(in); got != want {
			t.Errorf("reachable(%q) = %q, want %q", in, got, want)
		}
	}
}

// Every command has a summary, and its flags say what they do.
func TestEveryCommandIsDescribed(t *testing.T) {
	p, _, _ := capture()
	for _, c := range commands() {
		if c.summary == "" || c.run == nil {
			t.Errorf("%s is not described", c.name)
		}
		p.flagSet(c).VisitAll(func(f *flag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s -%s is not described", c.name, f.Name)
			}
		})
	}
	if err := notInThisVersion("x"); fmt.Sprint(err) != "x: not in this version" {
		t.Error(err)
	}
}

// A command that is promised is known by its name, and says that it is yet to come.
func TestPromisedCommandsAreKnown(t *testing.T) {
	for _, name := range []string{"ack", "console", "erase", "evidence", "export", "graph", "notify", "prune", "reconcile", "refresh", "report", "resume", "status", "suspend", "test", "verify"} {
		p, _, stderr := capture()
		i := slices.IndexFunc(commands(), func(c *command) bool { return c.name == name })
		if i < 0 {
			t.Errorf("%s is not known", name)
			continue
		}
		if code := commands()[i].run(context.Background(), p, nil); code != exitError || !strings.Contains(stderr.String(), "waybill "+name+": not in this version") {
			t.Errorf("%s: %d, %s", name, code, stderr)
		}
	}
}

// Help fits a terminal of 80 columns, whatever it is asked for.
func TestHelpFits(t *testing.T) {
	asked := [][]string{{"-help"}, {"help"}, {"state", "-h"}, {"state", "-help"}, {"raw", "--help"}, {"providers", "-h"}, {"help", "state"}}
	for _, c := range commands() {
		asked = append(asked, append(strings.Fields(c.name), "-h"))
	}
	for _, args := range asked {
		p, out, errs := capture()
		if code := p.main(t.Context(), args); code != exitOK || errs.Len() > 0 || !strings.HasPrefix(out.String(), "Usage: waybill ") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errs)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%q: %d columns: %s", args, n, line)
			}
		}
	}
}

// Each of the commands that change something, or that people run first, shows an example.
func TestMainCommandsHaveExamples(t *testing.T) {
	for _, c := range commands()[:mainCommands] {
		if !strings.Contains(c.example, "waybill "+c.name) {
			t.Errorf("%s has no example", c.name)
		}
	}
}

func TestBuildRevision(t *testing.T) {
	build := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "4a5b"}, {Key: "vcs.modified", Value: "true"}}}
	if revision, modified := buildRevision(build); revision != "4a5b" || !modified {
		t.Errorf("%s, %v", revision, modified)
	}
	if revision, modified := buildRevision(&debug.BuildInfo{}); revision != "" || modified {
		t.Errorf("%s, %v", revision, modified)
	}
	p, out, _ := capture()
	p.view.Version(view.VersionInfo{Waybill: "1.2.3", Platform: "linux_amd64", Go: "go1", Revision: "4a5b", Modified: true}, false)
	if want := "Waybill v1.2.3\non linux_amd64\nbuilt from commit 4a5b, with changes, by go1\n"; out.String() != want {
		t.Errorf("%q, want %q", out, want)
	}
}
