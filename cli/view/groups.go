package view

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// How much of a pass people are shown without -verbose. Up to maxFull changes are
// shown with all their values. Of more, each block tells how many there are and
// names the first; of forgets it names more, for a forget that nobody meant is what
// a plan is read for.
const (
	maxFull  = 20
	maxNamed = 20
	maxFirst = 3
	// maxLines is how long the value of an output may be to be shown in full.
	maxLines = 20
)

// most is how many of something are shown.
func (t *textPass) most(n int) int {
	if t.verbose {
		return math.MaxInt
	}
	return n
}

// more tells what was left out and how to see it.
func more(n int) Text { return Text("... and " + count(n) + " more: -verbose lists them") }

// group is what happens alike to the items of one block.
type group struct {
	block   string
	action  plan.Action
	changes []*plan.Change
}

// groupsOf gathers changes by block and action, in the order of their first.
func groupsOf(changes []*plan.Change) []*group {
	type key struct {
		block  string
		action plan.Action
	}
	at := make(map[key]*group)
	var list []*group
	for _, c := range changes {
		k := key{c.Address.Block(), c.Action}
		if at[k] == nil {
			at[k] = &group{block: k.block, action: k.action}
			list = append(list, at[k])
		}
		at[k].changes = append(at[k].changes, c)
	}
	return list
}

// groups prints each group: how many, and the first by name.
func (t *textPass) groups(list []*group, most int) {
	out := t.v.Out
	verbs := map[plan.Action]Text{
		plan.Track: "to track", plan.Update: "to change", plan.Moved: "to move", plan.Forget: "to forget", plan.Observe: "changed",
	}
	for _, g := range list {
		s := symbolOf(g.action)
		mark := out.paint(s.color, s.text)
		indent := Text("  ")
		if len(g.changes) > 1 {
			out.printf("  %s %s %s%s\n", out.paint(bold, Escape(g.block)+":"), count(len(g.changes)), verbs[g.action], outcomesOf(g.changes))
			indent = "    "
		}
		for i, c := range g.changes {
			if i == most {
				out.printf("      %s\n", more(len(g.changes)-i))
				break
			}
			line := Escape(c.Address.String())
			if c.From != nil {
				line = Escape(c.From.String()) + " -> " + line
			}
			var note Text
			if g.action != plan.Track && g.action != plan.Forget {
				note = fieldsNote(c.Fields, out.width-len(indent)-2-columnsOf(line))
			}
			out.printf("%s%s %s%s\n", indent, mark, line, note)
		}
	}
}

// outcomesOf counts what became of items that changed at a vendor:
// " (9,990 succeeded, 8 failed)".
func outcomesOf(changes []*plan.Change) Text {
	counts := make(map[string]int)
	for _, c := range changes {
		if c.Action != plan.Observe {
			return ""
		}
		for _, f := range c.Fields {
			if f.Path == "outcome" {
				counts[string(jsonText(f.After, ""))]++
			}
		}
	}
	if len(counts) == 0 {
		return ""
	}
	var text Text
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		if text != "" {
			text += ", "
		}
		text += Text(count(counts[outcome])) + " " + Text(strings.Trim(outcome, `"`))
	}
	return " (" + text + ")"
}

// fieldsNote tells the differences of one item in the room that is left on its
// line: with values, by their paths, or by their number.
func fieldsNote(fields []value.Field, room int) Text {
	if len(fields) == 0 {
		return ""
	}
	shown := slices.SortedStableFunc(slices.Values(fields), func(a, b value.Field) int { return cmp.Compare(rank(a.Path), rank(b.Path)) })
	var values, paths Text
	for i, f := range shown {
		if i > 0 {
			values, paths = values+", ", paths+", "
		}
		path := Escape(f.Path)
		before := Text("null")
		if !absent(f.Before) {
			before = jsonText(f.Before, "")
		}
		values += path + ": " + before + " -> " + jsonText(f.After, "")
		paths += path
	}
	for _, note := range []Text{values, paths, Text(plural(len(fields), "attribute"))} {
		note = " (" + note + ")"
		if columnsOf(note) <= room && !strings.Contains(string(note), "\n") {
			return note
		}
	}
	return ""
}

// rank puts what matters most in the few words of one line first.
func rank(path string) int {
	switch path {
	case "outcome":
		return 0
	case "status":
		return 1
	}
	return 2
}
