package expressions

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/waybill-dev/waybill/value"
)

// HCL computes in binary with 512 bits, in which 0.1 added ten times is not 1.
// Here the results of its operators are rounded to the 34 significant digits
// with which a number leaves the program, so that amounts compare, and print
// inside a text, as they do anywhere else. Whole numbers stay as they are.
// Templates inside JSON syntax are parsed only as they are evaluated: there
// HCL's own operators stay.

// UseDecimals makes the operators of a parsed file or template compute so.
func UseDecimals(root hclsyntax.Node) {
	_ = hclsyntax.VisitAll(root, func(node hclsyntax.Node) hcl.Diagnostics { // nothing can go wrong
		if operation, ok := node.(*hclsyntax.BinaryOpExpr); ok {
			operation.Op = decimalOperation(operation.Op)
		}
		return nil
	})
}

func decimalOperation(op *hclsyntax.Operation) *hclsyntax.Operation {
	switch op {
	case hclsyntax.OpAdd:
		return rounded(stdlib.AddFunc)
	case hclsyntax.OpSubtract:
		return rounded(stdlib.SubtractFunc)
	case hclsyntax.OpMultiply:
		return rounded(stdlib.MultiplyFunc)
	case hclsyntax.OpDivide:
		return rounded(stdlib.DivideFunc)
	case hclsyntax.OpModulo:
		return rounded(stdlib.ModuloFunc)
	}
	return op
}

// rounded is an operation whose result has at most value.Digits digits.
func rounded(exact function.Function) *hclsyntax.Operation {
	return &hclsyntax.Operation{Type: cty.Number, Impl: function.New(&function.Spec{
		Params: exact.Params(),
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			result, err := exact.Call(args)
			if err != nil || !result.IsKnown() || result.IsNull() {
				return result, err
			}
			if f := result.AsBigFloat(); f.IsInt() || f.IsInf() {
				return result, nil
			}
			return cty.ParseNumberVal(value.FormatNumber(result.AsBigFloat()))
		},
	})}
}
