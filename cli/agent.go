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
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
)

func agentCommand() *command {
	var f passFlags
	var maxUntrack string
	return &command{
		name:    "agent",
		summary: "Keep records in step with the vendors, until stopped",
		detail: "Applies the configuration without asking, then reads, pulls and receives as it is due. " +
			"Reloads when a file changes, on SIGHUP and on POST /-/reload. SIGTERM ends it once what is under way is recorded.",
		flags: func(fs *flag.FlagSet) {
			f.variableFlags.register(fs)
			fs.StringVar(&maxUntrack, "max-untrack", "", "let this start forget `N` items, or a percentage such as 50%, instead of agent.max_untrack")
			fs.BoolVar(&f.sandbox, "sandbox", false, "run against a sandbox of its own, with a state beside the real one")
			fs.IntVar(&f.parallelism, "parallelism", 0, "`N` reads at once over all accounts (0: each account's own bound)")
		},
		run: func(ctx context.Context, p *program, _ []string) int {
			if err := p.agent(ctx, &f, maxUntrack); err != nil {
				return p.fail(err)
			}
			return exitOK
		},
	}
}

// agent runs the agent until ctx ends.
func (p *program) agent(ctx context.Context, f *passFlags, maxUntrack string) error {
	if err := f.later(); err != nil {
		return err
	}
	options := agent.AgentOptions{Report: func(cfg *hclspec.Config, diags hcl.Diagnostics) { p.view.Diagnostics(cfg.Sources(), diags) }}
	var err error
	if options.Dir, err = filepath.Abs("."); err != nil {
		return fmt.Errorf("configuration directory: %w", err)
	}
	if maxUntrack != "" {
		limit, err := hclspec.ParseUntrack(maxUntrack)
		if err != nil {
			return fmt.Errorf("-max-untrack: %w", err)
		}
		options.MaxUntrack = &limit
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
	options.Load = func(dir string, outside map[string]string) (*hclspec.Config, hcl.Diagnostics) {
		return p.load(relocated(loading, dir, outside))
	}
	settings, path, err := p.firstSettings(loading, box != nil)
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
	options.Revision = func(cfg *hclspec.Config) string { return agent.Revision(options.Dir, cfg.Files()) }
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	options.Reload = reloads(ctx, hangup)

	store, err := p.writer(path, "agent")
	if err != nil {
		return err
	}
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

// relocated is how the copy of a configuration in dir is loaded: files of
// variable values are taken from the copy too. An empty dir is the directory itself.
func relocated(o hclspec.Options, dir string, outside map[string]string) hclspec.Options {
	if dir == "" {
		return o
	}
	o.Dir = dir
	o.VarFiles = append([]string(nil), o.VarFiles...)
	for i, name := range o.VarFiles {
		path, err := filepath.Abs(name)
		if err != nil {
			continue
		}
		if copied, ok := outside[path]; ok {
			o.VarFiles[i] = copied
		} else if filepath.IsLocal(name) {
			o.VarFiles[i] = filepath.Join(dir, name)
		}
	}
	return o
}

// firstSettings are the settings with which an agent starts, and the path of its
// state. When the configuration cannot be loaded, those of the last good one
// that is kept beside a state count, for that is what will run.
func (p *program) firstSettings(o hclspec.Options, sandboxed bool) (hclspec.Settings, string, error) {
	place := func(s hclspec.Settings) string {
		if sandboxed {
			return sandboxPath(s.BackendPath)
		}
		return s.BackendPath
	}
	cfg, diags := hclspec.Load(o)
	settings, more := settingsOf(cfg)
	if !diags.HasErrors() && !more.HasErrors() {
		return settings, place(settings), nil
	}
	for _, path := range keptBeside(place(settings)) {
		dir, outside, found, err := agent.LastGood(path)
		if err != nil {
			return settings, "", err
		}
		if !found {
			continue
		}
		kept, diags := hclspec.Load(relocated(o, dir, outside))
		if diags.HasErrors() {
			continue
		}
		if settings, more := settingsOf(kept); !more.HasErrors() {
			return settings, path, nil
		}
	}
	if !diags.HasErrors() {
		diags = more
	}
	p.view.Diagnostics(cfg.Sources(), diags)
	return settings, "", errors.New("the configuration cannot be loaded, and no last good one is kept beside the state: mend it, then start the agent again")
}

// keptBeside are the states that may have a last good configuration: the one
// named, or the others of this directory, for a configuration that cannot be
// read may not tell where its state is.
func keptBeside(path string) []string {
	paths := []string{path}
	found, _ := filepath.Glob("*" + agent.LastGoodSuffix)
	for _, dir := range found {
		if other := strings.TrimSuffix(dir, agent.LastGoodSuffix); other != path {
			paths = append(paths, other)
		}
	}
	return paths
}
