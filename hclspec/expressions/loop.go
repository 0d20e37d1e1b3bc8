package expressions

import (
	"cmp"
	"fmt"
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Loop is a for expression that keeps to bounds, can be ended, and whose
// mistakes tell nothing of a sensitive collection. HCL takes the mark off a
// collection before it hands out the elements, so that they look like any
// value to whoever prints a diagnostic.
type Loop struct {
	*hclsyntax.ForExpr
	rules  Rules
	nested bool // there is a loop in its body
}

// LoopOf is the for expression that an expression is, or nil.
func LoopOf(expr hcl.Expression) *hclsyntax.ForExpr {
	switch e := expr.(type) {
	case *hclsyntax.ForExpr:
		return e
	case *Loop:
		return e.ForExpr
	}
	return nil
}

// Value is the value of the loop.
func (l *Loop) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if l.rules.Stopped != nil {
		if err := l.rules.Stopped(); err != nil {
			return cty.DynamicVal, hcl.Diagnostics{mistake("Interrupted", fmt.Sprintf("The evaluation was ended: %s.", err), l.SrcRange.Ptr())}
		}
	}
	collection, diags := l.CollExpr.Value(ctx)
	bare, marks := collection.Unmark()
	if diags.HasErrors() || bare.IsNull() || !bare.CanIterateElements() {
		if !bare.IsKnown() || bare.IsNull() || diags.HasErrors() {
			return l.over(collection, diags, ctx)
		}
		return l.ForExpr.Value(ctx) // which says what is wrong with it
	}
	if bare.IsKnown() {
		inner, before, total := turns(ctx, l.nested, bare.LengthInt())
		if most := cmp.Or(l.rules.Turns, MaxTurns); total > most {
			if before <= most { // said once, whatever turns remain
				diags = append(diags, mistake("Too much work", fmt.Sprintf("The loops here take more than %d turns together. Loop over less, or look elements up in a map.", most), l.SrcRange.Ptr()))
			}
			return cty.DynamicVal, diags
		}
		ctx = inner
	}
	value, loopDiags := l.over(collection, nil, ctx)
	for i, d := range loopDiags {
		if len(marks) > 0 || tellsSecretKey(d) {
			loopDiags[i] = Hide(d)
		}
	}
	return value, append(diags, loopDiags...)
}

// over is the loop over a collection that is known already.
func (l *Loop) over(collection cty.Value, diags hcl.Diagnostics, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	loop := *l.ForExpr
	loop.CollExpr = &hclsyntax.LiteralValueExpr{Val: collection, SrcRange: l.CollExpr.Range()}
	if collection.IsNull() {
		loop.CollExpr = l.CollExpr // for the diagnostic, which names what is null
		return loop.Value(ctx)
	}
	value, loopDiags := loop.Value(ctx)
	return value, append(diags, loopDiags...)
}

// tellsSecretKey reports whether a diagnostic repeats a key that is sensitive.
func tellsSecretKey(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil || d.Summary != duplicateKey {
		return false
	}
	key, _ := d.Expression.Value(d.EvalContext)
	return key.ContainsMarked()
}

// duplicateKey is the summary of HCL's only diagnostic that repeats a key.
const duplicateKey = "Duplicate object key"

// Hide takes out of a diagnostic whatever could tell a value: the values that a
// printer would show, and the sentence.
func Hide(d *hcl.Diagnostic) *hcl.Diagnostic {
	hidden := *d
	hidden.Expression, hidden.EvalContext, hidden.Extra = nil, nil, nil
	hidden.Detail = "The reason is not shown, for a sensitive value is involved."
	if d.Summary == duplicateKey {
		hidden.Detail = "Two turns of this loop gave the same key; it is not shown, for it is sensitive. Make the keys differ, or write ... after the value to collect the values of each key in a list."
	}
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		hidden.Detail = fmt.Sprintf("The call of %q failed; the reason is not shown, for a sensitive value is involved.", call.CalledFunctionName())
	}
	return &hidden
}

// turnsName is the variable in which an outermost loop counts. No expression
// can name it.
const turnsName = "(turns of this loop)"

var turnsType = cty.Capsule("turns", reflect.TypeFor[int]())

// turns counts n turns, and gives the context in which the loops within count
// on, and the count before and after.
func turns(ctx *hcl.EvalContext, nested bool, n int) (*hcl.EvalContext, int, int) {
	for at := ctx; at != nil; at = at.Parent() {
		if v, ok := at.Variables[turnsName]; ok {
			count := v.EncapsulatedValue().(*int)
			before := *count
			*count += n
			return ctx, before, *count
		}
	}
	if !nested {
		return ctx, 0, n
	}
	child := ctx.NewChild()
	child.Variables = map[string]cty.Value{turnsName: cty.CapsuleVal(turnsType, &n)}
	return child, 0, n
}

// splat is a splat expression whose mistakes tell nothing of a sensitive
// source.
type splat struct{ *hclsyntax.SplatExpr }

func (s *splat) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	value, diags := s.SplatExpr.Value(ctx)
	if !diags.HasErrors() {
		return value, diags
	}
	if source, _ := s.Source.Value(ctx); source.IsMarked() {
		for i, d := range diags {
			diags[i] = Hide(d)
		}
	}
	return value, diags
}

// conditional is a conditional expression whose mistakes tell no key of a
// sensitive result.
type conditional struct{ *hclsyntax.ConditionalExpr }

func (c *conditional) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	value, diags := c.ConditionalExpr.Value(ctx)
	for i, d := range diags {
		if d.Expression != hcl.Expression(c.ConditionalExpr) { // of a part, which has told it
			continue
		}
		for _, result := range []hclsyntax.Expression{c.TrueResult, c.FalseResult} {
			if v, _ := result.Value(ctx); v.ContainsMarked() {
				diags[i] = Hide(d)
			}
		}
	}
	return value, diags
}

// part is what a template interpolates, within the bounds of a text: from local
// to local a text could double.
type part struct{ *hclsyntax.ParenthesesExpr }

func (p *part) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	value, diags := p.Expression.Value(ctx)
	bare, _ := value.Unmark()
	if bare.Type() == cty.String && bare.IsKnown() && !bare.IsNull() && len(bare.AsString()) > MaxText {
		return cty.DynamicVal, append(diags, mistake("Text too long", fmt.Sprintf("This part of a text has more than %d MiB, the most that a text may have.", MaxText>>20), p.SrcRange.Ptr()))
	}
	return value, diags
}
