package view

import (
	"flag"
	"strings"
)

// Command is what help tells of a command.
type Command struct {
	Name    string // "state list"
	Args    string // what stands after the flags: "[NAME]"
	Summary string
	Detail  string
	Example string // a command line, and what it is for, a line each
	Flags   *flag.FlagSet
}

// nameColumn is the width of names in lists of help.
const nameColumn = 20

// Usage prints the list of commands: the main ones, then the others.
func (v *View) Usage(s *Stream, main, others []Command) {
	s.println("Usage: waybill [-chdir=DIR] COMMAND [flags] [arguments]\n")
	s.println(wrap("Waybill keeps delivery records in step with messaging vendors, as declared in HCL.", s.width, "") + "\n")
	s.println("Main commands:")
	s.commands(main, "")
	s.println("\nAll other commands:")
	s.commands(others, "")
	s.println("\nFlags before the command:")
	s.listed("-chdir=DIR", "Work in this directory")
	s.listed("-help", "Show this list, or after a command its own help")
	s.listed("-version", "The same as the command version")
}

// GroupUsage prints the subcommands of a command that has no other use.
func (v *View) GroupUsage(s *Stream, name string, subcommands []Command) {
	s.printf("Usage: waybill %s SUBCOMMAND [flags] [arguments]\n\nSubcommands:\n", name)
	s.commands(subcommands, name+" ")
}

func (s *Stream) commands(list []Command, prefix string) {
	for _, c := range list {
		s.listed(strings.TrimPrefix(c.Name, prefix), c.Summary)
	}
}

// listed prints a name and what it means beside it, or below where there is no room.
func (s *Stream) listed(name, text string) {
	indent := strings.Repeat(" ", nameColumn+3)
	meaning := strings.TrimPrefix(string(wrap(text, s.width, indent)), indent)
	if len(name) > nameColumn {
		s.printf("  %s\n%s", name, indent)
	} else {
		s.printf("  %s ", pad(Text(name), nameColumn))
	}
	s.println(Text(meaning))
}

// CommandUsage prints the help of one command.
func (v *View) CommandUsage(s *Stream, c Command) {
	line := "Usage: waybill " + c.Name
	any := false
	c.Flags.VisitAll(func(*flag.Flag) { any = true })
	if any {
		line += " [flags]"
	}
	if c.Args != "" {
		line += " " + c.Args
	}
	s.println(Text(line + "\n"))
	s.println(wrap(c.Summary+".", s.width, "  "))
	if c.Detail != "" {
		s.println("\n" + wrap(c.Detail, s.width, "  "))
	}
	if c.Example != "" {
		s.println("\nExample:")
		for line := range strings.Lines(c.Example) {
			s.println("  " + Text(strings.TrimRight(line, "\n")))
		}
	}
	if !any {
		return
	}
	s.println("\nFlags:")
	c.Flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		name := "-" + f.Name
		if value != "" {
			name += "=" + value
		}
		s.listed(name, text)
	})
}
