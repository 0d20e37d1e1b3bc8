package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

func (b *builder) judgeUnexpanded() {
	if b.ctx == nil || b.skip {
		return
	}
	w := newWorker(b)
	key := cty.UnknownVal(cty.String)
	if b.r.count != nil {
		key = cty.UnknownVal(cty.Number)
	}
	_, diags := w.evaluate(plan.NoKey, key, cty.DynamicVal, nil)
	b.diags = append(b.diags, diags...)
}

func (b *builder) judgeExpects(e *Evaluation) {
	if len(b.r.expects) == 0 {
		return
	}
	parent, diags := e.scope.context(b.r.expectRefs)
	b.diags = append(b.diags, diags...)
	if diags.HasErrors() {
		return
	}
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
		_, messageDiags := x.message.Value(ctx)
		for _, d := range messageDiags {
			// The expectation serves without its message, so this refuses nothing.
			d.Severity = hcl.DiagWarning
		}
		b.diags = append(append(append(b.diags, outcome.diags...), withinDiags...), messageDiags...)
	}
}
