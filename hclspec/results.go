package hclspec

import (
	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// Outputs are the values of the output blocks, in the order of their names.
func (e *Evaluation) Outputs(ctx context.Context) ([]plan.Output, hcl.Diagnostics) {
	s := e.present(ctx)
	var diags hcl.Diagnostics
	outputs := make([]plan.Output, 0, len(e.c.module.outputs))
	for _, name := range sortedKeys(e.c.module.outputs) {
		o := e.c.module.outputs[name]
		out := plan.Output{Name: name, Description: o.description, Sensitive: o.sensitive}
		evalCtx, valueDiags := s.context(o.refs)
		value, own := o.value.Expr.Value(evalCtx)
		valueDiags = append(valueDiags, own...)
		diags = append(diags, valueDiags...)
		switch {
		case valueDiags.HasErrors():
			continue
		case o.sensitive:
			out.Value, out.Type = cty.NilVal, publicType(value.Type())
		case value.ContainsMarked():
			diags = append(diags, mistake("Output refers to sensitive values",
				"The value of this output is made from something sensitive, and would be shown in plans, logs and the state. Leave that part out of it, or keep the value hidden:\n    sensitive = true", o.declared.Ptr()))
			continue
		default:
			out.Value = value
		}
		outputs = append(outputs, out)
	}
	return outputs, e.c.clean(diags)
}

// publicType is the type of a sensitive value as far as it tells nothing of the
// value: the names of an object's attributes may be secrets.
func publicType(ty cty.Type) cty.Type {
	of := ty
	for of.IsCollectionType() {
		of = of.ElementType()
	}
	if of.IsPrimitiveType() {
		return ty
	}
	return cty.DynamicPseudoType
}

// present is a scope over what is seen now, for what is evaluated once.
func (e *Evaluation) present(ctx context.Context) *scope {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ctx = ctx
	if !e.ended {
		e.turn()
	}
	return e.scope
}

// Checks are the results of the check blocks, in the order of their names.
func (e *Evaluation) Checks(ctx context.Context) ([]plan.Check, hcl.Diagnostics) {
	s := e.present(ctx)
	var diags hcl.Diagnostics
	checks := make([]plan.Check, 0, len(e.c.module.checks))
	for _, name := range sortedKeys(e.c.module.checks) {
		k := e.c.module.checks[name]
		result := plan.Check{Name: name, State: plan.CheckPass}
		evalCtx, ctxDiags := s.context(k.refs)
		diags = append(diags, ctxDiags...)
		for _, r := range k.asserts {
			outcome := judgeRule(r, evalCtx)
			diags = append(diags, outcome.diags...)
			if e.seen == nil {
				diags = append(diags, warnings(r.message, evalCtx)...)
			}
			switch {
			case outcome.erred:
				result.State = plan.CheckError
				result.Messages = append(result.Messages, cannotEvaluate("condition", e.c.clean(outcome.diags)))
			case !outcome.known:
				if result.State == plan.CheckPass {
					result.State = plan.CheckUnknown
				}
			case !outcome.holds:
				if result.State != plan.CheckError {
					result.State = plan.CheckFail
				}
				result.Messages = append(result.Messages, redactText(outcome.message, e.c.read.secretTexts()))
				result.Failures = append(result.Failures, &hcl.Diagnostic{
					Severity: hcl.DiagWarning, Summary: "Check block assertion failed", Detail: outcome.message,
					Subject: r.condition.Range().Ptr(), Expression: r.condition, EvalContext: evalCtx,
				})
			}
		}
		if ctxDiags.HasErrors() {
			result.State = plan.CheckError
		}
		result.Failures = e.c.clean(result.Failures)
		checks = append(checks, result)
	}
	return checks, e.c.clean(diags)
}
