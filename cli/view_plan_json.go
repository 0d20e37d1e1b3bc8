package cli

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// jsonPassView prints Terraform's machine-readable UI: one message a line.
type jsonPassView struct {
	p       *program
	files   map[string]*hcl.File
	started time.Time
}

// message prints one message; fields join those that every message has.
func (v *jsonPassView) message(level, text, typ string, fields map[string]any) {
	m := map[string]any{
		"@level":     level,
		"@message":   text,
		"@module":    "terraform.ui",
		"@timestamp": v.p.now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		"type":       typ,
	}
	for name, value := range fields {
		m[name] = value
	}
	v.p.lineJSON(m)
}

// flush lets a reader see what was said before something that takes time.
func (v *jsonPassView) flush() { _ = v.p.out.Flush() }

// uiVersion is the version of Terraform's UI that the messages follow.
const uiVersion = "1.2"

func (v *jsonPassView) begin() {
	v.message("info", "Waybill "+Version, "version", map[string]any{"terraform": Version, "waybill": Version, "ui": uiVersion})
	v.flush()
}

func (v *jsonPassView) diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) {
	v.files = files
	for _, d := range v.p.jsonDiagnostics(files, diags) {
		v.diagnostic(d)
	}
}

func (v *jsonPassView) diagnostic(d jsonDiagnostic) {
	level, word := "error", "Error: "
	if d.Severity == "warning" {
		level, word = "warn", "Warning: "
	}
	v.message(level, word+d.Summary, "diagnostic", map[string]any{"diagnostic": d})
}

func (v *jsonPassView) progress(agent.Progress) {}
func (v *jsonPassView) progressDone()           {}

func (v *jsonPassView) fail(err error) int {
	v.diagnostic(jsonDiagnostic{Severity: "error", Summary: err.Error()})
	return exitError
}

func (v *jsonPassView) warnings(r *agent.Result) {
	v.diagnostics(v.files, r.Diagnostics)
	for _, w := range r.Warnings {
		d := jsonDiagnostic{Severity: "warning", Summary: warningSummary(w), Detail: w.Err.Error()}
		if w.Address != nil {
			d.Address = w.Address.String()
		}
		v.diagnostic(d)
	}
	if r.CredentialsFailed {
		v.diagnostic(jsonDiagnostic{Severity: "error", Summary: errCredentials.Error()})
	}
}

// planned prints drift, planned changes, the summary and the outputs.
func (v *jsonPassView) planned(r *agent.Result, mode plannedMode) {
	if mode == plannedDry {
		v.drift(r)
	}
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		change := map[string]any{"resource": v.resource(c.Address), "action": actionWord(c.Action)}
		if c.From != nil {
			change["previous_resource"] = v.resource(*c.From)
		}
		v.message("info", c.Address.String()+": Plan to "+planVerb(c.Action), "planned_change", map[string]any{"change": change})
	}
	v.summary(r, planLine(r.Plan.Counts()), "plan")
	if mode == plannedApply {
		return
	}
	outputs := make(map[string]any)
	for _, o := range r.Outputs {
		outputs[o.Name] = map[string]any{"sensitive": o.Sensitive, "action": outputAction(o)}
	}
	v.outputs(outputs)
	v.failing(r)
}

func (v *jsonPassView) drift(r *agent.Result) {
	for i := range r.Plan.Drift {
		c := &r.Plan.Drift[i]
		change := map[string]any{"resource": v.resource(c.Address), "action": "update"}
		v.message("info", c.Address.String()+": Drift detected (update)", "resource_drift", map[string]any{"change": change})
	}
}

func (v *jsonPassView) summary(r *agent.Result, text, operation string) {
	c := r.Plan.Counts()
	v.message("info", text, "change_summary", map[string]any{"changes": map[string]any{
		"add": c.Track, "change": c.Change, "remove": c.Forget, "import": 0, "remote": c.Remote, "operation": operation,
	}})
}

func (v *jsonPassView) outputs(outputs map[string]any) {
	if len(outputs) > 0 {
		v.message("info", fmt.Sprintf("Outputs: %d", len(outputs)), "outputs", map[string]any{"outputs": outputs})
	}
}

