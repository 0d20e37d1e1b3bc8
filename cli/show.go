package cli

import (
	"context"
	"flag"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func showCommand() *command {
	var flags stateFlags
	var asJSON bool
	return &command{
		name:    "show",
		args:    "[PLANFILE]",
		summary: "Show the state",
		maxArgs: 1,
		flags: func(fs *flag.FlagSet) {
			flags.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print JSON: Terraform's state representation")
		},
		run: func(ctx context.Context, p *program, args []string) int {
			if len(args) == 1 {
				return p.fail(notInThisVersion("a saved plan (" + args[0] + ")"))
			}
			reader, where, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			var err error
			if asJSON {
				err = p.jsonState(ctx, reader, nil)
			} else {
				err = p.showState(ctx, reader, where)
			}
			if err != nil {
				return p.closing(reader, p.fail(contextError(ctx, err)))
			}
			return p.closing(reader, exitOK)
		},
	}
}

func statePullCommand() *command {
	var flags stateFlags
	return &command{
		name:    "state pull",
		summary: "Print the state as JSON, with its lineage and serial",
		flags:   flags.register,
		run: func(ctx context.Context, p *program, _ []string) int {
			reader, _, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			meta, err := reader.Meta(ctx)
			if err == nil {
				err = p.jsonState(ctx, reader, &meta)
			}
			if err != nil {
				return p.closing(reader, p.fail(fmt.Errorf("read state: %w", contextError(ctx, err))))
			}
			return p.closing(reader, exitOK)
		},
	}
}

// itemValues are an item's arguments and observed attributes as one JSON object.
func (p *program) itemValues(item *plan.Item) ([]byte, error) {
	values, err := plan.RecordedValues(item)
	if err != nil {
		return nil, fmt.Errorf("values of %s: %w", item.Address, err)
	}
	return values, nil
}

// suspended reports whether reads of an item are stopped, by its own block or
// its provider's.
func suspended(item *plan.Item, where located) bool {
	return item.Settings.Suspend || where.suspended[item.Account]
}

// storedOutputs are the outputs of a state, with the one of that name only when
// a name is given.
func storedOutputs(ctx context.Context, reader state.Reader, name string) ([]state.StoredOutput, error) {
	all, err := reader.Outputs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read outputs: %w", contextError(ctx, err))
	}
	if name == "" {
		return all, nil
	}
	var names []string
	for _, o := range all {
		if o.Name == name {
			return []state.StoredOutput{o}, nil
		}
		names = append(names, o.Name)
	}
	return nil, fmt.Errorf("the state has no output named %q%s\n\nA new output is there once waybill apply has run", name, didYouMean(name, names))
}
