package view

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// capture is a view whose output is kept.
func capture() (*View, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return &View{Out: NewStream(&out), Err: NewStream(&errs), Release: "0.1.0", Now: func() time.Time { return noon }}, &out, &errs
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

// changesOf are n changes of one kind in a block.
func changesOf(action plan.Action, block string, n int) []plan.Change {
	changes := make([]plan.Change, n)
	for i := range changes {
		address := plan.NewAddress("globfax_recipient", block, plan.IntKey(i))
		args := []byte(`{"rcpt_ref":"r"}`)
		changes[i] = plan.Change{Action: action, Address: address}
		switch action {
		case plan.Track:
			changes[i].Desired = &plan.Desired{Address: address, Args: args}
		case plan.Forget:
			changes[i].Item = &plan.Item{Address: address, Args: args}
		default:
			changes[i].Fields = []value.Field{
				{Path: "poll.interval", Before: []byte(`"60s"`), After: []byte(`"30s"`)},
			}
			changes[i].Item = &plan.Item{Address: address, Args: args}
		}
	}
	return changes
}

func planned(t *testing.T, changes []plan.Change, verbose bool) string {
	t.Helper()
	v, out, _ := capture()
	v.NewPass(false, verbose).Planned(&plan.Result{Plan: plan.Plan{Changes: changes}}, true)
	return out.String()
}

// Ten thousand changes do not flood: each block tells how many, and the first.
func TestPlanOfManyFitsOnAScreen(t *testing.T) {
	changes := slices.Concat(changesOf(plan.Track, "invoice", 9998), changesOf(plan.Update, "sent", 2))
	text := planned(t, changes, false)
	if n := strings.Count(text, "\n"); n >= 40 {
		t.Errorf("%d lines:\n%s", n, text)
	}
	for _, want := range []string{
		"  globfax_recipient.invoice: 9,998 to track\n    + globfax_recipient.invoice[0]\n    + globfax_recipient.invoice[1]\n    + globfax_recipient.invoice[2]\n      ... and 9,995 more: -verbose lists them\n",
		"  globfax_recipient.sent: 2 to change\n    ~ globfax_recipient.sent[0] (poll.interval: \"60s\" -> \"30s\")\n",
		"\n\nPlan: 9998 to track, 2 to change, 0 to forget. 0 changed remotely.\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not there:\n%s", want, text)
		}
	}
	if text := planned(t, changes, true); strings.Count(text, "will be tracked") != 9998 {
		t.Errorf("-verbose shows %d", strings.Count(text, "will be tracked"))
	}
}

// Forgets come first, each by its name, however much else there is.
func TestForgetsAreNamedFirst(t *testing.T) {
	changes := slices.Concat(changesOf(plan.Track, "new", 500), changesOf(plan.Forget, "old", 25), changesOf(plan.Forget, "single", 1))
	text := planned(t, changes, false)
	first, forget := strings.Index(text, "globfax_recipient.new"), strings.Index(text, "globfax_recipient.old: 25 to forget")
	if forget < 0 || first < forget {
		t.Errorf("forgets are not first:\n%s", text)
	}
	if n := strings.Count(text, "    - globfax_recipient.old["); n != maxNamed {
		t.Errorf("%d of 25 forgets are named, want %d:\n%s", n, maxNamed, text)
	}
	for _, want := range []string{"... and 5 more: -verbose lists them", "\n  - globfax_recipient.single[0]\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not there:\n%s", want, text)
		}
	}
	// A few are shown in full, forgets first too.
	text = planned(t, slices.Concat(changesOf(plan.Track, "a", 1), changesOf(plan.Forget, "b", 1)), false)
	if strings.Index(text, "b[0] will be forgotten") > strings.Index(text, "a[0] will be tracked") {
		t.Errorf("forgets are not first:\n%s", text)
	}
}

