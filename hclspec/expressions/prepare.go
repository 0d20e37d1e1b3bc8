package expressions

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Rules are what evaluation keeps to.
type Rules struct {
	// Stopped is why evaluation must end now, as context.Context's Err gives it;
	// nil while it goes on. Without one it always goes on.
	Stopped func() error
	// Turns are how many the loops within one loop may take together; 0 stands for
	// MaxTurns.
	Turns int
}

// MaxTurns is far more than a configuration of a million items needs, and takes
// some seconds.
const MaxTurns = 16 << 20

// Prepare makes a parsed body compute as this language does: its operators are
// those of decimals, and its loops keep to bounds, can be ended and tell no
// secret.
func Prepare(body *hclsyntax.Body, rules Rules) {
	for _, attr := range body.Attributes {
		attr.Expr = PrepareExpression(attr.Expr, rules)
	}
	for _, block := range body.Blocks {
		Prepare(block.Body, rules)
	}
}

// PrepareExpression is Prepare for one expression, which may be replaced.
func PrepareExpression(expr hclsyntax.Expression, rules Rules) hclsyntax.Expression {
	p := &preparation{rules: rules}
	p.expression(&expr)
	return expr
}

type preparation struct {
	rules Rules
	loops int // found so far
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
		e.Op = operation(e.Op)
		p.expression(&e.LHS)
		p.expression(&e.RHS)
	case *hclsyntax.UnaryOpExpr:
		e.Op = operation(e.Op)
		p.expression(&e.Val)
	case *hclsyntax.ConditionalExpr:
		p.expression(&e.Condition)
		p.expression(&e.TrueResult)
		p.expression(&e.FalseResult)
		*at = &conditional{ConditionalExpr: e}
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
		*at = &Loop{ForExpr: e, rules: p.rules, nested: p.loops > before}
		p.loops++
	}
}
