// Package cli is the command line: arguments in, text or JSON out. One file a
// command; what is printed goes through cli/view.
//
// It may touch what a command names: the configuration directory, the environment, the
// state, signals and the terminal. It reads a state through state.Reader, and changes
// one through agent and agent/record alone.
//
// It has more than 3,000 lines, for it has all the commands, none of which calls
// another. What they share is in command.go (flags), config.go (which configuration
// and which state) and cli.go.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waybill-dev/waybill/cli/view"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// Version is the program's version, as required_version judges it.
const Version = "0.1.0"

// The exit codes. Where several apply, exitError beats exitCheck beats exitChanges.
const (
	exitOK      = 0
	exitError   = 1
	exitChanges = 2 // -detailed-exitcode: the plan is not "No changes"
	exitCheck   = 3 // -check-exitcode: an expectation or check fails; fmt -check: a file is not in canonical layout
)

// Main runs the command that args (without the program's name) ask for, on the
// process's own streams and environment, and returns the exit code. The first
// interrupt or SIGTERM cancels the command; a second interrupt ends the process, a
// second SIGTERM does not, for timeout(1) and some supervisors send it twice at once.
func Main(args []string, vendors []*providers.Definition) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt) })
	out, errs := view.Streams(os.Environ())
	p := newProgram(vendors, out, errs)
	p.in, p.environ = os.Stdin, os.Environ()
	paceCollector(p.getenv)
	code := p.main(ctx, args)
	if err := out.Flush(); err != nil {
		code = p.fail(fmt.Errorf("write standard output: %w", err))
	}
	_ = errs.Flush()
	return code
}

// program is one run of the command line.
type program struct {
	vendors []*providers.Definition
	dir     string // the configuration directory: "." but for a command that stays where it was started
	in      io.Reader
	view    *view.View
	environ []string
	now     func() time.Time
	log     *slog.Logger
}

func newProgram(vendors []*providers.Definition, out, errs *view.Stream) *program {
	p := &program{vendors: vendors, dir: ".", now: time.Now}
	p.view = &view.View{Out: out, Err: errs, Schemas: p.schemas(), Release: Version, Now: func() time.Time { return p.now() }}
	return p
}

// fail prints an error and returns the exit code for it.
func (p *program) fail(err error) int {
	p.view.Error(err)
	return exitError
}

// note prints a line beside the data.
func (p *program) note(format string, args ...any) { p.view.Note(format, args...) }

// main handles what stands before the command, finds the command and runs it.
func (p *program) main(ctx context.Context, args []string) int {
	log, err := newLogger(p.view.Err, p.getenv)
	if err != nil {
		return p.fail(err)
	}
	p.log = log
	all := commands()
	rest, global, err := parseGlobal(args)
	switch {
	case err != nil:
		return p.fail(err)
	case global.help:
		p.usage(p.view.Out, all)
		return exitOK
	case global.version:
		rest = append([]string{"version"}, rest...)
	case len(rest) == 0:
		p.usage(p.view.Err, all)
		return exitError
	}
	if rest[0] == "help" {
		if len(rest) == 1 {
			p.usage(p.view.Out, all)
			return exitOK
		}
		rest = append(rest[1:], "-help")
	}
	if isGroup(all, rest[0]) && (len(rest) == 1 || isHelp(rest[1])) {
		return p.group(all, rest)
	}
	c, rest, err := findCommand(all, rest)
	if err != nil {
		return p.fail(err)
	}
	if global.chdir != "" {
		if err := p.chdir(global.chdir, c.stays); err != nil {
			return p.fail(fmt.Errorf("-chdir=%s: %w", global.chdir, err))
		}
	}
	return p.run(ctx, c, rest)
}

// chdir makes a directory the one that a command works in. One that stays looks
// the directory up by its path again and again, so that a link which is put to
// another tree is followed: from within the old one that cannot be seen.
func (p *program) chdir(dir string, stays bool) error {
	if !stays {
		return errors.Unwrap(os.Chdir(dir))
	}
	f, err := os.Open(filepath.Join(dir, "."))
	if err != nil {
		return errors.Unwrap(err)
	}
	p.dir = dir
	return f.Close()
}

// run parses a command's flags and runs it.
func (p *program) run(ctx context.Context, c *command, args []string) int {
	args, err := p.parseFlags(c, args)
	switch {
	case errors.Is(err, errHelp):
		p.view.CommandUsage(p.view.Out, p.described(c))
		return exitOK
	case err != nil:
		return p.fail(err)
	case len(args) < c.minArgs || (c.maxArgs >= 0 && len(args) > c.maxArgs):
		p.fail(fmt.Errorf("%s: %s", c.name, argumentMistake(c, args)))
		p.note("")
		p.view.CommandUsage(p.view.Err, p.described(c))
		return exitError
	}
	if c.writes {
		signal.Ignore(syscall.SIGPIPE)
		p.view.Err.Detach()
		return c.run(ctx, p, args)
	}
	return p.leave(ctx, func() int { return c.run(ctx, p, args) })
}

// leaveAfter is how long a command has to end by itself once it is interrupted.
const leaveAfter = 2 * time.Second

// leave runs what leaves nothing half done. When it goes on after it was
// interrupted, it is left alone: an evaluation lasts as long as it lasts.
func (p *program) leave(ctx context.Context, run func() int) int {
	ended := make(chan int, 1)
	go func() { ended <- run() }()
	select {
	case code := <-ended:
		return code
	case <-ctx.Done():
	}
	select {
	case code := <-ended:
		return code
	case <-time.After(leaveAfter):
		return p.fail(errors.New("interrupted"))
	}
}

func argumentMistake(c *command, args []string) string {
	if len(args) < c.minArgs {
		return "an argument is missing"
	}
	return fmt.Sprintf("unexpected argument %q", args[c.maxArgs])
}

// getenv is a variable of the program's environment, "" when unset.
func (p *program) getenv(name string) string {
	for _, e := range p.environ {
		if n, v, _ := strings.Cut(e, "="); n == name {
			return v
		}
	}
	return ""
}

// schemas are those of all vendors, for the loader and the printers.
func (p *program) schemas() []*plan.Schema {
	schemas := make([]*plan.Schema, len(p.vendors))
	for i, v := range p.vendors {
		schemas[i] = v.Schema
	}
	return schemas
}
