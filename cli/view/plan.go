package view

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// textPass prints a pass for people. What is much is shown in part, by block: see
// groups.go.
type textPass struct {
	v       *View
	bar     *Progress
	files   map[string]*hcl.File // sources of the configuration
	verbose bool
}

func (t *textPass) Begin() {}

func (t *textPass) Diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) {
	t.bar.Done()
	t.files = files
	t.v.Load(files, diags)
}

func (t *textPass) Progress(p plan.Progress) { t.bar.Show(p) }
func (t *textPass) ProgressDone()            { t.bar.Done() }
func (t *textPass) Error(err error)          { t.v.Error(err) }
func (t *textPass) Applying(*plan.Result)    {}

// Planned prints the plan; its last line is frozen.
func (t *textPass) Planned(r *plan.Result, dry bool) {
	t.changes(&r.Plan, dry)
	t.waiting(r)
	if dry {
		t.drift(r.Plan.Drift)
		t.changedOutputs(r.Outputs)
		t.failing(r)
	}
	if !dry && r.Plan.Counts().Empty() {
		return // whether nothing changed is known after the reads
	}
	t.v.Out.printf("\n%s\n", t.v.Out.headed(planLine(r.Plan.Counts())))
}

// waiting names what is declared and cannot be told yet.
func (t *textPass) waiting(r *plan.Result) {
	if len(r.Deferred) == 0 {
		return
	}
	out := t.v.Out
	out.println("\nDepends on what is not read yet, so that apply may track or forget more:\n")
	for i, name := range r.Deferred {
		if i == t.most(maxNamed) {
			out.printf("  %s\n", more(len(r.Deferred)-i))
			break
		}
		out.printf("  %s\n", name)
	}
}

// Applied prints what an apply found and did, its counts, and the outputs.
func (t *textPass) Applied(r *plan.Result) {
	out := t.v.Out
	t.drift(r.Plan.Drift)
	t.changedOutputs(r.Outputs)
	t.failing(r)
	for _, pull := range r.Pulls {
		out.printf("\nPulled %s at %s (%s).\n", plural(pull.Pulled, "report"), pullPlace(pull), pull.Address)
	}
	if r.Plan.Counts().Empty() {
		out.printf("\n%s\n", out.paint(bold+";"+green, noChangesLine))
	}
	out.printf("\n%s\n", out.paint(bold+";"+green, Text(applyLine(r.Plan.Counts()))))
	t.outputs(r.Outputs)
}

// changes prints the changes of the declaration, forgets first: they are what a
// reader must not overlook.
func (t *textPass) changes(p *plan.Plan, dry bool) {
	list := p.Changes
	if len(list) == 0 && len(p.Accounts) == 0 {
		return
	}
	out := t.v.Out
	verb := "will"
	if dry {
		verb = "would"
	}
	out.printf("\nApply %s record the following changes of the declaration:\n", verb)
	for _, s := range usedSymbols(p) {
		out.printf("  %s %s\n", out.paint(s.color, s.text), s.meaning)
	}
	for _, a := range p.Accounts {
		out.println("")
		t.title("provider "+a.Name, "will be changed")
		out.printf("  %s provider %q {\n", out.paint(yellow, "~"), a.Name)
		t.fields(a.Fields)
		out.println("    }")
	}
	var forgets, others []*plan.Change
	for i := range list {
		if c := &list[i]; c.Action == plan.Forget {
			forgets = append(forgets, c)
		} else {
			others = append(others, c)
		}
	}
	if t.verbose || len(list) <= maxFull {
		for _, c := range append(forgets, others...) {
			out.println("")
			t.change(c)
		}
		return
	}
	if len(list) == 0 {
		return
	}
	out.println("")
	t.groups(groupsOf(forgets), maxNamed)
	t.groups(groupsOf(others), maxFirst)
}

type symbol struct {
	text    Text
	color   string
	meaning Text
}

func symbolOf(a plan.Action) symbol {
	switch a {
	case plan.Track:
		return symbol{"+", green, "track"}
	case plan.Forget:
		return symbol{"-", red, "forget (the history is kept)"}
	}
	return symbol{"~", yellow, "change"}
}

