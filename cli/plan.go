package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/cli/view"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// passFlags are the flags that plan and apply share.
type passFlags struct {
	variableFlags
	json        bool
	verbose     bool
	detailed    bool
	check       bool
	refresh     bool
	sandbox     bool
	input       bool
	out         string
	targets     listFlag
	excludes    listFlag
	parallelism int
}

func (f *passFlags) register(fs *flag.FlagSet) {
	f.variableFlags.register(fs)
	fs.BoolVar(&f.json, "json", false, "print Terraform's machine-readable UI, one JSON object a line")
	fs.BoolVar(&f.verbose, "verbose", false, "show every change in full, however many there are")
	fs.BoolVar(&f.detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	fs.BoolVar(&f.check, "check-exitcode", false, "exit 3 when an expectation or check fails")
	fs.BoolVar(&f.refresh, "refresh", true, "read the vendors; with false the stored values serve")
	fs.BoolVar(&f.sandbox, "sandbox", false, "run against a sandbox of its own, with a state beside the real one")
	fs.BoolVar(&f.input, "input", true, "ask for what is missing; with false that is an error")
	fs.Var(&f.targets, "target", "only this `address` (not in this version)")
	fs.Var(&f.excludes, "exclude", "all but this `address` (not in this version)")
	fs.IntVar(&f.parallelism, "parallelism", 0, "`N` reads at once over all accounts (0: each account's own bound)")
}

// later names the first flag given that this version does not have.
func (f *passFlags) later() error {
	switch {
	case f.out != "":
		return notInThisVersion("-out")
	case len(f.targets) > 0:
		return notInThisVersion("-target")
	case len(f.excludes) > 0:
		return notInThisVersion("-exclude")
	case f.parallelism < 0:
		return errors.New("-parallelism: write 0 or more")
	}
	return nil
}

func planCommand() *command {
	var f passFlags
	return &command{
		name:    "plan",
		summary: "Show what apply would record, and what changed at the vendors",
		detail: "A dry run: it changes nothing, neither in the state nor at a vendor, and never pulls reports. " +
			"It works beside a running agent. Exit codes: 0 done; 1 an error; 2, with -detailed-exitcode, there are changes; " +
			"3, with -check-exitcode, an expectation or check fails. Of several 1 counts before 3, and 3 before 2.",
		example: "waybill plan\nwaybill plan -sandbox\nwaybill plan -detailed-exitcode -check-exitcode -json",
		flags: func(fs *flag.FlagSet) {
			f.register(fs)
			fs.StringVar(&f.out, "out", "", "save the plan to a `file` (not in this version)")
		},
		run: func(ctx context.Context, p *program, _ []string) int { return p.plan(ctx, &f) },
	}
}

// pass is what plan, apply and agent prepare alike.
type pass struct {
	config   *hclspec.Root
	snapshot *source.Snapshot // what config was read from
	path     string           // of the state
	sandbox  *localSandbox
	view     view.Pass
}

// prepare loads the configuration, and starts a sandbox when one is asked for.
// Its errors are printed.
func (p *program) prepare(ctx context.Context, f *passFlags) (*pass, bool) {
	s := &pass{view: p.view.NewPass(f.json, f.verbose)}
	s.view.Begin()
	if err := f.later(); err != nil {
		s.fail(err)
		return s, false
	}
	s.snapshot = source.Take(p.dir)
	options := from(s.snapshot, p.options(f.variableFlags, false))
	if f.sandbox {
		var err error
		if s.sandbox, err = p.startSandbox(ctx); err != nil {
			s.fail(err)
			return s, false
		}
		options.Overrides = s.sandbox.overrides()
		options.Environ = s.sandbox.environ(p.lookupEnv)
	}
	type loaded struct {
		config *hclspec.Root
		diags  hcl.Diagnostics
	}
	l, err := agent.UnlessEnded(ctx, func() (loaded, error) {
		cfg, diags := p.load(options)
		if diags.HasErrors() {
			diags = cfg.Mistakes(ctx, diags)
		}
		return loaded{cfg, append(diags, agent.StartMistakes(cfg, p.dir, p.checkNewPlace)...)}, nil
	})
	if err != nil {
		s.fail(contextError(ctx, err))
		s.close()
		return s, false
	}
	cfg, diags := l.config, l.diags
	s.config = cfg
	settings, more := settingsOf(cfg)
	if !diags.HasErrors() {
		diags = append(diags, more...)
	}
	s.view.Diagnostics(cfg.Sources(), diags)
	if diags.HasErrors() {
		s.close()
		return s, false
	}
	s.path = settings.BackendPath
	if f.sandbox {
		s.path = sandboxPath(s.path)
		if err := errors.Join(s.sandbox.remember(ctx, s.path), s.sandbox.declare(ctx, cfg)); err != nil {
			s.fail(err)
			s.close()
			return s, false
		}
	}
	return s, true
}

// fail prints an error and returns the exit code for it.
func (s *pass) fail(err error) int {
	s.view.Error(err)
	return exitError
}

// close ends the sandbox, where there is one.
func (s *pass) close() {
	if s.sandbox != nil {
		s.sandbox.close()
	}
}

// runner makes what carries a pass out.
func (p *program) runner(revision string, parallelism int, progress func(plan.Progress)) *agent.Runner {
	return &agent.Runner{
		Vendors:     p.vendors,
		Now:         p.now,
		Log:         p.log,
		Parallelism: parallelism,
		Revision:    revision,
		Version:     Version,
		Progress:    progress,
	}
}

func (p *program) plan(ctx context.Context, f *passFlags) int {
	s, ok := p.prepare(ctx, f)
	if !ok {
		return exitError
	}
	defer s.close()
	var reader state.Reader
	opened, err := sqlite.OpenReader(s.path)
	switch {
	case errors.Is(err, state.ErrNoState):
	case err != nil:
		return s.fail(fmt.Errorf("open state %s: %w", s.path, err))
	default:
		reader = opened
		defer opened.Close()
	}
	options := agent.PassOptions{Refresh: f.refresh, StatePath: s.path}
	result, diags, err := p.runner("", f.parallelism, s.view.Progress).Plan(ctx, s.config, reader, options)
	s.view.ProgressDone()
	if code, ok := p.passFailed(ctx, s, diags, err); !ok {
		return code
	}
	s.view.Warnings(result)
	s.view.Planned(result, true)
	return exitCode(result, f)
}

// passFailed prints what went wrong with a pass, if anything did.
func (p *program) passFailed(ctx context.Context, s *pass, diags hcl.Diagnostics, err error) (int, bool) {
	s.view.Diagnostics(s.config.Sources(), diags)
	if err != nil {
		return s.fail(contextError(ctx, err)), false
	}
	if diags.HasErrors() {
		return exitError, false
	}
	return exitOK, true
}

// exitCode is the exit code of a pass that went to its end: 1 beats 3 beats 2.
func exitCode(result *plan.Result, f *passFlags) int {
	switch {
	case result.CredentialsFailed:
		return exitError
	case f.check && result.Failing():
		return exitCheck
	case f.detailed && !result.Plan.Counts().Empty():
		return exitChanges
	}
	return exitOK
}

// parseAddresses reads the addresses of a repeated flag.
func parseAddresses(flagName string, texts []string) ([]plan.Address, error) {
	var list []plan.Address
	for _, text := range texts {
		a, err := plan.ParseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", flagName, err)
		}
		list = append(list, a)
	}
	return list, nil
}
