package cli

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// showState prints all that is tracked, the outputs and the checks.
func (p *program) showState(ctx context.Context, reader state.Reader, where located) error {
	any := false
	for item, err := range reader.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return fmt.Errorf("read state: %w", err)
		}
		if any {
			p.out.println("")
		}
		any = true
		p.showItem(item, where)
	}
	if !any {
		p.out.println("Nothing is tracked.")
	}
	outputs, err := reader.Outputs(ctx)
	if err != nil {
		return fmt.Errorf("read outputs: %w", err)
	}
	if len(outputs) > 0 {
		p.out.println("\n\nOutputs:\n")
		if err := p.showOutputs(outputs); err != nil {
			return err
		}
	}
	checks, err := reader.Checks(ctx)
	if err != nil {
		return fmt.Errorf("read checks: %w", err)
	}
	if len(checks) > 0 {
		p.out.println("\n\nChecks:\n")
	}
	for _, c := range checks {
		p.out.printf("%s: %s\n", c.Name, c.State)
		for _, m := range c.Messages {
			p.out.println(wrap(m, p.out.width, "  "))
		}
	}
	return nil
}

// showItem prints one item as its resource block would look.
func (p *program) showItem(item *plan.Item, where located) {
	out := p.out
	title := "# " + item.Address.String() + ":"
	if suspended(item, where) {
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
		out.printf("    %s = %s\n", pad(a.name, width), valueText(a.value, "    "))
	}
	out.println("}")
	for _, e := range item.Expectations {
		text := fmt.Sprintf("# expect %q: %s since %s", e.Name, e.State, secondText(e.Since))
		if e.Message != "" {
			text += ": " + e.Message
		}
		out.println(text)
	}
	if item.LastError != "" {
		out.println("# last read failed: " + item.LastError)
	}
}

// showListed prints one line of state list.
func (p *program) showListed(item *plan.Item, where located) {
	if suspended(item, where) {
		p.out.printf("%s (suspended)\n", item.Address)
		return
	}
	p.out.println(item.Address.String())
}

// showMoved tells what state mv did.
func (p *program) showMoved(from []*plan.Item, to []state.ItemWrite) {
	for i := range min(len(from), maxShown) {
		p.out.printf("Moved %s to %s\n", from[i].Address, to[i].Address)
	}
	if more := len(from) - maxShown; more > 0 {
		p.out.printf("... and %d more\n", more)
	}
	p.out.printf("Successfully moved %s.\n", plural(len(from), "item"))
}

// showRemoved tells what state rm did.
func (p *program) showRemoved(items []*plan.Item) {
	for i := range min(len(items), maxShown) {
		p.out.printf("Removed %s\n", items[i].Address)
	}
	if more := len(items) - maxShown; more > 0 {
		p.out.printf("... and %d more\n", more)
	}
	p.out.printf("Successfully removed %s; the history is kept.\n", plural(len(items), "item"))
}

// showOutputs prints outputs as name = value.
func (p *program) showOutputs(outputs []state.StoredOutput) error {
	width := 0
	for _, o := range outputs {
		width = max(width, len(o.Name))
	}
	for _, o := range outputs {
		text, err := storedOutputText(o)
		if err != nil {
			return err
		}
		p.out.printf("%s = %s\n", pad(o.Name, width), text)
	}
	return nil
}

func storedOutputText(o state.StoredOutput) (string, error) {
	if o.Sensitive {
		return "<sensitive>", nil
	}
	v, err := agent.OutputValue(o)
	if err != nil {
		return "", err
	}
	return valueText(v, ""), nil
}

// plural is a count with its noun: 1 item, 2 items.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
