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
		{"ack", "ADDRESS", "Say that a trouble is known (not in this version)"},
		{"console", "", "Try expressions (not in this version)"},
		{"erase", "-phone=N|ADDRESS", "Take a person's data out (not in this version)"},
		{"evidence", "ADDRESS|RECORD", "Write the proof of one item (not in this version)"},
		{"export", "items|records|...", "Write tables for others (not in this version)"},
		{"graph", "", "Show what depends on what (not in this version)"},
		{"notify", "", "See to notifications (not in this version)"},
		{"providers schema", "[-json]", "Show the schemas of the vendors (not in this version)"},
		{"prune", "-before=T", "Drop old history (not in this version)"},
		{"reconcile", "", "Compare with invoices (not in this version)"},
		{"refresh", "ADDRESS...", "Read items now (not in this version)"},
		{"report", "costs|failures|losses", "Sums, failures and losses (not in this version)"},
		{"resume", "ADDRESS|ACCOUNT", "End a suspension (not in this version)"},
		{"status", "", "What needs somebody now (not in this version)"},
		{"suspend", "ADDRESS|ACCOUNT", "Stop reads and pulls there (not in this version)"},
		{"test", "", "Run the tests of a configuration (not in this version)"},
		{"verify", "", "Check the state against its proofs (not in this version)"},
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

// elsewhere says, of a command that Terraform has, how its work is done here, ""
// of any other.
func elsewhere(name string) string {
	return map[string]string{
		"destroy":      "take the blocks out of the configuration and apply; nothing is ever deleted at a vendor",
		"force-unlock": "a lock whose owner is dead is taken over at once, and one whose owner lives is not to be taken",
		"get":          "there is nothing to fetch",
		"import":       "declare what you sent, and apply: whatever the vendor has of it is read",
		"login":        "credentials come from the provider blocks, or from the environment",
		"taint":        "an item is read until it is settled, and never made again",
		"untaint":      "an item is read until it is settled, and never made again",
		"workspace":    "each directory has its own state; give the backend another path",
	}[name]
}
