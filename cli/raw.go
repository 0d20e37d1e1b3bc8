package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/state"
)

func rawShowCommand() *command {
	var flags stateFlags
	return &command{
		name:    "raw show",
		args:    "ID",
		summary: "Print a vendor's exact bytes",
		detail:  "history and records name the raw_id of what they tell. What it was and when it came is printed on standard error.",
		minArgs: 1,
		maxArgs: 1,
		flags:   flags.register,
		run: func(ctx context.Context, p *program, args []string) int {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id <= 0 {
				return p.fail(fmt.Errorf("%q is not a raw's ID: take one from the raw_id of history or records", args[0]))
			}
			reader, _, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			raw, err := reader.Raw(ctx, id)
			switch {
			case errors.Is(err, state.ErrNotFound):
				return p.closing(reader, p.fail(fmt.Errorf("the state has no raw %d: take an ID from the raw_id of history or records", id)))
			case err != nil:
				return p.closing(reader, p.fail(fmt.Errorf("read raw %d: %w", id, contextError(ctx, err))))
			}
			p.view.Raw(raw)
			return p.closing(reader, exitOK)
		},
	}
}
