package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/plan"
)

func replayCommand() *command {
	var flags stateFlags
	var variables variableFlags
	var all, asJSON bool
	return &command{
		name:    "replay",
		writes:  true,
		args:    "[-all | ID...]",
		summary: "Derive again from the vendors' bytes, and record what differs",
		detail: "Without arguments, from the bytes of quarantined records; with -all, from all that are kept; else from the raws of those IDs. " +
			"Asks no vendor anything and needs no credentials. A record that this version understands otherwise takes the other's place and " +
			"keeps its ID, its bytes and its time of arrival; nothing that was understood is taken away.",
		maxArgs: -1,
		flags: func(fs *flag.FlagSet) {
			flags.register(fs)
			variables.register(fs)
			fs.BoolVar(&all, "all", false, "derive everything again")
			fs.BoolVar(&asJSON, "json", false, "print one JSON object a line: each difference, then a summary")
		},
		run: func(ctx context.Context, p *program, args []string) int {
			options := agent.ReplayOptions{All: all}
			if all && len(args) > 0 {
				return p.fail(errors.New("replay: give -all or IDs, not both"))
			}
			for _, arg := range args {
				id, err := strconv.ParseInt(arg, 10, 64)
				if err != nil || id <= 0 {
					return p.fail(fmt.Errorf("%q is not a raw's ID: take one from the raw_id of history or records", arg))
				}
				options.Raws = append(options.Raws, id)
			}
			return p.replay(ctx, flags, variables, options, asJSON)
		},
	}
}

func (p *program) replay(ctx context.Context, flags stateFlags, variables variableFlags, options agent.ReplayOptions, asJSON bool) int {
	// How an answer is read may depend on the configuration (time_zone), so it must
	// load; credentials are nothing to it.
	snapshot := source.Take(p.dir)
	cfg, diags := p.load(from(snapshot, p.options(variables, true)))
	settings, more := settingsOf(cfg)
	if !diags.HasErrors() {
		diags = append(diags, more...)
	}
	if !p.view.Load(cfg.Sources(), diags) {
		return exitError
	}
	path := settings.BackendPath
	if flags.sandbox {
		path = sandboxPath(path)
	}
	if !fileExists(path) {
		return p.fail(fmt.Errorf("there is no state at %s yet", path))
	}
	store, err := p.writer(path, "replay")
	if err != nil {
		return p.fail(err)
	}
	progress := p.view.NewProgress()
	runner := p.runner(snapshot.Revision(ctx).ID, 0, progress.Show)
	result, diags, err := runner.Replay(ctx, cfg, store, options, func(d plan.Difference) {
		if asJSON {
			p.view.JSONDifference(d)
		} else {
			p.view.Difference(d)
		}
	})
	progress.Done()
	switch {
	case diags.HasErrors():
		p.view.Load(cfg.Sources(), diags)
		return p.closing(store, exitError)
	case errors.Is(err, agent.ErrNotReplayable):
		return p.closing(store, p.fail(fmt.Errorf("%w: take an ID from the raw_id of history or records", err)))
	case err != nil:
		return p.closing(store, p.fail(contextError(ctx, err)))
	}
	if asJSON {
		p.view.JSONReplayed(result)
	} else {
		p.view.Replayed(result, !options.All && len(options.Raws) == 0)
	}
	return p.closing(store, exitOK)
}
