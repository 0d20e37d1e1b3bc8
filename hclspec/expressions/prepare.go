package expressions

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Prepare makes a parsed body compute as this language does: its operators are
// those of decimals, and its loops keep to bounds, can be ended and tell no
// secret. stopped is why evaluation must end now; nil while it goes on.
func Prepare(body *hclsyntax.Body, stopped func() error) {
	for _, attr := range body.Attributes {
		attr.Expr = PrepareExpression(attr.Expr, stopped)
	}
	for _, block := range body.Blocks {
		Prepare(block.Body, stopped)
	}
}

// PrepareExpression is Prepare for one expression, which may be replaced.
func PrepareExpression(expr hclsyntax.Expression, stopped func() error) hclsyntax.Expression {
	p := &preparation{stopped: stopped}
	p.expression(&expr)
	return expr
}

type preparation struct {
	stopped func() error
	loops   int // found so far
}

func (p *preparation) all(exprs []hclsyntax.Expression) {
	for i := range exprs {
		p.expression(&exprs[i])
	}
}

func (p *preparation) expression(at *hclsyntax.Expression) {
	switch e := (*at).(type) {
	case nil:
	case *hclsyntax.BinaryOpExpr:
		e.Op = decimalOperation(e.Op)
		p.expression(&e.LHS)
		p.expression(&e.RHS)
	case *hclsyntax.UnaryOpExpr:
		e.Op = decimalOperation(e.Op)
		p.expression(&e.Val)
	case *hclsyntax.ConditionalExpr:
		p.expression(&e.Condition)
		p.expression(&e.TrueResult)
		p.expression(&e.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		p.all(e.Args)
	case *hclsyntax.IndexExpr:
		p.expression(&e.Collection)
		p.expression(&e.Key)
	case *hclsyntax.RelativeTraversalExpr:
		p.expression(&e.Source)
	case *hclsyntax.SplatExpr:
		p.expression(&e.Source)
		p.expression(&e.Each)
		*at = &splat{SplatExpr: e}
	case *hclsyntax.ParenthesesExpr:
		p.expression(&e.Expression)
	case *hclsyntax.TupleConsExpr:
		p.all(e.Exprs)
	case *hclsyntax.ObjectConsExpr:
		for i := range e.Items {
			p.expression(&e.Items[i].KeyExpr)
			p.expression(&e.Items[i].ValueExpr)
		}
	case *hclsyntax.ObjectConsKeyExpr:
		p.expression(&e.Wrapped)
	case *hclsyntax.TemplateExpr:
		p.all(e.Parts)
		for i, inner := range e.Parts {
			if _, literal := inner.(*hclsyntax.LiteralValueExpr); !literal {
				e.Parts[i] = &part{ParenthesesExpr: &hclsyntax.ParenthesesExpr{Expression: inner, SrcRange: inner.Range()}}
			}
		}
	case *hclsyntax.TemplateJoinExpr:
		p.expression(&e.Tuple)
	case *hclsyntax.TemplateWrapExpr:
		p.expression(&e.Wrapped)
	case *hclsyntax.ForExpr:
		p.expression(&e.CollExpr)
		before := p.loops
		p.expression(&e.KeyExpr)
		p.expression(&e.ValExpr)
		p.expression(&e.CondExpr)
		*at = &Loop{ForExpr: e, stopped: p.stopped, nested: p.loops > before}
		p.loops++
	}
}