func TestProgressText(t *testing.T) {
	for want, got := range map[string]string{
		"reading: 400 of 1000, 40/s, 15s left": progressText(plan.Progress{Phase: "reading", Done: 400, Total: 1000}, 10*time.Second),
		"reading: 400, 40/s":                   progressText(plan.Progress{Phase: "reading", Done: 400}, 10*time.Second),
		"reading: 4 of 8, 0.4/s, 10s left":     progressText(plan.Progress{Phase: "reading", Done: 4, Total: 8}, 10*time.Second),
		"[=====     ] reading: 4 of 8":         barText(plan.Progress{Phase: "reading", Done: 4, Total: 8}, 0, 29),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Off a terminal a line comes now and then, never one per item.
func TestProgressOffTerminal(t *testing.T) {
	v, _, errs := capture()
	now := noon
	v.Now = func() time.Time { return now }
	bar := v.NewProgress()
	for i := range int64(1000) {
		bar.Show(plan.Progress{Phase: "reading", Done: i, Total: 1000})
		now = now.Add(25 * time.Millisecond)
	}
	bar.Done()
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
	if got := string(valueText(v, "")); got != want {
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
			v, out, errs := capture()
			d := &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "S", Subject: expr.Range().Ptr(), Expression: expr,
				EvalContext: &hcl.EvalContext{Variables: map[string]cty.Value{"open": cty.StringVal("seen"), "hidden": test.hidden}},
			}
			files := map[string]*hcl.File{"main.wb.hcl": file}
			v.Diagnostics(files, hcl.Diagnostics{d})
			v.JSON(v.jsonDiagnostics(files, hcl.Diagnostics{d}))
			for _, text := range []string{out.String(), errs.String()} {
				if strings.Contains(text, "canary") != test.shown {
					t.Errorf("shown: %v, want %v:\n%s", !test.shown, test.shown, text)
				}
			}
		})
	}
}

// What a person did to an account has no address, and says who and why.
func TestEventOfAnAccount(t *testing.T) {
	e := &plan.Event{Seq: 7, At: noon, Account: "ucloud", Action: "suspend", By: "lin", Why: "the keys are being changed", Revision: "r"}
	v, out, _ := capture()
	v.JSONEvent(e)
	v.Event(e)
	want := `{"seq":7,"at":"2026-01-31T12:00:00Z","address":null,"account":"ucloud","action":"suspend","by":"lin","why":"the keys are being changed","revision":"r","changes":[],"raw_id":null}
2026-01-31T12:00:00Z  suspend    ucloud
    by lin: the keys are being changed
`
	if out.String() != want {
		t.Errorf("%s\nwant:\n%s", out, want)
	}
}

// As JSON all of a plan is there, however much it is.
func TestJSONPlanIsWhole(t *testing.T) {
	v, out, _ := capture()
	v.NewPass(true, false).Planned(&plan.Result{Plan: plan.Plan{Changes: slices.Concat(changesOf(plan.Track, "a", 5000), changesOf(plan.Forget, "b", 5000))}}, true)
	if n := strings.Count(out.String(), `"type":"planned_change"`); n != 10_000 {
		t.Errorf("%d changes, want 10000", n)
	}
}

// Many warnings about one account are a few lines; -verbose lists them.
func TestManyWarningsAreFewLines(t *testing.T) {
	r := &plan.Result{Warnings: []plan.Warning{{Account: "itniotech", Err: errors.New("other")}}}
	for i := range 138 {
		address := plan.NewAddress("globfax_recipient", "a", plan.IntKey(i))
		r.Warnings = append(r.Warnings, plan.Warning{Account: "globfax", Address: &address, Err: fmt.Errorf("reset %d", i), Count: 1})
	}
	for verbose, want := range map[bool]int{false: maxFirst + 2, true: 139} {
		v, _, errs := capture()
		v.NewPass(false, verbose).Warnings(r)
		if n := strings.Count(errs.String(), "Warning:"); n != want {
			t.Errorf("verbose %v: %d warnings, want %d", verbose, n, want)
		}
		if !verbose && !strings.Contains(errs.String(), "Trouble at globfax with 135 items more: -verbose lists them") {
			t.Errorf("what is left out is not told:\n%s", errs)
		}
	}
}
