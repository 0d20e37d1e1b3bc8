package hclspec

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/waybill-dev/waybill/plan"
)

// expect is an expect block of a resource.
type expect struct {
	rule
	name   string
	within *hcl.Attribute
}

var expectSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "condition", Required: true}, {Name: "within"}, {Name: "error_message", Required: true},
}}

func (e *expect) expressions() []hcl.Expression {
	exprs := []hcl.Expression{e.condition, e.message}
	if e.within != nil {
		exprs = append(exprs, e.within.Expr)
	}
	return exprs
}

func decodeExpect(block *hcl.Block) (*expect, hcl.Diagnostics) {
	diags := checkName("expect block", block.Labels[0], block.LabelRanges[0])
	content, contentDiags := block.Body.Content(expectSchema)
	diags = append(diags, contentDiags...)
	condition, message := content.Attributes["condition"], content.Attributes["error_message"]
	if condition == nil || message == nil {
		return nil, diags
	}
	return &expect{
		rule: rule{condition: condition.Expr, message: message.Expr, declared: block.DefRange},
		name: block.Labels[0], within: content.Attributes["within"],
	}, diags
}

// HasExpect reports whether a resource block has expect blocks.
func (e *Evaluation) HasExpect(block string) bool {
	r := e.c.module.resources[block]
	return r != nil && len(r.expects) > 0
}

// Judge says of each expect block of an instance's resource what it comes to.
// Self is the instance's values, an object of plan.Type.ValuesType. It never
// fails: a condition that cannot be evaluated does not hold, and the message
// says why.
func (e *Evaluation) Judge(addr plan.Address, self cty.Value) []plan.Verdict {
	r := e.c.module.resources[addr.Block()]
	if r == nil || len(r.expects) == 0 {
		return nil
	}
	parent, diags := e.judgeContext(r)
	verdicts := make([]plan.Verdict, 0, len(r.expects))
	ctx := parent.NewChild()
	ctx.Variables = e.instanceVariables(r, addr.Key())
	ctx.Variables["self"] = self
	for _, x := range r.expects {
		if diags.HasErrors() {
			verdicts = append(verdicts, plan.Verdict{Name: x.name, Known: true, Message: cannotEvaluate("condition", e.c.clean(diags))})
			continue
		}
		v := plan.Verdict{Name: x.name}
		within, withinDiags := x.duration(ctx)
		v.Within = within
		outcome := judgeRule(x.rule, ctx)
		v.Known, v.Holds, v.Message = outcome.known, outcome.holds, outcome.message
		if withinDiags.HasErrors() {
			v.Known, v.Holds, v.Message = true, false, cannotEvaluate("argument within", e.c.clean(withinDiags))
		} else if outcome.diags.HasErrors() && outcome.erred {
			v.Known, v.Holds, v.Message = true, false, cannotEvaluate("condition", e.c.clean(outcome.diags))
		}
		if v.Message != "" {
			v.Message = redactText(v.Message, e.c.read.secretTexts())
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// duration is the value of within; zero where there is none or it is unknown.
func (e *expect) duration(ctx *hcl.EvalContext) (time.Duration, hcl.Diagnostics) {
	if e.within == nil {
		return 0, nil
	}
	value, diags := e.within.Expr.Value(ctx)
	if diags.HasErrors() {
		return 0, diags
	}
	value, _ = value.UnmarkDeep()
	value, err := convert.Convert(value, cty.String)
	if err != nil {
		return 0, hcl.Diagnostics{unsuitable(e.within, conversionText(err, cty.String))}
	}
	if !value.IsKnown() || value.IsNull() {
		return 0, nil
	}
	d, why := durationText(value.AsString())
	if why != "" {
		return 0, hcl.Diagnostics{mistake("Invalid duration", fmt.Sprintf("The argument within of expect %q: %s.", e.name, why), e.within.Expr.Range().Ptr())}
	}
	return d, nil
}

// judgeContext is what a resource's expectations know besides the instance.
func (e *Evaluation) judgeContext(r *resource) (*hcl.EvalContext, hcl.Diagnostics) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known, ok := e.judging[r.block()]; ok {
		return known.ctx, known.diags
	}
	ctx, diags := e.scope.context(r.expectRefs)
	e.judging[r.block()] = judging{ctx, diags}
	return ctx, diags
}

type judging struct {
	ctx   *hcl.EvalContext
	diags hcl.Diagnostics
}
