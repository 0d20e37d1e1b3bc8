package functions

import (
	"fmt"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/hclspec/expressions"
)

// toFunc is the explicit conversion to a type. Marks within the value stay
// where they are, and a sensitive value is not repeated in the reason.
func toFunc(want cty.Type) function.Function {
	fails := func(v cty.Value) error {
		what := v.Type().FriendlyName()
		bare, marks := v.Unmark()
		switch {
		case len(marks) > 0:
			what = "this sensitive " + what
		case bare.Type() == cty.String && bare.IsKnown() && !bare.IsNull() && want.IsPrimitiveType():
			what = strconv.Quote(bare.AsString())
		}
		why := ""
		switch {
		case bare.Type() == cty.String && want == cty.Bool:
			why = `; write "true" or "false"`
		case bare.Type() == cty.String && want == cty.Number:
			why = "; write it in decimal digits, such as \"12.5\""
		}
		return function.NewArgErrorf(0, "cannot convert %s to %s%s", what, want.FriendlyNameForConstraint(), why)
	}
	return function.New(&function.Spec{
		Description: fmt.Sprintf("Converts a value to %s, or fails where that is impossible.", want.FriendlyNameForConstraint()),
		Params:      []function.Parameter{{Name: "v", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true, AllowMarked: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			have := args[0].Type()
			if have.Equals(want) || convert.GetConversionUnsafe(have, want) != nil {
				return want, nil
			}
			return cty.NilType, fails(args[0])
		},
		Impl: func(args []cty.Value, result cty.Type) (cty.Value, error) {
			if err := expressions.CheckNumberText(args[0]); want == cty.Number && err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			converted, err := convert.Convert(args[0], result)
			if err != nil {
				return cty.NilVal, fails(args[0])
			}
			return converted, nil
		},
	})
}
