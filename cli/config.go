package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// defaultStatePath is where the state is when no configuration says otherwise.
const defaultStatePath = "waybill.db"

// variableFlags are the flags of every command that evaluates the configuration.
type variableFlags struct {
	given []hclspec.Var // -var and -var-file, in the order of the command line
}

func (v *variableFlags) register(fs *flag.FlagSet) {
	fs.Func("var", "a variable's `name=value`; may be repeated", func(text string) error {
		v.given = append(v.given, hclspec.Var{Text: text})
		return nil
	})
	fs.Func("var-file", "a `file` of variable values; may be repeated, and of two values the later counts", func(name string) error {
		v.given = append(v.given, hclspec.Var{Text: name, File: true})
		return nil
	})
}

// options are what the loader is told; the environment is the process's own.
func (p *program) options(v variableFlags, offline bool) hclspec.Options {
	snapshot := source.Take(p.dir)
	o := hclspec.Options{
		Dir:     snapshot.Dir(),
		Files:   snapshot,
		Schemas: p.schemas(),
		Environ: p.lookupEnv,
		Offline: offline,
	}
	for _, given := range v.given {
		if given.File && p.dir != "." && !filepath.IsAbs(given.Text) {
			given.Text = filepath.Join(p.dir, given.Text)
		}
		o.Vars = append(o.Vars, given)
	}
	return o
}

// beside is a path relative to the configuration directory. What is kept there
// stays where it is when a link to the directory is put to another tree.
func (p *program) beside(path string) string {
	if p.dir == "." || filepath.IsAbs(path) {
		return path
	}
	dir, err := filepath.EvalSymlinks(p.dir)
	if err != nil {
		dir = p.dir
	}
	return filepath.Join(dir, path)
}

func (p *program) lookupEnv(name string) (string, bool) {
	for _, e := range p.environ {
		if n, v, ok := strings.Cut(e, "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// load reads the configuration and judges its required_version.
func (p *program) load(o hclspec.Options) (*hclspec.Root, hcl.Diagnostics) {
	o.Version = Version
	return hclspec.Load(o)
}

// settings are those of a loaded configuration, the state path made whole.
func settingsOf(cfg *hclspec.Root) (hclspec.Settings, hcl.Diagnostics) {
	s, diags := cfg.Settings()
	if s.BackendPath == "" {
		s.BackendPath = defaultStatePath
	}
	s.BackendPath = filepath.Clean(s.BackendPath)
	return s, diags
}

// sandboxPath is the state that -sandbox uses beside the real one.
func sandboxPath(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".sandbox" + ext
}

// stateFlags are the flags of the commands that read or edit the state only.
type stateFlags struct {
	sandbox bool
}

func (s *stateFlags) register(fs *flag.FlagSet) {
	fs.BoolVar(&s.sandbox, "sandbox", false, "use the state of -sandbox (waybill.sandbox.db) instead of the real one")
}

// located is where a command finds the state, and what of the configuration it
// could read: the state is there to be read even when the configuration is not.
type located struct {
	path      string
	config    *hclspec.Root
	suspended map[string]bool // accounts with suspend = true
}

// locate finds the state. Mistakes in the configuration matter only when they
// hide where the state is.
func (p *program) locate(flags stateFlags) (located, bool) {
	cfg, diags := p.load(p.options(variableFlags{}, true))
	l := located{path: defaultStatePath, config: cfg, suspended: make(map[string]bool)}
	if cfg != nil {
		settings, settingDiags := settingsOf(cfg)
		if settingDiags.HasErrors() {
			return l, p.view.Load(cfg.Sources(), settingDiags)
		}
		l.path = settings.BackendPath
		if !diags.HasErrors() {
			accounts, _ := cfg.DeclaredAccounts()
			for _, a := range accounts {
				l.suspended[a.Name] = a.Suspend
			}
		}
	}
	if flags.sandbox {
		l.path = sandboxPath(l.path)
	}
	return l, true
}

// openReader opens the state for reading. Where there is no state but one of
// -sandbox, that one is read, and a note says so. The error is state.ErrNoState,
// in words for people, where there is neither.
func (p *program) openReader(flags stateFlags) (state.Reader, located, error) {
	l, ok := p.locate(flags)
	if !ok {
		return nil, l, errUnlocated
	}
	r, err := sqlite.OpenReader(l.path)
	if errors.Is(err, state.ErrNoState) && !flags.sandbox {
		if other := sandboxPath(l.path); fileExists(other) {
			p.note("There is no state at %s; showing that of -sandbox, %s.", l.path, other)
			l.path = other
			r, err = sqlite.OpenReader(other)
		}
	}
	if errors.Is(err, state.ErrNoState) {
		return nil, l, noStateError{l.path}
	}
	if err != nil {
		return nil, l, fmt.Errorf("open state %s: %w", l.path, err)
	}
	return r, l, nil
}

// errUnlocated: the configuration does not say where the state is.
var errUnlocated = errors.New("where the state is cannot be known before the configuration is fixed")

// noStateError says that there is no state yet, and where.
type noStateError struct{ path string }

func (e noStateError) Error() string {
	return fmt.Sprintf("there is no state at %s yet: run waybill apply, or waybill agent, first", e.path)
}

// Is makes it a state.ErrNoState.
func (e noStateError) Is(target error) bool { return target == state.ErrNoState }

// reader is openReader with its error printed.
func (p *program) reader(flags stateFlags) (state.Reader, located, bool) {
	r, l, err := p.openReader(flags)
	if err != nil {
		p.fail(err)
	}
	return r, l, err == nil
}

// writer opens the state for writing, under its lock.
func (p *program) writer(path, command string) (state.Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the state: %w", err)
	}
	store, err := sqlite.Open(path, p.owner(command), sqlite.Options{Log: p.log})
	if locked, ok := errors.AsType[*state.LockedError](err); ok {
		return nil, locked
	}
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	return store, nil
}

// owner names this process to those whom its lock keeps out.
func (p *program) owner(command string) state.Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return state.Owner{PID: os.Getpid(), Host: host, Command: "waybill " + command, Started: p.now().UTC()}
}

// closeState closes a state.
func closeState(c io.Closer) error {
	if err := c.Close(); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}

// closing closes a state and says so when that goes wrong.
func (p *program) closing(c io.Closer, code int) int {
	if err := closeState(c); err != nil {
		return p.fail(err)
	}
	return code
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// parseSince reads a point in time: RFC 3339, a date (its beginning in UTC), or a
// duration before now such as 90m, 24h or 7d.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	length := text
	days := time.Duration(0)
	if d, rest, ok := strings.Cut(text, "d"); ok {
		n, err := time.ParseDuration(d + "h")
		if err != nil {
			return time.Time{}, badSince(text)
		}
		days, length = 24*n, rest
	}
	var d time.Duration
	if length != "" {
		var err error
		if d, err = time.ParseDuration(length); err != nil {
			return time.Time{}, badSince(text)
		}
	}
	if d+days < 0 {
		return time.Time{}, badSince(text)
	}
	return now.Add(-d - days), nil
}

func badSince(text string) error {
	return fmt.Errorf("-since=%s: write a time such as 2026-01-31T08:00:00Z, a date such as 2026-01-31, or how long ago, such as 90m, 24h or 7d", text)
}

// contextError is nil for what a cancelled context brings about.
func contextError(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errors.New("interrupted")
	}
	return err
}
