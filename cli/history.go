package cli

import (
	"context"
	"flag"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func historyCommand() *command {
	var flags stateFlags
	var asJSON bool
	var since string
	return &command{
		name:    "history",
		args:    "[ADDRESS]",
		summary: "Show every recorded difference, oldest first",
		detail:  "An address without a key shows all instances of its block.",
		maxArgs: 1,
		flags: func(fs *flag.FlagSet) {
			flags.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print one JSON object a line")
			fs.StringVar(&since, "since", "", "only what was recorded since this `time`: RFC 3339, a date, or how long ago, such as 24h")
		},
		run: func(ctx context.Context, p *program, args []string) int {
			var filter state.HistoryFilter
			var err error
			if filter.Since, err = parseSince(since, p.now()); err != nil {
				return p.fail(err)
			}
			if len(args) == 1 {
				a, err := plan.ParseAddress(args[0])
				if err != nil {
					return p.fail(err)
				}
				filter.Address = &a
			}
			reader, _, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			if filter.Address != nil {
				if err := everRecorded(ctx, reader, *filter.Address); err != nil {
					return p.closing(reader, p.fail(err))
				}
			}
			for event, err := range reader.History(ctx, filter) {
				if err != nil {
					return p.closing(reader, p.fail(fmt.Errorf("read history: %w", contextError(ctx, err))))
				}
				if asJSON {
					p.view.JSONEvent(event)
				} else {
					p.view.Event(event)
				}
			}
			return p.closing(reader, exitOK)
		},
	}
}

// everRecorded refuses an address of which nothing was ever recorded: a mistyped one would
// look like one to which nothing happened.
func everRecorded(ctx context.Context, reader state.Reader, a plan.Address) error {
	for _, err := range reader.History(ctx, state.HistoryFilter{Address: &a}) {
		if err != nil {
			return fmt.Errorf("read history: %w", contextError(ctx, err))
		}
		return nil
	}
	return fmt.Errorf("nothing was ever recorded of %s%s\n\nTo see what is tracked, run: waybill state list", a, didYouMean(a.String(), nearTo(ctx, reader, a)))
}
