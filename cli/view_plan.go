package cli

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// maxShown is how many changes of a section are shown for people.
const maxShown = 50

// textPassView prints a pass for people.
type textPassView struct {
	p     *program
	bar   *progressBar
	files map[string]*hcl.File // sources of the configuration
}

func (v *textPassView) begin() {}

func (v *textPassView) diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) {
	v.bar.done()
	v.files = files
	v.p.reportLoad(files, diags)
}

func (v *textPassView) progress(s agent.Progress) { v.bar.show(s) }
func (v *textPassView) progressDone()             { v.bar.done() }
func (v *textPassView) fail(err error) int        { return v.p.fail(err) }
func (v *textPassView) applying(*agent.Result)    {}

// planned prints the plan; its last line is frozen.
func (v *textPassView) planned(r *agent.Result, mode plannedMode) {
	out := v.p.out
	v.changes(r.Plan.Changes, mode)
	v.waiting(r)
	if mode == plannedDry {
		v.drift(r.Plan.Drift)
		v.outputs(r.Outputs)
		v.failing(r)
	}
	if mode == plannedApply && r.Plan.Counts().Empty() {
		return // whether nothing changed is known after the reads
	}
	line := planLine(r.Plan.Counts())
	if head, rest, ok := strings.Cut(line, ":"); ok {
		line = out.paint(bold, head+":") + rest
	} else {
		line = out.paint(bold+";"+green, line)
	}
	out.printf("\n%s\n", line)
}

// waiting names what is declared and cannot be told yet.
func (v *textPassView) waiting(r *agent.Result) {
	if len(r.Deferred) == 0 {
		return
	}
	out := v.p.out
	out.println("\nDepends on what is not read yet, so that apply may track or forget more:\n")
	for i, name := range r.Deferred {
		if i == maxShown {
			out.printf("  ... and %d more\n", len(r.Deferred)-maxShown)
			break
		}
		out.printf("  %s\n", name)
	}
}

// applied prints what an apply found and did; the last line tells the counts.
func (v *textPassView) applied(r *agent.Result) {
	v.drift(r.Plan.Drift)
	v.outputs(r.Outputs)
	v.failing(r)
	for _, pull := range r.Pulls {
		v.p.out.printf("\nPulled %d reports at %s (%s).\n", pull.Pulled, pullPlace(pull), pull.Address)
	}
	if r.Plan.Counts().Empty() {
		v.p.out.printf("\n%s\n", v.p.out.paint(bold+";"+green, noChangesLine))
	}
	v.p.out.printf("\n%s\n", v.p.out.paint(bold+";"+green, applyLine(r.Plan.Counts())))
}

// changes prints the changes of the declaration.
func (v *textPassView) changes(list []plan.Change, mode plannedMode) {
	if len(list) == 0 {
		return
	}
	out := v.p.out
	verb := "will"
	if mode == plannedDry {
		verb = "would"
	}
	out.printf("\nApply %s record the following changes of the declaration:\n", verb)
	for _, symbol := range usedSymbols(list) {
		out.printf("  %s %s\n", out.paint(symbol.color, symbol.text), symbol.meaning)
	}
	for i := range list {
		if i == maxShown {
			out.printf("\n  ... and %d more changes\n", len(list)-maxShown)
			break
		}
		out.println("")
		v.change(&list[i])
	}
}

type symbol struct{ text, color, meaning string }

func symbolOf(a plan.Action) symbol {
	switch a {
	case plan.Track:
		return symbol{"+", green, "track"}
	case plan.Forget:
		return symbol{"-", red, "forget (the history is kept)"}
	}
	return symbol{"~", yellow, "change"}
}

func usedSymbols(list []plan.Change) []symbol {
	var used []symbol
	for _, want := range []plan.Action{plan.Track, plan.Update, plan.Forget} {
		for i := range list {
			if symbolOf(list[i].Action) == symbolOf(want) {
				used = append(used, symbolOf(want))
				break
			}
		}
	}
	return used
}