// applying prints the start of each change.
func (v *jsonPassView) applying(r *agent.Result) {
	v.started = v.p.now()
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		v.message("info", c.Address.String()+": "+applyVerb(c.Action)+"...", "apply_start",
			map[string]any{"hook": map[string]any{"resource": v.resource(c.Address), "action": actionWord(c.Action)}})
	}
	v.flush()
}

// applied prints the end of each change, what changed at the vendors, the
// summary and the outputs.
func (v *jsonPassView) applied(r *agent.Result) {
	elapsed := int(v.p.now().Sub(v.started).Seconds())
	for i := range r.Plan.Changes {
		c := &r.Plan.Changes[i]
		v.message("info", fmt.Sprintf("%s: %s complete after %ds", c.Address, applyVerb(c.Action), elapsed), "apply_complete",
			map[string]any{"hook": map[string]any{"resource": v.resource(c.Address), "action": actionWord(c.Action), "elapsed_seconds": elapsed}})
	}
	v.drift(r)
	v.failing(r)
	v.summary(r, applyLine(r.Plan.Counts()), "apply")
	outputs := make(map[string]any)
	for _, o := range r.Outputs {
		if o.After == cty.NilVal && !o.Sensitive {
			continue
		}
		outputs[o.Name] = outputValue(o)
	}
	v.outputs(outputs)
}

// outputValue is an output after an apply; what is sensitive, or not known yet,
// has no value.
func outputValue(o agent.OutputChange) map[string]any {
	j := map[string]any{"sensitive": o.Sensitive}
	if o.Sensitive || !o.After.IsWhollyKnown() {
		return j
	}
	value, err := value.Encode(o.After)
	if err != nil {
		return j
	}
	ty, err := ctyjson.MarshalType(o.After.Type())
	if err != nil {
		return j
	}
	j["value"], j["type"] = rawJSON(value), rawJSON(ty)
	return j
}

// failing prints the expectations and checks that fail, as warnings.
func (v *jsonPassView) failing(r *agent.Result) {
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if e.State != plan.ExpectFailed {
			continue
		}
		v.diagnostic(jsonDiagnostic{
			Severity: "warning", Summary: "Expectation failed", Address: e.Address.String(),
			Detail: fmt.Sprintf("expect %q of %s has failed since %s: %s", e.Name, e.Address, timeText(e.Since), e.Message),
		})
	}
	for _, c := range r.Checks {
		if c.State != plan.CheckFail && c.State != plan.CheckError {
			continue
		}
		for _, m := range append([]string(nil), c.Messages...) {
			v.diagnostic(jsonDiagnostic{Severity: "warning", Summary: "Check block assertion failed", Address: "check." + c.Name, Detail: m})
		}
		if len(c.Messages) == 0 {
			v.diagnostic(jsonDiagnostic{Severity: "warning", Summary: "Check block assertion failed", Address: "check." + c.Name})
		}
	}
}

// resource is an address as the messages have it.
func (v *jsonPassView) resource(a plan.Address) map[string]any {
	return map[string]any{
		"addr":             a.String(),
		"module":           "",
		"resource":         a.String(),
		"implied_provider": v.p.providerOf(a.Type()),
		"resource_type":    a.Type(),
		"resource_name":    a.Name(),
		"resource_key":     indexOf(a.Key()),
	}
}

// actionWord is an action in Terraform's words.
func actionWord(a plan.Action) string {
	switch a {
	case plan.Track:
		return "create"
	case plan.Update, plan.Observe:
		return "update"
	case plan.Forget:
		return "forget"
	case plan.Moved:
		return "move"
	}
	return "noop"
}

func planVerb(a plan.Action) string {
	switch a {
	case plan.Track:
		return "track"
	case plan.Forget:
		return "forget"
	case plan.Moved:
		return "move"
	}
	return "change"
}

func applyVerb(a plan.Action) string {
	switch a {
	case plan.Track:
		return "Tracking"
	case plan.Forget:
		return "Forgetting"
	case plan.Moved:
		return "Moving"
	}
	return "Changing"
}

func outputAction(o agent.OutputChange) string {
	switch {
	case !o.Changed():
		return "noop"
	case o.Before == cty.NilVal:
		return "create"
	case o.After == cty.NilVal:
		return "delete"
	}
	return "update"
}