func usedSymbols(p *plan.Plan) []symbol {
	counts := p.Counts()
	var used []symbol
	for _, s := range []struct {
		n  int
		of plan.Action
	}{{counts.Track, plan.Track}, {counts.Change, plan.Update}, {counts.Forget, plan.Forget}} {
		if s.n > 0 {
			used = append(used, symbolOf(s.of))
		}
	}
	return used
}

// change prints one change of the declaration in full.
func (t *textPass) change(c *plan.Change) {
	out := t.v.Out
	titles := map[plan.Action]Text{
		plan.Track:  "will be tracked",
		plan.Update: "will be changed",
		plan.Forget: "will be forgotten",
	}
	if c.Action == plan.Moved {
		t.title(c.From.String(), "has moved to "+Escape(c.Address.String()))
		if len(c.Fields) == 0 {
			return
		}
	} else {
		t.title(c.Address.String(), titles[c.Action])
	}
	s := symbolOf(c.Action)
	mark := out.paint(s.color, s.text)
	out.printf("  %s resource %q %q {\n", mark, c.Address.Type(), c.Address.Name())
	switch c.Action {
	case plan.Track:
		t.attributes(mark, shownArguments(c.Desired.Args))
		if typ := t.v.TypeOf(c.Address.Type()); typ != nil && typ.Kind == plan.Polled {
			out.printf("        %s\n", out.paint(dim, sprintf("# (%d attributes known after the first read)", len(typ.ObservedType().AttributeTypes()))))
		}
	case plan.Forget:
		t.attributes(mark, shownArguments(c.Item.Args))
	default:
		t.fields(c.Fields)
		if len(c.Fields) == 0 && c.Action == plan.Update {
			out.printf("        %s\n", out.paint(dim, "# (its block was edited)"))
		}
	}
	out.println("    }")
}

func (t *textPass) title(address string, text Text) {
	t.v.Out.printf("  %s %s\n", t.v.Out.paint(bold, "# "+Escape(address)), text)
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
func (t *textPass) attributes(mark Text, list []attribute) {
	width := nameWidth(list)
	for _, a := range list {
		t.v.Out.printf("      %s %s = %s\n", mark, pad(Escape(a.name), width), valueText(a.value, "        "))
	}
}

// fields prints differences by path.
func (t *textPass) fields(fields []value.Field) {
	out := t.v.Out
	width := 0
	for _, f := range fields {
		width = max(width, columnsOf(Escape(f.Path)))
	}
	const indent = "        "
	for _, f := range fields {
		path := pad(Escape(f.Path), width)
		switch {
		case absent(f.Before):
			out.printf("      %s %s = %s\n", out.paint(green, "+"), path, jsonText(f.After, indent))
		case absent(f.After):
			out.printf("      %s %s = %s %s null\n", out.paint(red, "-"), path, jsonText(f.Before, indent), out.paint(dim, "->"))
		default:
			out.printf("      %s %s = %s %s %s\n", out.paint(yellow, "~"), path, jsonText(f.Before, indent), out.paint(yellow, "->"), jsonText(f.After, indent))
		}
	}
}

// absent reports whether a difference has nothing on one side.
func absent(b []byte) bool { return len(b) == 0 || string(b) == "null" }

// drift prints what vendors and the clock changed.
func (t *textPass) drift(list []plan.Change) {
	if len(list) == 0 {
		return
	}
	out := t.v.Out
	out.println("\nChanges at the vendors since the state was written:")
	if !t.verbose && len(list) > maxFull {
		all := make([]*plan.Change, len(list))
		for i := range list {
			all[i] = &list[i]
		}
		out.println("")
		t.groups(groupsOf(all), maxFirst)
		return
	}
	for i := range list {
		c := &list[i]
		out.println("")
		t.title(c.Address.String(), "has changed")
		out.printf("  %s resource %q %q {\n", out.paint(yellow, "~"), c.Address.Type(), c.Address.Name())
		t.fields(c.Fields)
		out.println("    }")
	}
}
