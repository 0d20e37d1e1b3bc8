package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// judgeUnexpanded evaluates the arguments of a block whose instances are not
// known, once, with an unknown key, for its mistakes.
func (b *builder) judgeUnexpanded() {
	w := newWorker(b)
	key := cty.UnknownVal(cty.String)
	if b.r.count != nil {
		key = cty.UnknownVal(cty.Number)
	}
	_, diags := w.evaluate(plan.NoKey, key, cty.DynamicVal, nil)
	b.diags = append(b.diags, diags...)
}

// judgeExpects evaluates the expectations once, of an item of which nothing is
// known, for their mistakes.
func (b *builder) judgeExpects(e *Evaluation) {
	if len(b.r.expects) == 0 {
		return
	}
	parent, diags := e.scope.context(b.r.expectRefs)
	b.diags = append(b.diags, diags...)
	ctx := parent.NewChild()
	key := cty.UnknownVal(cty.String)
	if b.r.count != nil {
		key = cty.UnknownVal(cty.Number)
	}
	ctx.Variables = instanceObject(b.r, key, cty.DynamicVal)
	ctx.Variables["self"] = b.r.typ.unread()
	for _, x := range b.r.expects {
		outcome := judgeRule(x.rule, ctx)
		_, withinDiags := x.duration(ctx)
		b.diags = append(append(append(b.diags, outcome.diags...), withinDiags...), warnings(x.message, ctx)...)
	}
}

// warnings are the mistakes of a message. A rule serves without it, so they
// refuse nothing.
func warnings(message hcl.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	_, diags := message.Value(ctx)
	for _, d := range diags {
		d.Severity = hcl.DiagWarning
	}
	return diags
}

// rangeOf is where an argument is written, or the block where it is not.
func (b *builder) rangeOf(name string) hcl.Range {
	if attr := b.r.args[name]; attr != nil {
		return attr.Expr.Range()
	}
	return b.r.declared
}
