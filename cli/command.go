package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/cli/view"
	"github.com/waybill-dev/waybill/suggest"
)

// command is one command of the table. Its flags are registered anew for each
// run, so nothing is kept between runs.
type command struct {
	name    string // "state list"
	args    string // what stands after the flags: "[NAME]"
	summary string // one line for the list of commands
	detail  string // for the command's own help
	example string // likewise: command lines
	flags   func(*flag.FlagSet)
	minArgs int
	maxArgs int // -1: any number
	// anyFlags: whatever flags are given are arguments; the command judges them.
	anyFlags bool
	// stays: it is not moved into the directory of -chdir, and finds that itself.
	stays bool
	// writes: it changes the state, so that nobody who reads what it prints, or reads
	// it no more, ends it or keeps it waiting.
	writes bool
	run    func(ctx context.Context, p *program, args []string) int
}

// commands are all commands, in the order in which help lists them.
func commands() []*command {
	return append([]*command{
		initCommand(),
		validateCommand(),
		planCommand(),
		applyCommand(),
		agentCommand(),
		fmtCommand(),
		historyCommand(),
		outputCommand(),
		rawShowCommand(),
		recordsCommand(),
		replayCommand(),
		sandboxCommand(),
		showCommand(),
		stateBackupCommand(),
		stateListCommand(),
		stateMoveCommand(),
		statePullCommand(),
		stateRemoveCommand(),
		stateShowCommand(),
		versionCommand(),
	}, unsupportedCommands()...)
}

// globalFlags are those that stand before the command.
type globalFlags struct {
	chdir         string
	help, version bool
}

var errHelp = flag.ErrHelp

// parseGlobal takes off the flags before the command.
func parseGlobal(args []string) ([]string, globalFlags, error) {
	var g globalFlags
	fs := newFlagSet("waybill")
	fs.StringVar(&g.chdir, "chdir", "", "")
	fs.BoolVar(&g.version, "version", false, "")
	fs.BoolVar(&g.version, "v", false, "")
	err := fs.Parse(args)
	if errors.Is(err, errHelp) {
		g.help, err = true, nil
	}
	if err != nil {
		return nil, g, flagMistake(fs, "waybill", err)
	}
	return fs.Args(), g, nil
}

// findCommand splits the arguments into a command and its own arguments.
func findCommand(all []*command, args []string) (*command, []string, error) {
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		if c := byName(all, args[0]+" "+args[1]); c != nil {
			return c, args[2:], nil
		}
	}
	if c := byName(all, args[0]); c != nil {
		return c, args[1:], nil
	}
	if subs := subcommands(all, args[0]); len(subs) > 0 {
		names := make([]string, len(subs))
		for i, c := range subs {
			names[i] = strings.TrimPrefix(c.name, args[0]+" ")
		}
		word := args[1]
		if strings.HasPrefix(word, "-") {
			return nil, nil, needsSubcommand(args[0], names)
		}
		return nil, nil, fmt.Errorf("waybill %s has no subcommand named %q%s\n\nIts subcommands are %s",
			args[0], word, didYouMean(word, names), strings.Join(names, ", "))
	}
	if hint := elsewhere(args[0]); hint != "" {
		return nil, nil, fmt.Errorf("waybill has no command named %q: %s", args[0], hint)
	}
	var names []string
	for _, c := range all {
		first, _, _ := strings.Cut(c.name, " ")
		names = append(names, first)
	}
	return nil, nil, fmt.Errorf("waybill has no command named %q%s\n\nwaybill -help lists the commands", args[0], didYouMean(args[0], names))
}

