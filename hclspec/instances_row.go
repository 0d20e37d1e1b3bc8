package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// row is one turn of the loop.
type row struct {
	s      *stream
	number int
	fields []string  // of a CSV
	whole  cty.Value // of anything else, or once it is needed
	index  cty.Value // of anything else: its key in the collection
}

// value is the row as the expression sees it.
func (r *row) value() cty.Value {
	if r.whole == cty.NilVal {
		attrs := make(map[string]cty.Value, len(r.fields))
		for i, field := range r.fields {
			attrs[r.s.names[i]] = cty.StringVal(field)
		}
		r.whole = cty.ObjectVal(attrs)
	}
	return r.whole
}

// at is the value that steps lead to from the row, where they lead to one.
func (r *row) at(steps hcl.Traversal) (cty.Value, bool) {
	if r.fields != nil && len(steps) == 1 {
		if attr, ok := steps[0].(hcl.TraverseAttr); ok {
			if i, ok := r.s.index[attr.Name]; ok {
				return cty.StringVal(r.fields[i]), true
			}
		}
	}
	if len(steps) == 0 {
		return r.value(), true
	}
	v, diags := steps.TraverseRel(r.value())
	return v, len(diags) == 0
}

// context is what the loop's expressions know at this turn.
func (r *row) context() *hcl.EvalContext {
	ctx := r.s.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{}
	if name := r.s.expr.KeyVar; name != "" {
		ctx.Variables[name] = r.index
		if r.fields != nil {
			ctx.Variables[name] = cty.NumberIntVal(int64(r.number))
		}
	}
	ctx.Variables[r.s.expr.ValVar] = r.value()
	return ctx
}

// eval is the value of one of the loop's expressions, and whether it has one
// without more ado.
func (r *row) eval(p step, ctx **hcl.EvalContext) (cty.Value, bool) {
	if p.row {
		return r.at(p.steps)
	}
	if *ctx == nil {
		*ctx = r.context()
	}
	v, diags := p.expr.Value(*ctx)
	return v, len(diags) == 0
}

// includes judges the loop's if clause.
func (r *row) includes(ctx **hcl.EvalContext) (included, ok bool) {
	cond := r.s.expr.CondExpr
	if cond == nil {
		return true, true
	}
	v, ok := r.eval(step{expr: cond}, ctx)
	if !ok || v.IsMarked() || !v.IsKnown() || v.IsNull() {
		return false, false
	}
	v, err := convert.Convert(v, cty.Bool)
	if err != nil {
		return false, false
	}
	return v.True(), true
}
