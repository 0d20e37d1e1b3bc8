package view

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/plan"
)

// Pass prints a plan or an apply, for people or as JSON.
type Pass interface {
	// Begin comes before anything else.
	Begin()
	Diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics)
	// Progress takes news of long work; it may be called often and from anywhere.
	Progress(plan.Progress)
	ProgressDone()
	// Warnings prints what went wrong and did not stop the pass.
	Warnings(*plan.Result)
	// Planned prints a plan: of a dry run, where all is known that will be, or of an
	// apply before its reads.
	Planned(r *plan.Result, dry bool)
	// Applying comes once an apply was approved, Applied at its end.
	Applying(*plan.Result)
	Applied(*plan.Result)
	Error(error)
}

// NewPass makes the printer of one pass. With verbose, people see all of it,
// however much it is; as JSON all of it is there in any case.
func (v *View) NewPass(asJSON, verbose bool) Pass {
	if asJSON {
		return &jsonPass{v: v}
	}
	return &textPass{v: v, bar: v.NewProgress(), verbose: verbose}
}

// noChangesLine and planLine are frozen: programs read them.
const noChangesLine = "No changes. Your records match the configuration."

func planLine(c plan.Counts) string {
	if c.Empty() {
		return noChangesLine
	}
	return "Plan: " + countsText(c, "to track", "to change", "to forget")
}

func applyLine(c plan.Counts) string {
	return "Apply complete! Resources: " + countsText(c, "tracked", "changed", "forgotten")
}

// countsText is the frozen part of both last lines.
func countsText(c plan.Counts, track, change, forget string) string {
	return fmt.Sprintf("%d %s, %d %s, %d %s. %d changed remotely.", c.Track, track, c.Change, change, c.Forget, forget, c.Remote)
}

// headed paints the part of a frozen line up to its first colon.
func (s *Stream) headed(line string) Text {
	head, rest, ok := strings.Cut(line, ":")
	if !ok {
		return s.paint(bold+";"+green, Text(line))
	}
	return s.paint(bold, Text(head+":")) + Text(rest)
}
