package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
)

// errCredentials is the last word of a pass that a vendor refused.
var errCredentials = errors.New("a vendor refused the credentials: mend the provider block, the environment or the clock, as the warning above says; everything else is done")

// outputs prints the outputs that change.
func (v *textPassView) outputs(list []agent.OutputChange) {
	var changed []agent.OutputChange
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
	out := v.p.out
	out.println("\nChanges to Outputs:")
	for _, o := range changed {
		name := pad(o.Name, width)
		before, after := outputText(o, o.Before), outputText(o, o.After)
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

func outputText(o agent.OutputChange, value cty.Value) string {
	switch {
	case o.Sensitive:
		return sensitiveText
	case value == cty.NilVal:
		return "null"
	}
	return valueText(value, "    ")
}

// failing prints the expectations and checks that fail.
func (v *textPassView) failing(r *agent.Result) {
	out := v.p.out
	warning := out.paint(yellow, "Warning:")
	shown, more := 0, 0
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if e.State != plan.ExpectFailed {
			continue
		}
		if shown == maxShown {
			more++
			continue
		}
		shown++
		out.printf("\n%s Expectation failed\n\n  on %s, expect %q, since %s\n", warning, e.Address, e.Name, secondText(e.Since))
		if e.Message != "" {
			out.printf("\n%s\n", wrap(e.Message, out.width, "  "))
		}
	}
	if more > 0 {
		out.printf("\n  ... and %d more expectations that fail\n", more)
	}
	for _, c := range r.Checks {
		switch c.State {
		case plan.CheckFail:
			out.printf("\n%s Check block assertion failed\n\n  in check %q\n", warning, c.Name)
		case plan.CheckError:
			out.printf("\n%s Check block could not be evaluated\n\n  in check %q\n", warning, c.Name)
		default:
			continue
		}
		for _, m := range c.Messages {
			out.printf("\n%s\n", wrap(m, out.width, "  "))
		}
	}
}

// warnings prints reads and pulls that went wrong.
func (v *textPassView) warnings(r *agent.Result) {
	v.p.diagnostics(v.files, r.Diagnostics)
	for _, w := range r.Warnings {
		v.p.warn(warningSummary(w), w.Err.Error())
	}
	for i := range r.LossWindows {
		v.p.warn("Records may have been lost", lossText(&r.LossWindows[i]))
	}
	if r.CredentialsFailed {
		v.p.fail(errCredentials)
	}
}

// listed names a few and counts the rest.
func listed(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// lossText says of a loss window where, when, how many at most, and why.
func lossText(w *plan.LossWindow) string {
	where := w.Account
	if w.Address.Type() != "" {
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

// askView prints the question of apply.
func (p *program) askView(r *agent.Result) {
	s := p.err
	s.printf("\n%s\n", s.paint(bold, "Do you want to perform these actions?"))
	if len(r.Plan.Changes) > 0 {
		s.println("  Waybill will record the changes described above.")
	}
	if r.Reads > 0 {
		s.printf("  Waybill will read %s.\n", plural(r.Reads, "item"))
	}
	if len(r.Dependents) > 0 {
		s.printf("  What is read decides what is tracked and forgotten of %s.\n", listed(r.Dependents))
	}
	for i, pull := range r.Pulls {
		if i == maxShown {
			s.printf("  ... and at %d more\n", len(r.Pulls)-maxShown)
			break
		}
		s.printf("  Waybill will read and delete pending reports at %s.\n", pullPlace(pull))
	}
	s.println("  Only 'yes' will be accepted to approve.\n")
	s.printf("  %s ", s.paint(bold, "Enter a value:"))
}

// pullPlace names where a pull takes reports from: "ucloud org-34".
func pullPlace(pull agent.Pull) string {
	if pull.Project == "" {
		return pull.Account
	}
	return pull.Account + " " + pull.Project
}

// warningSummary says what went wrong where.
func warningSummary(w agent.Warning) string {
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
