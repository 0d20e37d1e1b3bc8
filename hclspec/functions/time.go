package functions

import (
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// nowFunc is timestamp and plantimestamp, which are one here. Both tell when
// the configuration was loaded, not when they are called: an expression then
// has one value in a plan and in the pass that carries it out, and an agent's
// declaration does not change by itself from pass to pass.
func nowFunc(env Env) function.Function {
	return function.New(&function.Spec{
		Description: "The time at which the configuration was loaded, in UTC, RFC 3339.",
		Type:        function.StaticReturnType(cty.String),
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
			return cty.StringVal(env.Loaded().UTC().Format(time.RFC3339)), nil
		},
	})
}

var timeCmpFunc = function.New(&function.Spec{
	Description: "Compares two times: -1, 0 or 1.",
	Params:      []function.Parameter{{Name: "timestamp_a", Type: cty.String}, {Name: "timestamp_b", Type: cty.String}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var times [2]time.Time
		for i := range times {
			t, err := time.Parse(time.RFC3339, args[i].AsString())
			if err != nil {
				return cty.DynamicVal, function.NewArgErrorf(i, "%q is not a time such as 2026-01-31T12:00:00Z", args[i].AsString())
			}
			times[i] = t
		}
		return cty.NumberIntVal(int64(times[0].Compare(times[1]))), nil
	},
})
