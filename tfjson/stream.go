package tfjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// uiVersion is the version of Terraform's UI that the messages follow.
const uiVersion = "1.2"

// Message is one line of the machine-readable UI.
type Message struct {
	Level  string // "info", "warn", "error"
	Text   string // for people
	Type   string // "planned_change", "diagnostic" and so on
	Fields map[string]any
}

// At is the message as it was said at a time, to be encoded.
func (m Message) At(at time.Time) map[string]any {
	line := map[string]any{
		"@level":     m.Level,
		"@message":   m.Text,
		"@module":    "terraform.ui",
		"@timestamp": at.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		"type":       m.Type,
	}
	for name, v := range m.Fields {
		line[name] = v
	}
	return line
}

// Version is the first message of a stream.
func Version(version string) Message {
	return Message{"info", "Waybill " + version, "version", map[string]any{"terraform": version, "waybill": version, "ui": uiVersion}}
}

// Diagnosed tells a diagnostic.
func Diagnosed(d Diagnostic) Message {
	level, word := "error", "Error: "
	if d.Severity == "warning" {
		level, word = "warn", "Warning: "
	}
	return Message{level, word + d.Summary, "diagnostic", map[string]any{"diagnostic": d}}
}

// PlannedChange tells a change of the declaration that is planned.
func PlannedChange(c *plan.Change, provider string) Message {
	change := map[string]any{"resource": resource(c.Address, provider), "action": changeAction(c)}
	if c.From != nil {
		change["previous_resource"] = resource(*c.From, provider)
	}
	return Message{"info", c.Address.String() + ": Plan to " + planVerb(c.Action), "planned_change", map[string]any{"change": change}}
}

// ProviderChange warns of a provider block with other settings: the stream has no
// message for a change of what is no resource.
func ProviderChange(c *plan.AccountChange) Diagnostic {
	parts := make([]string, len(c.Fields))
	for i, f := range c.Fields {
		parts[i] = fmt.Sprintf("%s: %s -> %s", f.Path, orNull(f.Before), orNull(f.After))
	}
	return Diagnostic{Severity: "warning", Summary: "Provider settings change", Address: "provider." + c.Name, Detail: strings.Join(parts, ", ")}
}

func orNull(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	return b
}

// ResourceDrift tells what changed at a vendor.
func ResourceDrift(c *plan.Change, provider string) Message {
	change := map[string]any{"resource": resource(c.Address, provider), "action": "update"}
	return Message{"info", c.Address.String() + ": Drift detected (update)", "resource_drift", map[string]any{"change": change}}
}

// ChangeSummary counts the changes of a plan, or of an apply ("operation").
func ChangeSummary(c plan.Counts, text, operation string) Message {
	return Message{"info", text, "change_summary", map[string]any{"changes": map[string]any{
		"add": c.Track, "change": c.Change, "remove": c.Forget, "import": 0, "remote": c.Remote, "operation": operation,
	}}}
}

// ApplyStart tells that a change is about to be recorded.
func ApplyStart(c *plan.Change, provider string) Message {
	return Message{"info", c.Address.String() + ": " + applyVerb(c.Action) + "...", "apply_start",
		map[string]any{"hook": map[string]any{"resource": resource(c.Address, provider), "action": changeAction(c)}}}
}

// ApplyComplete tells that a change is recorded.
func ApplyComplete(c *plan.Change, provider string, elapsed time.Duration) Message {
	seconds := int(elapsed.Seconds())
	return Message{"info", fmt.Sprintf("%s: %s complete after %ds", c.Address, applyVerb(c.Action), seconds), "apply_complete",
		map[string]any{"hook": map[string]any{"resource": resource(c.Address, provider), "action": changeAction(c), "elapsed_seconds": seconds}}}
}

// PlannedOutputs tells what becomes of the outputs.
func PlannedOutputs(list []plan.OutputChange) Message {
	outputs := make(map[string]any, len(list))
	for _, o := range list {
		outputs[o.Name] = map[string]any{"sensitive": o.Sensitive, "action": outputAction(o)}
	}
	return outputsMessage(outputs)
}

// AppliedOutputs tells the outputs after an apply.
func AppliedOutputs(list []plan.OutputChange) Message {
	outputs := make(map[string]any, len(list))
	for _, o := range list {
		if after, ok := o.Output(); ok {
			outputs[o.Name] = OutputOf(after)
		}
	}
	return outputsMessage(outputs)
}

func outputsMessage(outputs map[string]any) Message {
	return Message{"info", fmt.Sprintf("Outputs: %d", len(outputs)), "outputs", map[string]any{"outputs": outputs}}
}

// resource is an address as the messages have it.
func resource(a plan.Address, provider string) map[string]any {
	return map[string]any{
		"addr":             a.String(),
		"module":           "",
		"resource":         a.String(),
		"implied_provider": provider,
		"resource_type":    a.Type(),
		"resource_name":    a.Name(),
		"resource_key":     indexOf(a.Key()),
	}
}

// changeAction is an action in the words of the machine-readable UI, which are
// not those of the plan representation: it says remove where that says forget.
// A move that changes something too is an update with a previous_resource.
func changeAction(c *plan.Change) string {
	switch c.Action {
	case plan.Track:
		return "create"
	case plan.Update, plan.Observe:
		return "update"
	case plan.Forget:
		return "remove"
	case plan.Moved:
		if len(c.Fields) > 0 {
			return "update"
		}
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

func outputAction(o plan.OutputChange) string {
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

// FailedExpectations are the expectations that failed, as warnings.
func FailedExpectations(list []plan.ItemExpectation) []Diagnostic {
	var failed []Diagnostic
	for i := range list {
		e := &list[i]
		if e.State != plan.ExpectFailed {
			continue
		}
		failed = append(failed, Diagnostic{
			Severity: "warning", Summary: "Expectation failed", Address: e.Address.String(),
			Detail: fmt.Sprintf("expect %q of %s has failed since %s: %s", e.Name, e.Address, plan.FormatTime(e.Since), e.Message),
		})
	}
	return failed
}

// Unevaluated is a check that could not be evaluated, as warnings.
func Unevaluated(c plan.Check) []Diagnostic {
	const summary = "Check block could not be evaluated"
	list := make([]Diagnostic, 0, max(1, len(c.Messages)))
	for _, m := range c.Messages {
		list = append(list, Diagnostic{Severity: "warning", Summary: summary, Address: "check." + c.Name, Detail: m})
	}
	if len(list) == 0 {
		list = append(list, Diagnostic{Severity: "warning", Summary: summary, Address: "check." + c.Name})
	}
	return list
}
