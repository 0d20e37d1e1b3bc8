package agent

import "github.com/waybill-dev/waybill/plan"

// What a pass and a replay found stands below this package, for those who print it.
type (
	Result          = plan.Result
	ItemExpectation = plan.ItemExpectation
	OutputChange    = plan.OutputChange
	Warning         = plan.Warning
	Pull            = plan.Pull
	Progress        = plan.Progress
	Replayed        = plan.Replayed
	Difference      = plan.Difference
)
