package cli

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
)

// plannedMode says what the plan is shown for.
type plannedMode uint8

const (
	plannedDry   plannedMode = iota // plan: everything is known that will be
	plannedApply                    // apply: before the reads
)

// passView prints a plan or an apply, for people or as JSON.
type passView interface {
	begin()
	diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics)
	progress(agent.Progress)
	progressDone()
	warnings(*agent.Result)
	planned(*agent.Result, plannedMode)
	applying(*agent.Result)
	applied(*agent.Result)
	fail(error) int
}

func (p *program) passView(asJSON bool) passView {
	if asJSON {
		return &jsonPassView{p: p}
	}
	return &textPassView{p: p, bar: p.newProgress()}
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
