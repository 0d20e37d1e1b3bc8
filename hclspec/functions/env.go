package functions

import (
	"errors"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// missingEnv is the error of env() for a variable that is not set.
type missingEnv struct{ name string }

func (m missingEnv) Error() string {
	return "the environment variable " + m.name + " is not set; set it, or give env a default as its second argument"
}

// MissingVariable is the environment variable that a diagnostic misses.
func MissingVariable(d *hcl.Diagnostic) (string, bool) {
	extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	if !ok {
		return "", false
	}
	var missing missingEnv
	if errors.As(extra.FunctionCallError(), &missing) {
		return missing.name, true
	}
	return "", false
}

// envFunc is env(name[, default]): an environment variable, always sensitive.
// Offline, one that is not set is unknown.
func envFunc(env Env) function.Function {
	return function.New(&function.Spec{
		Description: "Returns an environment variable as a sensitive string, or the default where it is not set.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam:    &function.Parameter{Name: "default", Type: cty.String, AllowNull: true, AllowUnknown: true, AllowMarked: true},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.DynamicVal, errors.New("env takes a name and at most one default")
			}
			name := args[0].AsString()
			if name == "" {
				return cty.DynamicVal, function.NewArgErrorf(0, "the name of an environment variable is required")
			}
			text, ok := env.Lookup(name)
			switch {
			case ok:
				value := cty.StringVal(text)
				env.Secret(value)
				return value.Mark(Sensitive), nil
			case len(args) == 2:
				env.Secret(args[1])
				return args[1].Mark(Sensitive), nil
			case env.Offline():
				return cty.UnknownVal(cty.String).Mark(Sensitive), nil
			}
			return cty.DynamicVal, missingEnv{name} // plain, so that it can be told from the diagnostic
		},
	})
}

var sensitiveFunc = function.New(&function.Spec{
	Description: "Marks a value as sensitive.",
	Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
	Type:        typeOfFirst,
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		value, marks := args[0].UnmarkDeep()
		if len(marks) == 0 {
			return value.Mark(Sensitive), nil
		}
		return args[0].Mark(Sensitive), nil
	},
})

var nonsensitiveFunc = function.New(&function.Spec{
	Description: "Takes the sensitive mark off a value.",
	Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
	Type:        typeOfFirst,
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		value, _ := args[0].Unmark()
		return value, nil
	},
})

var isSensitiveFunc = function.New(&function.Spec{
	Description: "Reports whether a value is sensitive.",
	Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
	Type:        function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if args[0].IsMarked() {
			return cty.True, nil
		}
		if !args[0].IsKnown() {
			return cty.UnknownVal(cty.Bool), nil
		}
		return cty.False, nil
	},
})

// ephemeralAsNullFunc gives its argument back: no value here is ephemeral.
var ephemeralAsNullFunc = function.New(&function.Spec{
	Description: "Gives its argument back. In Terraform it makes ephemeral values null; there are none here.",
	Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowNull: true, AllowMarked: true, AllowDynamicType: true}},
	Type:        typeOfFirst,
	Impl:        func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0], nil },
})

// pathExpandFunc replaces a leading ~ by the home directory.
func pathExpandFunc(env Env) function.Function {
	return function.New(&function.Spec{
		Description: "Replaces a ~ at the beginning of a path by the home directory.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			rest, tilde := strings.CutPrefix(args[0].AsString(), "~")
			switch {
			case !tilde:
				return args[0], nil
			case rest != "" && rest[0] != '/':
				return cty.NilVal, function.NewArgErrorf(0, "only ~/ is expanded, not the home directory of a named user")
			}
			home, ok := env.Lookup("HOME")
			if !ok || home == "" {
				return cty.NilVal, errors.New("the environment variable HOME, which names the home directory, is not set")
			}
			return cty.StringVal(path.Join(home, rest)), nil
		},
	})
}

func typeOfFirst(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil }
