package expressions

import (
	"errors"
	"math/big"
	"strings"

	"github.com/cockroachdb/apd/v3"
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
//
// A number that has all 34 digits is taken to be rounded, like 1/3: what is
// computed from it is looked at without its last two digits, so that (1/3)*3
// is 1.

// guardDigits are those that rounding may have spoilt.
const guardDigits = 2

func operation(op *hclsyntax.Operation) *hclsyntax.Operation {
	switch op {
	case hclsyntax.OpAdd:
		return decimal(stdlib.AddFunc)
	case hclsyntax.OpSubtract:
		return decimal(stdlib.SubtractFunc)
	case hclsyntax.OpMultiply:
		return decimal(stdlib.MultiplyFunc)
	case hclsyntax.OpDivide:
		return decimal(divisor(stdlib.DivideFunc))
	case hclsyntax.OpModulo:
		return decimal(divisor(stdlib.ModuloFunc))
	case hclsyntax.OpNegate:
		return decimal(stdlib.NegateFunc)
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		return logical(op)
	}
	return op
}

// logical is && or || where a null is neither true nor false. HCL's short cut
// takes it for false: an amount that is not known yet would decide.
func logical(op *hclsyntax.Operation) *hclsyntax.Operation {
	strict := *op
	controlling := op == hclsyntax.OpLogicalOr // this one operand decides
	strict.ShortCircuit = func(lhs, rhs cty.Value, lhsDiags, rhsDiags hcl.Diagnostics) (cty.Value, hcl.Diagnostics) {
		decides := func(v cty.Value) bool { return v.IsKnown() && !v.IsNull() && v.True() == controlling }
		switch {
		case !lhs.IsNull() && !rhs.IsNull():
			return op.ShortCircuit(lhs, rhs, lhsDiags, rhsDiags)
		case decides(lhs):
			return lhs, lhsDiags
		case decides(rhs):
			return rhs, rhsDiags
		}
		return cty.NilVal, nil // the operation itself says what a null cannot do
	}
	return &strict
}

// decimal is an operation within the bounds of numbers whose result has at most
// value.Digits digits.
func decimal(exact function.Function) *hclsyntax.Operation {
	return &hclsyntax.Operation{Type: cty.Number, Impl: function.New(&function.Spec{
		Params:       exact.Params(),
		Type:         function.StaticReturnType(cty.Number),
		RefineResult: func(b *cty.RefinementBuilder) *cty.RefinementBuilder { return b.NotNull() },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, arg := range args {
				if err := CheckNumbers(arg); err != nil {
					return cty.NilVal, err
				}
			}
			result, err := exact.Call(args)
			if err != nil || !result.IsKnown() || result.IsNull() {
				return result, err
			}
			if err := CheckNumbers(result); err != nil {
				return cty.NilVal, err
			}
			f := result.AsBigFloat()
			if f.IsInt() {
				return result, nil
			}
			text := value.FormatNumber(f)
			if settled, ok := settle(text); ok && (isRounded(args[0]) || isRounded(args[len(args)-1])) {
				text = settled
			}
			return cty.ParseNumberVal(text)
		},
	})}
}

// settle rounds a number that has all digits, and from which the guard digits
// take far more than themselves away: 0.99...9 becomes 1.
func settle(text string) (string, bool) {
	if digits(text) <= value.Digits-guardDigits {
		return "", false
	}
	d, _, err := apd.NewFromString(text)
	if err != nil {
		return "", false
	}
	if _, err := apd.BaseContext.WithPrecision(value.Digits-guardDigits).Round(d, d); err != nil {
		return "", false
	}
	short := value.FormatDecimal(d)
	return short, digits(short) <= value.Digits-4*guardDigits
}

// isRounded reports whether a number may be what was left of a longer one.
func isRounded(v cty.Value) bool {
	f := v.AsBigFloat()
	return !f.IsInt() && digits(value.FormatNumber(f)) > value.Digits-guardDigits
}

// digits counts the significant digits of a number's text.
func digits(text string) int {
	text, _, _ = strings.Cut(text, "E")
	n := 0
	for _, c := range strings.TrimLeft(text, "-0.") {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n
}

// divisor refuses a division by zero, of which HCL makes infinity.
func divisor(divide function.Function) function.Function {
	return function.New(&function.Spec{
		Params: divide.Params(),
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[1].AsBigFloat().Cmp(new(big.Float)) == 0 {
				return cty.NilVal, errors.New("division by zero; test for it with a condition, as in b == 0 ? null : a / b")
			}
			return divide.Call(args)
		},
	})
}
