package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/tfjson"
)

func stateListCommand() *command {
	var flags stateFlags
	return &command{
		name:    "state list",
		args:    "[ADDRESS...]",
		summary: "List what is tracked",
		detail:  "An address without a key lists all instances of its block. What is suspended is marked so.",
		maxArgs: -1,
		flags:   flags.register,
		run: func(ctx context.Context, p *program, args []string) int {
			reader, where, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			return p.closing(reader, p.stateList(ctx, reader, where, args))
		},
	}
}

func (p *program) stateList(ctx context.Context, reader state.Reader, where located, args []string) int {
	filters := []state.ItemFilter{{Declared: true}}
	var wanted []plan.Address
	if len(args) > 0 {
		filters = nil
		for _, arg := range args {
			a, err := plan.ParseAddress(arg)
			if err != nil {
				return p.fail(err)
			}
			wanted = append(wanted, a)
			filters = append(filters, state.ItemFilter{Type: a.Type(), Name: a.Name(), Declared: true})
		}
	}
	for i, filter := range filters {
		found := false
		filter.Paged = true // whoever reads the list may take his time
		for item, err := range reader.Items(ctx, filter) {
			if err != nil {
				return p.fail(fmt.Errorf("read state: %w", contextError(ctx, err)))
			}
			if wanted != nil && !wanted[i].Covers(item.Address) {
				continue
			}
			found = true
			p.view.Listed(item, suspended(item, where))
		}
		if wanted != nil && !found {
			return p.fail(notTracked(ctx, reader, wanted[i]))
		}
	}
	return exitOK
}

// notTracked is the error for an address that nothing is tracked at, with the
// nearest that there is.
func notTracked(ctx context.Context, reader state.Reader, a plan.Address) error {
	return fmt.Errorf("nothing is tracked at %s%s\n\nTo see what is, run: waybill state list", a, didYouMean(a.String(), nearTo(ctx, reader, a)))
}

// nearTo are the names that somebody may have meant by an address: the instances of
// its block, where it has a key, and the blocks of its type.
func nearTo(ctx context.Context, reader state.Reader, a plan.Address) []string {
	const enough = 10000
	var near []string
	seen := make(map[string]bool)
	for item, err := range reader.Items(ctx, state.ItemFilter{Type: a.Type(), Declared: true}) {
		if err != nil || len(near) >= enough {
			break
		}
		if name := item.Address.String(); !a.Key().IsNone() && item.Address.Block() == a.Block() {
			near = append(near, name)
		} else if block := item.Address.Block(); !seen[block] {
			seen[block] = true
			near = append(near, block)
		}
	}
	return near
}

// itemAt is the tracked item at an address; the error says what there is instead.
func itemAt(ctx context.Context, reader state.Reader, a plan.Address) (*plan.Item, error) {
	item, err := reader.Item(ctx, a)
	if errors.Is(err, state.ErrNotFound) {
		return nil, noInstance(ctx, reader, a)
	}
	if err != nil {
		return nil, fmt.Errorf("read state: %w", contextError(ctx, err))
	}
	return item, nil
}

// noInstance is the error for an address that is not an instance's: it may be that
// of a block that has some.
func noInstance(ctx context.Context, reader state.Reader, a plan.Address) error {
	var first plan.Address
	n := 0
	for item, err := range reader.Items(ctx, state.ItemFilter{Type: a.Type(), Name: a.Name(), Declared: true}) {
		if err != nil {
			return fmt.Errorf("read state: %w", contextError(ctx, err))
		}
		if n++; n == 1 {
			first = item.Address
		}
	}
	if n == 0 || !a.Key().IsNone() {
		return notTracked(ctx, reader, a)
	}
	return fmt.Errorf("%s has %s: name one of them, such as %s\n\nTo see all, run: waybill state list %s", a, instances(n), first, a)
}

func instances(n int) string {
	if n == 1 {
		return "1 instance"
	}
	return fmt.Sprintf("%d instances", n)
}

func stateShowCommand() *command {
	var flags stateFlags
	var asJSON bool
	return &command{
		name:    "state show",
		args:    "ADDRESS",
		summary: "Show one tracked item",
		minArgs: 1,
		maxArgs: 1,
		flags: func(fs *flag.FlagSet) {
			flags.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print JSON, as terraform state show -json does")
		},
		run: func(ctx context.Context, p *program, args []string) int {
			a, err := plan.ParseAddress(args[0])
			if err != nil {
				return p.fail(err)
			}
			reader, where, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			item, err := itemAt(ctx, reader, a)
			if err != nil {
				return p.closing(reader, p.fail(err))
			}
			if asJSON {
				p.view.JSON(tfjson.Show(tfjson.ResourceOf(item, p.view.ProviderOf(a.Type()))))
				return p.closing(reader, exitOK)
			}
			windows, err := reader.LossWindows(ctx)
			if err != nil {
				return p.closing(reader, p.fail(fmt.Errorf("read loss windows: %w", contextError(ctx, err))))
			}
			windows = slices.DeleteFunc(windows, func(w plan.LossWindow) bool { return w.Address != a })
			p.view.Item(item, suspended(item, where), windows)
			return p.closing(reader, exitOK)
		},
	}
}
