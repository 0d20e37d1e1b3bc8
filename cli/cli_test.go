package cli

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// capture is a program whose output is kept.
func capture() (*program, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	p := &program{
		out: &stream{w: bufio.NewWriter(&out), direct: true, width: pipeWidth},
		err: &stream{w: bufio.NewWriter(&errs), direct: true, width: pipeWidth},
		now: func() time.Time { return noon },
	}
	return p, &out, &errs
}

func TestExitCodeOneBeatsThreeBeatsTwo(t *testing.T) {
	changed := plan.Plan{Drift: make([]plan.Change, 1)}
	failed := []plan.Check{{Name: "c", State: plan.CheckFail}}
	for _, test := range []struct {
		name            string
		result          agent.Result
		detailed, check bool
		want            int
	}{
		{"nothing asked", agent.Result{Plan: changed, Checks: failed}, false, false, exitOK},
		{"no changes", agent.Result{}, true, true, exitOK},
		{"changes", agent.Result{Plan: changed}, true, true, exitChanges},
		{"changes, not asked for", agent.Result{Plan: changed}, false, true, exitOK},
		{"check", agent.Result{Checks: failed}, true, true, exitCheck},
		{"check, not asked for", agent.Result{Checks: failed}, true, false, exitOK},
		{"check beats changes", agent.Result{Plan: changed, Checks: failed}, true, true, exitCheck},
		{"credentials beat all", agent.Result{Plan: changed, Checks: failed, CredentialsFailed: true}, true, true, exitError},
		{"expectation", agent.Result{Expectations: []agent.ItemExpectation{{Expectation: plan.Expectation{State: plan.ExpectFailed}}}}, false, true, exitCheck},
		{"outputs alone", agent.Result{Outputs: []agent.OutputChange{{Name: "a", After: cty.True}}}, true, true, exitOK},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := exitCode(&test.result, &passFlags{detailed: test.detailed, check: test.check}); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

// The summary lines are frozen: programs read them.
func TestFrozenLines(t *testing.T) {
	for want, got := range map[string]string{
		"No changes. Your records match the configuration.":                                 planLine(plan.Counts{}),
		"Plan: 1 to track, 2 to change, 3 to forget. 4 changed remotely.":                   planLine(plan.Counts{Track: 1, Change: 2, Forget: 3, Remote: 4}),
		"Apply complete! Resources: 1 tracked, 2 changed, 3 forgotten. 4 changed remotely.": applyLine(plan.Counts{Track: 1, Change: 2, Forget: 3, Remote: 4}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A hundred thousand changes do not flood: the first are shown, the line counts all.
func TestPlanOfManyShowsTheFirst(t *testing.T) {
	p, out, _ := capture()
	const n = 100_000
	changes := make([]plan.Change, n)
	for i := range changes {
		d := &plan.Desired{Address: plan.NewAddress("globfax_recipient", "a", plan.IntKey(i)), Args: []byte(`{"rcpt_ref":"r"}`)}
		changes[i] = plan.Change{Action: plan.Track, Address: d.Address, Desired: d}
	}
	v := p.passView(false)
	v.planned(&agent.Result{Plan: plan.Plan{Changes: changes}}, plannedDry)
	text := out.String()
	if !strings.HasSuffix(text, "\n\nPlan: 100000 to track, 0 to change, 0 to forget. 0 changed remotely.\n") {
		t.Errorf("ends with %q", text[len(text)-100:])
	}
	if !strings.Contains(text, "... and 99950 more changes") || strings.Count(text, "will be tracked") != maxShown {
		t.Errorf("%d shown:\n%s", strings.Count(text, "will be tracked"), text[:500])
	}
}

func TestParseSince(t *testing.T) {
	for text, want := range map[string]time.Time{
		"":                          {},
		"2026-01-01T00:00:00Z":      time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
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
	for _, text := range []string{"yesterday", "-3h", "d", "3", "2026-01-01"} {
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

func TestUnifiedDiff(t *testing.T) {
	a := strings.Split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", " ")
	b := slices.Clone(a)
	b[1], b[15] = "two", "sixteen"
	b = slices.Delete(b, 18, 19)
	got := strings.Join(unifiedDiff(a, b), "\n")
	want := strings.TrimSpace(`
@@ -1,5 +1,5 @@
 1
-2
+two
 3
 4
 5
@@ -13,8 +13,7 @@
 13
 14
 15
-16
+sixteen
 17
 18
-19
 20`)
	if got != want {
		t.Errorf("unifiedDiff:\n%s\nwant:\n%s", got, want)
	}
	if d := unifiedDiff(a, a); d != nil {
		t.Errorf("equal texts differ: %q", d)
	}
}

func TestWrap(t *testing.T) {
	if got, want := wrap("one two three\nfour", 9, "  "), "  one two\n  three\n  four"; got != want {
		t.Errorf("wrap: %q, want %q", got, want)
	}
}

func TestProgressText(t *testing.T) {
	for want, got := range map[string]string{
		"reading: 400 of 1000, 40/s, 15s left": progressText(agent.Progress{Phase: "reading", Done: 400, Total: 1000}, 10*time.Second),
		"reading: 400, 40/s":                   progressText(agent.Progress{Phase: "reading", Done: 400}, 10*time.Second),
		"reading: 4 of 8, 0.4/s, 10s left":     progressText(agent.Progress{Phase: "reading", Done: 4, Total: 8}, 10*time.Second),
		"[=====     ] reading: 4 of 8":         barText(agent.Progress{Phase: "reading", Done: 4, Total: 8}, 0, 29),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Off a terminal a line comes now and then, never one per item.
func TestProgressOffTerminal(t *testing.T) {
	p, _, errs := capture()
	now := noon
	p.now = func() time.Time { return now }
	bar := p.newProgress()
	for i := range int64(1000) {
		bar.show(agent.Progress{Phase: "reading", Done: i, Total: 1000})
		now = now.Add(25 * time.Millisecond)
	}
	bar.done()
	if n := strings.Count(errs.String(), "\n"); n != 2 {
		t.Errorf("%d lines in 25 s, want 2:\n%s", n, errs)
	}
}

func TestValueText(t *testing.T) {
	v := cty.ObjectVal(map[string]cty.Value{
		"text":    cty.StringVal("a \"b\"\n${c}"),
		"number":  cty.MustParseNumberVal("0.1"),
		"unknown": cty.UnknownVal(cty.String),
		"secret":  cty.StringVal("hush").Mark("sensitive"),
		"none":    cty.NullVal(cty.String),
		"list":    cty.ListVal([]cty.Value{cty.True}),
		"map":     cty.MapVal(map[string]cty.Value{"k": cty.Zero}),
		"empty":   cty.EmptyTupleVal,
	})
	want := `{
    empty   = []
    list    = [
        true,
    ]
    map     = {
        "k" = 0
    }
    number  = 0.1
    secret  = (sensitive value)
    text    = "a \"b\"\n$${c}"
    unknown = (known after the first read)
}`
	if got := valueText(v, ""); got != want {
		t.Errorf("valueText:\n%s\nwant:\n%s", got, want)
	}
}

// A diagnostic's variables are shown, but never one that holds a secret.
func TestDiagnosticValues(t *testing.T) {
	src := []byte("a = open + hidden\n")
	file, diags := hclsyntax.ParseConfig(src, "main.wb.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	expr := file.Body.(*hclsyntax.Body).Attributes["a"].Expr
	for _, test := range []struct {
		name   string
		hidden cty.Value
		shown  bool
	}{
		{"plain", cty.StringVal("canary"), true},
		{"sensitive", cty.StringVal("canary").Mark("sensitive"), false},
		{"sensitive within", cty.ListVal([]cty.Value{cty.StringVal("canary").Mark("sensitive")}), false},
		{"long", cty.StringVal("canary" + strings.Repeat("x", 1000)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, out, errs := capture()
			d := &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "S", Subject: expr.Range().Ptr(), Expression: expr,
				EvalContext: &hcl.EvalContext{Variables: map[string]cty.Value{"open": cty.StringVal("seen"), "hidden": test.hidden}},
			}
			files := map[string]*hcl.File{"main.wb.hcl": file}
			p.diagnostics(files, hcl.Diagnostics{d})
			p.lineJSON(p.jsonDiagnostics(files, hcl.Diagnostics{d}))
			for _, text := range []string{out.String(), errs.String()} {
				if strings.Contains(text, "canary") != test.shown {
					t.Errorf("shown: %v, want %v:\n%s", !test.shown, test.shown, text)
				}
			}
		})
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