// change prints one change of the declaration.
func (v *textPassView) change(c *plan.Change) {
	out := v.p.out
	title := map[plan.Action]string{
		plan.Track:  "will be tracked",
		plan.Update: "will be changed",
		plan.Forget: "will be forgotten",
	}[c.Action]
	if c.Action == plan.Moved {
		v.title(c.From.String(), "has moved to "+c.Address.String())
		if len(c.Fields) == 0 {
			return
		}
	} else {
		v.title(c.Address.String(), title)
	}
	s := symbolOf(c.Action)
	mark := out.paint(s.color, s.text)
	out.printf("  %s resource %q %q {\n", mark, c.Address.Type(), c.Address.Name())
	switch c.Action {
	case plan.Track:
		v.attributes(mark, shownArguments(c.Desired.Args), "")
		if t := v.p.typeOf(c.Address.Type()); t != nil && t.Kind == plan.Polled {
			out.printf("        %s\n", out.paint(dim, fmt.Sprintf("# (%d attributes known after the first read)", len(t.ObservedType().AttributeTypes()))))
		}
	case plan.Forget:
		v.attributes(mark, shownArguments(c.Item.Args), "")
	default:
		v.fields(c.Fields)
		if len(c.Fields) == 0 && c.Action == plan.Update {
			out.printf("        %s\n", out.paint(dim, "# (its block was edited)"))
		}
	}
	out.println("    }")
}

func (v *textPassView) title(address, text string) {
	v.p.out.printf("  %s %s\n", v.p.out.paint(bold, "# "+address), text)
}

// shownArguments are an item's arguments without the meta-arguments that say
// nothing.
func shownArguments(args []byte) []attribute {
	list := attributesOf(args)
	kept := list[:0]
	for _, a := range list {
		if (a.name == "suspend" || a.name == "prevent_forget") && a.value.RawEquals(cty.False) {
			continue
		}
		kept = append(kept, a)
	}
	return kept
}

// attributes prints names and values, each behind the mark.
func (v *textPassView) attributes(mark string, list []attribute, suffix string) {
	width := nameWidth(list)
	for _, a := range list {
		v.p.out.printf("      %s %s = %s%s\n", mark, pad(a.name, width), valueText(a.value, "        "), suffix)
	}
}

// fields prints differences by path.
func (v *textPassView) fields(fields []value.Field) {
	out := v.p.out
	width := 0
	for _, f := range fields {
		width = max(width, len(f.Path))
	}
	const indent = "        "
	for _, f := range fields {
		absent := func(b []byte) bool { return len(b) == 0 || string(b) == "null" }
		switch {
		case absent(f.Before):
			out.printf("      %s %s = %s\n", out.paint(green, "+"), pad(f.Path, width), jsonText(f.After, indent))
		case absent(f.After):
			out.printf("      %s %s = %s %s null\n", out.paint(red, "-"), pad(f.Path, width), jsonText(f.Before, indent), out.paint(dim, "->"))
		default:
			out.printf("      %s %s = %s %s %s\n", out.paint(yellow, "~"), pad(f.Path, width), jsonText(f.Before, indent), out.paint(yellow, "->"), jsonText(f.After, indent))
		}
	}
}

// drift prints what vendors and the clock changed.
func (v *textPassView) drift(list []plan.Change) {
	if len(list) == 0 {
		return
	}
	out := v.p.out
	out.println("\nChanges at the vendors since the state was written:")
	for i := range list {
		if i == maxShown {
			out.printf("\n  ... and %d more items that changed\n", len(list)-maxShown)
			break
		}
		c := &list[i]
		out.println("")
		v.title(c.Address.String(), "has changed")
		out.printf("  %s resource %q %q {\n", out.paint(yellow, "~"), c.Address.Type(), c.Address.Name())
		v.fields(c.Fields)
		out.println("    }")
	}
}

// countsText is the frozen part of both last lines.
func countsText(c plan.Counts, track, change, forget string) string {
	return fmt.Sprintf("%d %s, %d %s, %d %s. %d changed remotely.", c.Track, track, c.Change, change, c.Forget, forget, c.Remote)
}
