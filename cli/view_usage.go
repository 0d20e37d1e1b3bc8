package cli

import (
	"flag"
	"strings"
)

// usage prints the list of commands.
func (p *program) usage(all []*command) { p.usageTo(p.out, all) }

func (p *program) usageTo(s *stream, all []*command) {
	s.println("Usage: waybill [-chdir=DIR] COMMAND [flags] [arguments]\n")
	s.println("Waybill keeps delivery records in step with messaging vendors, as declared in HCL.\n")
	s.println("Main commands:")
	const main = 5
	for _, c := range all[:main] {
		s.printf("  %-17s %s\n", c.name, c.summary)
	}
	s.println("\nAll other commands:")
	for _, c := range all[main:] {
		s.printf("  %-17s %s\n", c.name, c.summary)
	}
	s.println("\nFlags before the command:")
	s.println("  -chdir=DIR        Work in this directory")
	s.println("  -help             Show this list, or after a command its own help")
	s.println("  -version          The same as the command version")
}

// commandUsage prints the help of one command.
func (p *program) commandUsage(s *stream, c *command) {
	line := "Usage: waybill " + c.name
	fs := p.flagSet(c)
	any := false
	fs.VisitAll(func(*flag.Flag) { any = true })
	if any {
		line += " [flags]"
	}
	if c.args != "" {
		line += " " + c.args
	}
	s.println(line + "\n")
	s.println(wrap(c.summary+".", s.width, "  "))
	if c.detail != "" {
		s.println("\n" + wrap(c.detail, s.width, "  "))
	}
	if !any {
		return
	}
	s.println("\nFlags:")
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		name := "-" + f.Name
		if value != "" {
			name += "=" + value
		}
		if len(name) > 20 {
			s.printf("  %s\n  %-20s %s\n", name, "", strings.TrimPrefix(wrap(text, s.width, strings.Repeat(" ", 23)), strings.Repeat(" ", 23)))
			return
		}
		s.printf("  %-20s %s\n", name, strings.TrimPrefix(wrap(text, s.width, strings.Repeat(" ", 23)), strings.Repeat(" ", 23)))
	})
}

// wrap breaks text into lines of at most width columns, each behind indent.
// Line breaks of the text stay.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		column := 0
		for j, word := range strings.Fields(paragraph) {
			n := len([]rune(word))
			switch {
			case j == 0:
				b.WriteString(indent)
				column = len(indent)
			case column+1+n > width:
				b.WriteString("\n" + indent)
				column = len(indent)
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
	}
	return b.String()
}
