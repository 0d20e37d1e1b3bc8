package view

import (
	"fmt"
	"iter"

	"github.com/waybill-dev/waybill/plan"
)

// State prints all that is tracked, the outputs and the checks.
func (v *View) State(items iter.Seq2[*plan.Item, error], suspended func(*plan.Item) bool, outputs []plan.Output, checks []plan.Check) error {
	any := false
	for item, err := range items {
		if err != nil {
			return fmt.Errorf("read state: %w", err)
		}
		if any {
			v.Out.println("")
		}
		any = true
		v.Item(item, suspended(item), nil)
	}
	if !any {
		v.Out.println("Nothing is tracked.")
	}
	if len(outputs) > 0 {
		v.Out.println("\n\nOutputs:\n")
		v.Outputs(outputs)
	}
	if len(checks) > 0 {
		v.Out.println("\n\nChecks:\n")
	}
	for _, c := range checks {
		v.Out.printf("%s: %s\n", c.Name, c.State)
		for _, m := range c.Messages {
			v.Out.println(wrap(m, v.Out.width, "  "))
		}
	}
	return nil
}

// NoState prints that there is no state yet.
func (v *View) NoState() { v.Out.println("No state.") }

// Item prints one item as its resource block would look, with what is known of it
// beside: its expectations, its last failure, and the loss windows of a pull policy.
func (v *View) Item(item *plan.Item, suspended bool, windows []plan.LossWindow) {
	out := v.Out
	title := Text("# ") + Escape(item.Address.String()) + ":"
	if suspended {
		title += " (suspended)"
	}
	out.println(out.paint(bold, title))
	out.printf("resource %q %q {\n", item.Address.Type(), item.Address.Name())
	values, err := plan.RecordedValues(item)
	if err != nil { // what can be shown of a damaged state is
		values = item.Args
	}
	list := attributesOf(values)
	width := nameWidth(list)
	for _, a := range list {
		out.printf("    %s = %s\n", pad(Escape(a.name), width), valueText(a.value, "    "))
	}
	out.println("}")
	for _, e := range item.Expectations {
		text := fmt.Sprintf("expect %q: %s since %s", e.Name, e.State, secondText(e.Since))
		if e.Message != "" {
			text += ": " + e.Message
		}
		out.println(wrap(text, out.width, "# "))
	}
	if item.LastError != "" {
		out.println(wrap("last read failed: "+item.LastError, out.width, "# "))
	}
	for i := range windows {
		out.println(wrap("records may have been lost: "+lossText(&windows[i]), out.width, "# "))
	}
}

// Listed prints one line of state list.
func (v *View) Listed(item *plan.Item, suspended bool) {
	if suspended {
		v.Out.printf("%s (suspended)\n", item.Address)
		return
	}
	v.Out.printf("%s\n", item.Address)
}

// Moved tells what state mv did, in the order of both lists.
func (v *View) Moved(from, to []plan.Address) {
	for i := range min(len(from), maxNamed) {
		v.Out.printf("Moved %s to %s\n", from[i], to[i])
	}
	v.rest(len(from))
	v.Out.printf("Moved %s.\n", plural(len(from), "item"))
}

// Removed tells what state rm did.
func (v *View) Removed(items []plan.Address) {
	for i := range min(len(items), maxNamed) {
		v.Out.printf("Removed %s\n", items[i])
	}
	v.rest(len(items))
	v.Out.printf("Removed %s; the history is kept.\n", plural(len(items), "item"))
}

func (v *View) rest(n int) {
	if n > maxNamed {
		v.Out.printf("... and %s more\n", count(n-maxNamed))
	}
}
