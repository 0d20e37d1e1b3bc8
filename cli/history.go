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
			fs.StringVar(&since, "since", "", "only what was recorded since this `time`: RFC 3339, or how long ago, such as 24h")
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
