package view

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// errCredentials is the last word of a pass that a vendor refused.
var errCredentials = errors.New("a vendor refused the credentials: correct the provider block, the environment or the clock, as the warning above says; everything else is done")

// changedOutputs prints the outputs that change.
func (t *textPass) changedOutputs(list []plan.OutputChange) {
	var changed []plan.OutputChange
	width := 0
	for _, o := range list {
		if o.Changed() {
			changed = append(changed, o)
			width = max(width, len(o.Name))
		}
	}
	if len(changed) == 0 {
		return
	}
	out := t.v.Out
	out.println("\nChanges to Outputs:")
	for _, o := range changed {
		name := pad(Escape(o.Name), width)
		before, after := t.outputText(o, o.Before), t.outputText(o, o.After)
		switch {
		case o.Before == cty.NilVal:
			out.printf("  %s %s = %s\n", out.paint(green, "+"), name, after)
		case o.After == cty.NilVal:
			out.printf("  %s %s = %s %s null\n", out.paint(red, "-"), name, before, out.paint(dim, "->"))
		default:
			out.printf("  %s %s = %s %s %s\n", out.paint(yellow, "~"), name, before, out.paint(yellow, "->"), after)
		}
	}
}

func (t *textPass) outputText(o plan.OutputChange, v cty.Value) Text {
	switch {
	case o.Sensitive:
		return sensitiveText
	case v == cty.NilVal:
		return "null"
	}
	return shortText(v, "    ", t.most(maxLines))
}

// outputs prints the outputs as they are after an apply.
func (t *textPass) outputs(list []plan.OutputChange) {
	var outputs []plan.Output
	for _, o := range list {
		if after, ok := o.Output(); ok {
			outputs = append(outputs, after)
		}
	}
	if len(outputs) == 0 {
		return
	}
	t.v.Out.println("\nOutputs:\n")
	t.v.showOutputs(outputs, t.most(maxLines))
}

// failing prints the expectations and checks that fail.
func (t *textPass) failing(r *plan.Result) {
	out := t.v.Out
	warning := out.paint(yellow, "Warning:")
	var failed []*plan.ItemExpectation
	for i := range r.Expectations {
		if r.Expectations[i].State == plan.ExpectFailed {
			failed = append(failed, &r.Expectations[i])
		}
	}
	if t.verbose || len(failed) <= maxFull/2 {
		for _, e := range failed {
			out.printf("\n%s Expectation failed\n\n  on %s, expect %q, since %s\n", warning, e.Address, e.Name, secondText(e.Since))
			if e.Message != "" {
				out.printf("\n%s\n", wrap(e.Message, out.width, "  "))
			}
		}
	} else {
		t.failingGroups(failed)
	}
	for _, c := range r.Checks {
		switch c.State {
		case plan.CheckFail:
			_, _ = out.Write(bytes.TrimSuffix(t.v.rendered(out, t.files, c.Failures), []byte("\n")))
		case plan.CheckError:
			out.printf("\n%s Check block could not be evaluated\n\n  in check %q\n", warning, c.Name)
			for _, m := range c.Messages {
				out.printf("\n%s\n", wrap(m, out.width, "  "))
			}
		}
	}
}

// failingGroups prints many failed expectations: of each block and name how many,
// and the first.
func (t *textPass) failingGroups(failed []*plan.ItemExpectation) {
	type key struct{ block, name string }
	groups := make(map[key][]*plan.ItemExpectation)
	var order []key
	for _, e := range failed {
		k := key{e.Address.Block(), e.Name}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], e)
	}
	out := t.v.Out
	out.printf("\n%s %s failed\n\n", out.paint(yellow, "Warning:"), plural(len(failed), "expectation"))
	for _, k := range order {
		list := groups[k]
		out.printf("  %s %s fail expect %q\n", out.paint(bold, Escape(k.block)+":"), count(len(list)), k.name)
		for i, e := range list {
			if i == maxFirst {
				out.printf("      %s\n", more(len(list)-i))
				break
			}
			line := Escape(e.Address.String())
			if e.Message != "" {
				line += ": " + Escape(e.Message)
			}
			out.printf("      %s\n", fitted(line, out.width-6))
		}
	}
}

// Warnings prints reads and pulls that went wrong. Of many at one account the
// first are shown.
func (t *textPass) Warnings(r *plan.Result) {
	t.v.Diagnostics(t.files, r.Diagnostics)
	shown := make(map[string]int)
	left := make(map[string]int)
	for _, w := range r.Warnings {
		if shown[w.Account]++; shown[w.Account] > t.most(maxFirst) {
			left[w.Account] += max(w.Count, 1)
			continue
		}
		t.v.Warn(warningSummary(w), w.Err.Error())
	}
	for _, w := range r.Warnings {
		if n := left[w.Account]; n > 0 {
			delete(left, w.Account)
			t.v.Warn(fmt.Sprintf("Trouble at %s with %s more: -verbose lists them", w.Account, plural(n, "item")), "")
		}
	}
	for i := range r.LossWindows {
		t.v.Warn("Records may have been lost", lossText(&r.LossWindows[i]))
	}
	if r.CredentialsFailed {
		t.v.Error(errCredentials)
	}
}

// listed names a few and counts the rest.
func listed(names []string) string {
	if len(names) > maxFirst {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxFirst], ", "), len(names)-maxFirst)
	}
	return strings.Join(names, ", ")
}

// lossText says of a loss window where, when, how many at most, and why.
func lossText(w *plan.LossWindow) string {
	where := w.Account
	if !w.Address.IsZero() {
		where = w.Address.String()
	}
	bound := "an unknown number of records"
	if w.Bound >= 0 {
		bound = "at most " + plural(int(w.Bound), "record")
	}
	text := fmt.Sprintf("%s, from %s to %s: %s", where, secondText(w.From), secondText(w.To), bound)
	if w.Salvaged > 0 {
		text += fmt.Sprintf(", beside %d that were saved", w.Salvaged)
	}
	return text + ". " + w.Detail
}

// AskApply prints the question of apply.
func (v *View) AskApply(r *plan.Result) {
	s := v.Err
	s.printf("\n%s\n", s.paint(bold, "Do you want to perform these actions?"))
	if len(r.Plan.Changes) > 0 || len(r.Plan.Accounts) > 0 {
		s.println("  Waybill will record the changes described above.")
	}
	if r.Reads > 0 {
		s.printf("  Waybill will read %s.\n", plural(r.Reads, "item"))
	}
	if len(r.Dependents) > 0 {
		s.printf("  What is read decides what is tracked and forgotten of %s.\n", listed(r.Dependents))
	}
	for i, pull := range r.Pulls {
		if i == maxNamed {
			s.printf("  ... and at %d more\n", len(r.Pulls)-i)
			break
		}
		s.printf("  Waybill will read and delete pending reports at %s.\n", pullPlace(pull))
	}
	s.println("  Only 'yes' will be accepted to approve.\n")
	s.printf("  %s ", s.paint(bold, "Enter a value:"))
}

// pullPlace names where a pull takes reports from: "ucloud org-34".
func pullPlace(pull plan.Pull) string {
	if pull.Project == "" {
		return pull.Account
	}
	return pull.Account + " " + pull.Project
}

// warningSummary says what went wrong where.
func warningSummary(w plan.Warning) string {
	var b strings.Builder
	b.WriteString("Trouble at " + w.Account)
	if w.Address != nil {
		b.WriteString(", " + w.Address.String())
	}
	if w.Count > 1 {
		b.WriteString(" (" + plural(w.Count, "item") + ")")
	}
	b.WriteString("; the stored values serve")
	return b.String()
}
