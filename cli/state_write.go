package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func stateMoveCommand() *command {
	var flags stateFlags
	return &command{
		name:    "state mv",
		writes:  true,
		args:    "FROM TO",
		summary: "Give a tracked item another address",
		detail: "An address without a key moves all instances of its block. Edit the configuration too, or write a moved block instead: " +
			"otherwise the next apply moves the item back.",
		minArgs: 2,
		maxArgs: 2,
		flags:   flags.register,
		run: func(ctx context.Context, p *program, args []string) int {
			from, err := plan.ParseAddress(args[0])
			if err != nil {
				return p.fail(err)
			}
			to, err := plan.ParseAddress(args[1])
			if err != nil {
				return p.fail(err)
			}
			if from.Type() != to.Type() {
				return p.fail(fmt.Errorf("%s cannot move to %s: an item keeps its type", from, to))
			}
			return p.edit(flags, "state mv", func(store state.Store) error {
				return p.stateMove(ctx, store, from, to)
			})
		},
	}
}

// edit opens the state for writing, under its lock, and runs an edit.
func (p *program) edit(flags stateFlags, name string, work func(state.Store) error) int {
	where, ok := p.locate(flags)
	if !ok {
		return exitError
	}
	if !fileExists(where.path) {
		return p.fail(fmt.Errorf("there is no state at %s yet", where.path))
	}
	store, err := p.writer(where.path, name)
	if err != nil {
		return p.fail(err)
	}
	if err := work(store); err != nil {
		return p.closing(store, p.fail(err))
	}
	return p.closing(store, exitOK)
}

// covered are the tracked items that an address names.
func covered(ctx context.Context, store state.Store, a plan.Address) ([]*plan.Item, error) {
	var items []*plan.Item
	for item, err := range store.Items(ctx, state.ItemFilter{Type: a.Type(), Name: a.Name()}) {
		if err != nil {
			return nil, fmt.Errorf("read state: %w", contextError(ctx, err))
		}
		if a.Covers(item.Address) {
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		return nil, notTracked(ctx, store, a)
	}
	return items, nil
}

func (p *program) stateMove(ctx context.Context, store state.Store, from, to plan.Address) error {
	items, err := covered(ctx, store, from)
	if err != nil {
		return err
	}
	block := from.Key().IsNone() && !(len(items) == 1 && items[0].Address.Key().IsNone())
	if block && !to.Key().IsNone() {
		return fmt.Errorf("%s names %d instances, which cannot all move to %s: leave the key out", from, len(items), to)
	}
	moves := make([]record.Move, len(items))
	was, is := make([]plan.Address, len(items)), make([]plan.Address, len(items))
	for i, item := range items {
		target := to
		if block {
			target = target.WithKey(item.Address.Key())
		}
		if item.Address == target {
			return fmt.Errorf("%s is its address already", target)
		}
		switch _, err := store.Item(ctx, target); {
		case err == nil:
			return fmt.Errorf("something is tracked at %s already: move or remove it first", target)
		case !errors.Is(err, state.ErrNotFound):
			return fmt.Errorf("read state: %w", contextError(ctx, err))
		}
		moves[i], was[i], is[i] = record.Move{Item: item, To: target}, item.Address, target
	}
	if err := p.recorder(store).Move(ctx, moves); err != nil {
		return contextError(ctx, err)
	}
	p.view.Moved(was, is)
	return nil
}

// recorder records edits of a state.
func (p *program) recorder(store state.Store) *record.Recorder {
	return record.New(record.Options{Store: store, Now: p.now, Log: p.log})
}

func stateRemoveCommand() *command {
	var flags stateFlags
	return &command{
		name:    "state rm",
		writes:  true,
		args:    "ADDRESS...",
		summary: "Forget tracked items, whatever the configuration says",
		detail: "The history is kept, and nothing happens at a vendor. What the configuration still declares is tracked again by the next apply. " +
			"An address without a key names all instances of its block.",
		minArgs: 1,
		maxArgs: -1,
		flags:   func(fs *flag.FlagSet) { flags.register(fs) },
		run: func(ctx context.Context, p *program, args []string) int {
			addresses := make([]plan.Address, len(args))
			for i, arg := range args {
				var err error
				if addresses[i], err = plan.ParseAddress(arg); err != nil {
					return p.fail(err)
				}
			}
			return p.edit(flags, "state rm", func(store state.Store) error {
				return p.stateRemove(ctx, store, addresses)
			})
		},
	}
}

func (p *program) stateRemove(ctx context.Context, store state.Store, addresses []plan.Address) error {
	taken := make(map[int64]bool)
	var gone []*plan.Item
	var where []plan.Address
	for _, a := range addresses {
		items, err := covered(ctx, store, a)
		if err != nil {
			return err
		}
		for _, item := range items {
			if !taken[item.ID] {
				taken[item.ID] = true
				gone, where = append(gone, item), append(where, item.Address)
			}
		}
	}
	if err := p.recorder(store).Forget(ctx, gone); err != nil {
		return contextError(ctx, err)
	}
	p.view.Removed(where)
	return nil
}

func stateBackupCommand() *command {
	var flags stateFlags
	return &command{
		name:    "state backup",
		args:    "FILE",
		summary: "Copy the state to a new file, beside a running agent too",
		minArgs: 1,
		maxArgs: 1,
		flags:   flags.register,
		run: func(ctx context.Context, p *program, args []string) int {
			reader, where, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			if fileExists(args[0]) {
				return p.closing(reader, p.fail(fmt.Errorf("%s exists already: name a new file", args[0])))
			}
			if err := reader.Backup(ctx, args[0]); err != nil {
				return p.closing(reader, p.fail(fmt.Errorf("back up %s: %w", where.path, contextError(ctx, err))))
			}
			p.note("Copied %s to %s.", where.path, args[0])
			return p.closing(reader, exitOK)
		},
	}
}
