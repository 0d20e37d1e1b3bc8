package hclspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// ruled is what became of a rule.
type ruled struct {
	known, holds bool
	message      string // where it does not hold
	diags        hcl.Diagnostics
	erred        bool // the condition could not be evaluated
}

// judgeRule evaluates a condition, and the message when it does not hold.
func judgeRule(r rule, ctx *hcl.EvalContext) ruled {
	value, diags := r.condition.Value(ctx)
	if diags.HasErrors() {
		return ruled{diags: diags, erred: true}
	}
	value, _ = value.UnmarkDeep() // whether a condition holds gives no secret away
	if !value.IsKnown() {
		return ruled{diags: diags}
	}
	value, err := convert.Convert(value, cty.Bool)
	if err != nil || value.IsNull() {
		why := "is null"
		if err != nil {
			why = "is not a truth value: " + err.Error()
		}
		return ruled{erred: true, diags: append(diags, mistake("Invalid condition result", "A condition is either true or false, and this one "+why+".", r.condition.Range().Ptr()))}
	}
	if !value.IsKnown() {
		return ruled{diags: diags}
	}
	if value.True() {
		return ruled{known: true, holds: true, diags: diags}
	}
	return ruled{known: true, message: messageOf(r.message, ctx), diags: diags}
}

// messageOf is the text of an error_message, with its sensitive parts
// redacted. A part that cannot be evaluated is replaced by the reason: it
// never hides that a condition does not hold, nor the rest of the message.
func messageOf(expr hcl.Expression, ctx *hcl.EvalContext) string {
	if wrap, ok := expr.(*hclsyntax.TemplateWrapExpr); ok {
		expr = wrap.Wrapped
	}
	template, ok := expr.(*hclsyntax.TemplateExpr)
	if !ok {
		return strings.TrimSpace(messagePart(expr, ctx))
	}
	var b strings.Builder
	for _, part := range template.Parts {
		b.WriteString(messagePart(part, ctx))
	}
	return strings.TrimSpace(b.String())
}

func messagePart(expr hcl.Expression, ctx *hcl.EvalContext) string {
	value, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return "(" + cannotEvaluate("error message", cleanedForMessage(diags)) + ")"
	}
	if value.ContainsMarked() {
		return redacted
	}
	if !value.IsWhollyKnown() {
		return "(not known yet)"
	}
	value, err := convert.Convert(value, cty.String)
	switch {
	case err != nil:
		return "(The error message cannot be evaluated: " + err.Error() + ".)"
	case value.IsNull():
		return "(null)"
	}
	return value.AsString()
}

// cleanedForMessage keeps of diagnostics what may be shown without a Root:
// those that touch a sensitive value lose their detail.
func cleanedForMessage(diags hcl.Diagnostics) hcl.Diagnostics {
	cleaned := make(hcl.Diagnostics, 0, len(diags))
	for _, d := range diags {
		shown := *d
		if touchesSensitive(d) {
			shown.Detail = "It refers to a sensitive value."
		}
		cleaned = append(cleaned, &shown)
	}
	return cleaned
}

// cannotEvaluate says in a line why something could not be evaluated.
func cannotEvaluate(what string, diags hcl.Diagnostics) string {
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		detail := strings.Join(strings.Fields(d.Detail), " ")
		at := ""
		if d.Subject != nil {
			at = " at " + place(*d.Subject)
		}
		return fmt.Sprintf("The %s%s cannot be evaluated: %s. %s", what, at, d.Summary, detail)
	}
	return fmt.Sprintf("The %s cannot be evaluated.", what)
}
