package cli

import (
	"context"
	"fmt"
)

// unsupportedCommands are those that the command table names and this version does
// not have.
func unsupportedCommands() []*command {
	var list []*command
	for _, c := range []struct{ name, args, summary string }{
		{"console", "", "Try expressions (not in this version)"},
		{"force-unlock", "ID", "Take a lock away (not in this version)"},
		{"graph", "", "Show what depends on what (not in this version)"},
		{"providers schema", "[-json]", "Show the schemas of the vendors (not in this version)"},
		{"prune", "-before=T", "Drop old history (not in this version)"},
		{"report", "costs|failures|losses", "Sums, failures and losses (not in this version)"},
		{"test", "", "Run the tests of a configuration (not in this version)"},
	} {
		list = append(list, &command{
			name:     c.name,
			args:     c.args,
			summary:  c.summary,
			maxArgs:  -1,
			anyFlags: true,
			run: func(_ context.Context, p *program, _ []string) int {
				return p.fail(notInThisVersion("waybill " + c.name))
			},
		})
	}
	return list
}

// notInThisVersion is the answer to what is promised for a later version.
func notInThisVersion(what string) error {
	return fmt.Errorf("%s: not in this version", what)
}
