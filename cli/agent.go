package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
)

func agentCommand() *command {
	var f passFlags
	var maxForget string
	return &command{
		name:    "agent",
		writes:  true,
		stays:   true,
		summary: "Keep records in step with the vendors, until stopped",
		detail: "Applies the configuration without asking, then reads, pulls and receives as it is due. " +
			"Reloads when a file changes, on SIGHUP and on POST /-/reload. SIGTERM ends it once what is under way is recorded.",
		example: "waybill agent\nwaybill agent -sandbox",
		flags: func(fs *flag.FlagSet) {
			f.variableFlags.register(fs)
			fs.StringVar(&maxForget, "max-forget", "", "let this start forget `N` items, or a percentage such as 50%, instead of agent.max_forget")
			fs.BoolVar(&f.sandbox, "sandbox", false, "run against a sandbox of its own, with a state beside the real one")
			fs.IntVar(&f.parallelism, "parallelism", 0, "`N` reads at once over all accounts (0: each account's own bound)")
		},
		run: func(ctx context.Context, p *program, _ []string) int {
			if err := p.agent(ctx, &f, maxForget); err != nil {
				return p.fail(err)
			}
			return exitOK
		},
	}
}

// agent runs the agent until ctx ends.
func (p *program) agent(ctx context.Context, f *passFlags, maxForget string) error {
	if err := f.later(); err != nil {
		return err
	}
	options := agent.AgentOptions{Report: func(cfg *hclspec.Root, diags hcl.Diagnostics) { p.view.Diagnostics(cfg.Sources(), diags) }}
	var err error
	// The links of this path stay as they are: each look follows them anew.
	if options.Dir, err = filepath.Abs(p.dir); err != nil {
		return fmt.Errorf("configuration directory: %w", err)
	}
	if maxForget != "" {
		limit, err := hclspec.ParseForgetLimit(maxForget)
		if err != nil {
			return fmt.Errorf("-max-forget: %w", err)
		}
		options.MaxForget = &limit
	}
	loading := p.options(f.variableFlags, false)
	var box *localSandbox
	if f.sandbox {
		// The sandbox outlives the agent, whose last calls it answers.
		if box, err = p.startSandbox(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		defer box.close()
		loading.Overrides = box.overrides()
		loading.Environ = box.environ(p.lookupEnv)
		options.Evaluated = func(desired []plan.Desired) {
			if err := box.declareAll(desired); err != nil {
				p.log.Error("the sandbox does not have what is declared", "error", err)
			}
		}
	}
	options.Load = func(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) { return p.load(from(s, loading)) }
	options.CheckState = p.checkPlace
	settings, path, err := p.firstSettings(ctx, loading, box != nil)
	if err != nil {
		return err
	}
	options.Settings, options.StatePath = settings, path
	if box != nil {
		if err := box.remember(ctx, path); err != nil {
			return err
		}
	}
	options.Listening = func(_, receiver net.Addr) {
		if box == nil || receiver == nil {
			return
		}
		if err := box.listening(receiver.String(), settings.Receiver.WebConfigFile != ""); err != nil {
			p.log.Error("the sandbox cannot push", "error", err)
		}
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	options.Reload = reloads(ctx, hangup)

	store, err := p.writer(path, "agent")
	if err != nil {
		return err
	}
	options.Source = source.NewDirectory(options.Dir, p.log, false)
	runner := p.runner("", f.parallelism, nil)
	return errors.Join(contextError(ctx, runner.RunAgent(ctx, store, options)), closeState(store))
}

// reloads turns SIGHUP into requests to reload, until ctx ends.
func reloads(ctx context.Context, hangup <-chan os.Signal) <-chan struct{} {
	wanted := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				select {
				case wanted <- struct{}{}:
				default: // one is asked for already
				}
			}
		}
	}()
	return wanted
}

// from is how the configuration of a snapshot is loaded.
func from(s *source.Snapshot, o hclspec.Options) hclspec.Options {
	o.Files = s
	return o
}

// firstSettings are the settings with which an agent starts, and the path of its
// state. When the configuration cannot be loaded, those of the last good one
// that is kept beside a state count, for that is what will run.
func (p *program) firstSettings(ctx context.Context, o hclspec.Options, sandboxed bool) (hclspec.Settings, string, error) {
	place := func(s hclspec.Settings) string {
		path := p.beside(s.BackendPath)
		if sandboxed {
			return sandboxPath(path)
		}
		return path
	}
	type loaded struct {
		config   *hclspec.Root
		settings hclspec.Settings
		diags    hcl.Diagnostics
		more     hcl.Diagnostics
		start    hcl.Diagnostics
	}
	first, err := agent.UnlessEnded(ctx, func() (l loaded, _ error) {
		l.config, l.diags = hclspec.Load(o)
		l.settings, l.more = settingsOf(l.config)
		if !l.diags.HasErrors() {
			l.start = agent.StartMistakes(l.config, o.Dir, p.checkPlace)
		}
		return l, nil
	})
	if err != nil {
		return hclspec.Settings{}, "", err
	}
	cfg, settings, diags, more := first.config, first.settings, first.diags, first.more
	sound := !diags.HasErrors() && !more.HasErrors()
	if sound && !first.start.HasErrors() {
		path := place(settings)
		last, _, err := p.keptSettings(o, path)
		if err == nil && last != nil && agent.PortMistakes(cfg, settings, *last, nil).HasErrors() {
			return *last, path, nil
		}
		return settings, path, nil
	}
	last, path, err := p.keptSettings(o, p.keptBeside(place(settings))...)
	if err != nil {
		return settings, "", err
	}
	if last != nil {
		return *last, path, nil
	}
	if sound {
		return settings, place(settings), nil // the start itself tells what is wrong
	}
	if !diags.HasErrors() {
		diags = more
	}
	p.view.Diagnostics(cfg.Sources(), diags)
	return settings, "", errors.New("the configuration cannot be loaded, and no last good one is kept beside the state: fix it, then start the agent again")
}

// keptSettings are those of the first last good configuration that is kept beside
// one of the states, and that state; nil where none is.
func (p *program) keptSettings(o hclspec.Options, paths ...string) (*hclspec.Settings, string, error) {
	for _, path := range paths {
		snapshot, err := source.KeptBeside(path).Open(o.Dir)
		if err != nil {
			return nil, "", err
		}
		if snapshot == nil {
			continue
		}
		kept, diags := hclspec.Load(from(snapshot, o))
		if diags.HasErrors() {
			continue
		}
		if settings, more := settingsOf(kept); !more.HasErrors() {
			return &settings, path, nil
		}
	}
	return nil, "", nil
}

// keptBeside are the states that may have a last good configuration: the one
// named, or the others of this directory, for a configuration that cannot be
// read may not tell where its state is.
func (p *program) keptBeside(path string) []string {
	paths := []string{path}
	found, _ := filepath.Glob(p.beside("*" + source.KeptSuffix))
	for _, dir := range found {
		if other := strings.TrimSuffix(dir, source.KeptSuffix); other != path {
			paths = append(paths, other)
		}
	}
	return paths
}
