package view

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/tfjson"
)

// jsonPass prints a pass as Terraform's machine-readable UI: one message a line,
// and all of it, however much it is.
type jsonPass struct {
	v       *View
	files   map[string]*hcl.File
	started time.Time
}

func (j *jsonPass) say(m tfjson.Message) { j.v.JSON(m.At(j.v.Now())) }

// flush lets a reader see what was said before something that takes time.
func (j *jsonPass) flush() { _ = j.v.Out.Flush() }

func (j *jsonPass) Begin() {
	j.say(tfjson.Version(j.v.Release))
	j.flush()
}

func (j *jsonPass) Diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) {
	j.files = files
	j.diagnosed(j.v.jsonDiagnostics(files, diags))
}

func (j *jsonPass) diagnosed(list []tfjson.Diagnostic) {
	for _, d := range list {
		j.say(tfjson.Diagnosed(d))
	}
}

func (j *jsonPass) Progress(plan.Progress) {}
func (j *jsonPass) ProgressDone()          {}

func (j *jsonPass) Error(err error) {
	j.say(tfjson.Diagnosed(tfjson.Diagnostic{Severity: "error", Summary: err.Error()}))
}

func (j *jsonPass) Warnings(r *plan.Result) {
	j.Diagnostics(j.files, r.Diagnostics)
	for _, w := range r.Warnings {
		d := tfjson.Diagnostic{Severity: "warning", Summary: warningSummary(w), Detail: w.Err.Error()}
		if w.Address != nil {
			d.Address = w.Address.String()
		}
		j.say(tfjson.Diagnosed(d))
	}
	for i := range r.LossWindows {
		j.say(tfjson.Diagnosed(tfjson.Diagnostic{Severity: "warning", Summary: "Records may have been lost", Detail: lossText(&r.LossWindows[i])}))
	}
	if r.CredentialsFailed {
		j.Error(errCredentials)
	}
}

func (j *jsonPass) provider(c *plan.Change) string { return j.v.ProviderOf(c.Address.Type()) }

// Planned prints drift, planned changes, the summary and the outputs.
func (j *jsonPass) Planned(r *plan.Result, dry bool) {
	if dry {
		j.drift(r)
	}
	for i := range r.Plan.Accounts {
		j.say(tfjson.Diagnosed(tfjson.ProviderChange(&r.Plan.Accounts[i])))
	}
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		j.say(tfjson.PlannedChange(c, j.provider(c)))
	}
	j.say(tfjson.ChangeSummary(r.Plan.Counts(), planLine(r.Plan.Counts()), "plan"))
	if !dry {
		return
	}
	if len(r.Outputs) > 0 {
		j.say(tfjson.PlannedOutputs(r.Outputs))
	}
	j.failing(r)
}

func (j *jsonPass) drift(r *plan.Result) {
	for i := range r.Plan.Drift {
		c := &r.Plan.Drift[i]
		j.say(tfjson.ResourceDrift(c, j.provider(c)))
	}
}

// failing tells the expectations and checks that fail.
func (j *jsonPass) failing(r *plan.Result) {
	j.diagnosed(tfjson.FailedExpectations(r.Expectations))
	for _, c := range r.Checks {
		switch c.State {
		case plan.CheckFail:
			j.diagnosed(j.v.jsonDiagnostics(j.files, c.Failures))
		case plan.CheckError:
			j.diagnosed(tfjson.Unevaluated(c))
		}
	}
}

// Applying prints the start of each change.
func (j *jsonPass) Applying(r *plan.Result) {
	j.started = j.v.Now()
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		j.say(tfjson.ApplyStart(c, j.provider(c)))
	}
	j.flush()
}

// Applied prints the end of each change, what changed at the vendors, the summary
// and the outputs.
func (j *jsonPass) Applied(r *plan.Result) {
	elapsed := j.v.Now().Sub(j.started)
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		j.say(tfjson.ApplyComplete(c, j.provider(c), elapsed))
	}
	j.drift(r)
	j.failing(r)
	j.say(tfjson.ChangeSummary(r.Plan.Counts(), applyLine(r.Plan.Counts()), "apply"))
	if len(r.Outputs) > 0 {
		j.say(tfjson.AppliedOutputs(r.Outputs))
	}
}
