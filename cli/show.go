package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/tfjson"
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
			reader, where, err := p.openReader(flags)
			switch {
			case errors.Is(err, state.ErrNoState) && asJSON:
				if err := tfjson.WriteEmptyState(p.view.Out.JSON()); err != nil {
					return p.fail(err)
				}
				return exitOK
			case errors.Is(err, state.ErrNoState):
				p.view.NoState()
				return exitOK
			case err != nil:
				return p.fail(err)
			}
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
				err = p.jsonState(ctx, reader, &tfjson.Meta{Lineage: meta.Lineage, Serial: meta.Serial})
			}
			if err != nil {
				return p.closing(reader, p.fail(fmt.Errorf("read state: %w", contextError(ctx, err))))
			}
			return p.closing(reader, exitOK)
		},
	}
}

// results are what a state records beside its items.
func results(ctx context.Context, reader state.Reader) ([]plan.Output, []plan.Check, error) {
	outputs, err := recordedOutputs(ctx, reader)
	if err != nil {
		return nil, nil, err
	}
	checks, err := reader.Checks(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read checks: %w", err)
	}
	return outputs, checks, nil
}

// jsonState prints the state representation; with meta, also lineage and serial.
func (p *program) jsonState(ctx context.Context, reader state.Reader, meta *tfjson.Meta) error {
	outputs, checks, err := results(ctx, reader)
	if err != nil {
		return err
	}
	return tfjson.WriteState(p.view.Out.JSON(), tfjson.State{
		Version: Version, Meta: meta, Outputs: outputs, Checks: checks,
		Items: reader.Items(ctx, state.ItemFilter{Paged: true}), Provider: p.view.ProviderOf,
	})
}

// showState prints the state for people.
func (p *program) showState(ctx context.Context, reader state.Reader, where located) error {
	outputs, checks, err := results(ctx, reader)
	if err != nil {
		return err
	}
	items := reader.Items(ctx, state.ItemFilter{Paged: true})
	return p.view.State(items, func(item *plan.Item) bool { return suspended(item, where) }, outputs, checks)
}

// suspended reports whether reads of an item are stopped, by its own block or
// its provider's.
func suspended(item *plan.Item, where located) bool {
	return item.Settings.Suspend || where.suspended[item.Account]
}