func byName(all []*command, name string) *command {
	i := slices.IndexFunc(all, func(c *command) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

func subcommands(all []*command, name string) []*command {
	var subs []*command
	for _, c := range all {
		if strings.HasPrefix(c.name, name+" ") {
			subs = append(subs, c)
		}
	}
	return subs
}

// isGroup reports whether a word is the first of several commands, and no command.
func isGroup(all []*command, word string) bool {
	return byName(all, word) == nil && len(subcommands(all, word)) > 0
}

func isHelp(arg string) bool {
	name := strings.TrimLeft(arg, "-")
	return strings.HasPrefix(arg, "-") && (name == "h" || name == "help")
}

// group answers to the first word of several commands, alone or with -help.
func (p *program) group(all []*command, args []string) int {
	subs := subcommands(all, args[0])
	if len(args) > 1 {
		p.view.GroupUsage(p.view.Out, args[0], p.describedAll(subs))
		return exitOK
	}
	names := make([]string, len(subs))
	for i, c := range subs {
		names[i] = strings.TrimPrefix(c.name, args[0]+" ")
	}
	p.fail(needsSubcommand(args[0], names))
	p.note("")
	p.view.GroupUsage(p.view.Err, args[0], p.describedAll(subs))
	return exitError
}

func needsSubcommand(word string, names []string) error {
	return fmt.Errorf("waybill %s needs a subcommand: %s", word, strings.Join(names, ", "))
}

// mainCommands is how many of the commands help lists first.
const mainCommands = 5

func (p *program) usage(s *view.Stream, all []*command) {
	p.view.Usage(s, p.describedAll(all[:mainCommands]), p.describedAll(all[mainCommands:]))
}

// described is what help tells of a command.
func (p *program) described(c *command) view.Command {
	return view.Command{Name: c.name, Args: c.args, Summary: c.summary, Detail: c.detail, Example: c.example, Flags: p.flagSet(c)}
}

func (p *program) describedAll(list []*command) []view.Command {
	described := make([]view.Command, len(list))
	for i, c := range list {
		described[i] = p.described(c)
	}
	return described
}

func newFlagSet(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the views print
	fs.Usage = func() {}
	return fs
}

// flagSet is a command's flags, with those that every command has.
func (p *program) flagSet(c *command) *flag.FlagSet {
	fs := newFlagSet(c.name)
	if c.flags != nil {
		c.flags(fs)
	}
	fs.BoolFunc("no-color", "no colours, on a terminal too", func(text string) error {
		off, err := strconv.ParseBool(text)
		if err == nil && off {
			p.view.Out.NoColor()
			p.view.Err.NoColor()
		}
		return err
	})
	return fs
}

// parseFlags parses a command's flags, wherever among the arguments they
// stand, and returns the other arguments. After "--" all are arguments.
func (p *program) parseFlags(c *command, args []string) ([]string, error) {
	if c.anyFlags {
		if slices.ContainsFunc(args, isHelp) {
			return nil, errHelp
		}
		return args, nil
	}
	fs := p.flagSet(c)
	var others []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, errHelp) {
				return nil, err
			}
			return nil, flagMistake(fs, "waybill "+c.name, err)
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return others, nil
		}
		if parsed := len(args) - len(rest); parsed > 0 && args[parsed-1] == "--" {
			return append(others, rest...), nil
		}
		others = append(others, rest[0])
		args = rest[1:]
	}
}

// flagMistake words an error of the flag package as this program does.
func flagMistake(fs *flag.FlagSet, command string, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return fmt.Errorf("%s: %w\n\nFor help on this command, run: %s -help", command, err, command)
	}
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	hint := didYouMean("-"+name, names)
	if command != "waybill" && (name == "chdir" || strings.HasPrefix(name, "chdir=")) {
		hint = ": it stands before the command, as in waybill -chdir=DIR plan"
	}
	return fmt.Errorf("%s has no flag -%s%s\n\nFor help on this command, run: %s -help", command, name, hint, command)
}

// didYouMean is a suggestion to put after the name of something unknown, ""
// when nothing is near.
func didYouMean(word string, names []string) string {
	if hint := suggest.DidYouMean(word, names); hint != "" {
		return ". " + hint
	}
	return ""
}

// listFlag is a flag that may be given several times.
type listFlag []string

func (l *listFlag) String() string { return strings.Join(*l, ",") }

// Set adds one value.
func (l *listFlag) Set(v string) error {
	*l = append(*l, v)
	return nil
}
