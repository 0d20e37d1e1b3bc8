package functions

import (
	"errors"
	"math"
	"strconv"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/value"
)

// shortest is the number that a float64 prints as. Its binary tail is noise.
func shortest(f float64) (cty.Value, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return cty.NilVal, errors.New("the result is not a finite number")
	}
	return cty.ParseNumberVal(strconv.FormatFloat(f, 'g', -1, 64))
}

// powFunc is exact for a whole exponent, as long as the result has a bounded
// number of digits; else it is a float64's.
var powFunc = function.New(&function.Spec{
	Description: "Raises a number to a power.",
	Params:      []function.Parameter{{Name: "num", Type: cty.Number}, {Name: "power", Type: cty.Number}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		base, err := value.DecimalOf(args[0])
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		if n, ok := wholePower(args[1]); ok && !base.IsZero() {
			context := apd.BaseContext.WithPrecision(400)
			context.Traps = apd.Overflow | apd.Underflow | apd.InvalidOperation | apd.DivisionByZero
			context.MaxExponent, context.MinExponent = 2000, -2000
			result := new(apd.Decimal)
			if _, err := context.Pow(result, base, apd.New(n, 0)); err != nil {
				return cty.NilVal, errors.New("the result has too many digits")
			}
			return value.FromDecimal(result), nil
		}
		num, _ := args[0].AsBigFloat().Float64()
		power, _ := args[1].AsBigFloat().Float64()
		return shortest(math.Pow(num, power))
	},
})

// wholePower is an exponent for which a power can be computed exactly.
func wholePower(v cty.Value) (int64, bool) {
	f := v.AsBigFloat()
	if n, _ := f.Int64(); f.IsInt() && n >= -1000 && n <= 1000 {
		return n, true
	}
	return 0, false
}

var logFunc = function.New(&function.Spec{
	Description: "Gives the logarithm of a number to a base.",
	Params:      []function.Parameter{{Name: "num", Type: cty.Number}, {Name: "base", Type: cty.Number}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		num, _ := args[0].AsBigFloat().Float64()
		base, _ := args[1].AsBigFloat().Float64()
		return shortest(math.Log(num) / math.Log(base))
	},
})
