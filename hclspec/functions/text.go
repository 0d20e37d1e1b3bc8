package functions

import (
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/hclspec/expressions"
)

// textFunc is a function of strings that gives a bool.
func textFunc(description string, params [2]string, holds func(a, b string) bool) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: params[0], Type: cty.String}, {Name: params[1], Type: cty.String}},
		Type:        function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(holds(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

var (
	startsWithFunc  = textFunc("Reports whether a string begins with a prefix.", [2]string{"str", "prefix"}, strings.HasPrefix)
	endsWithFunc    = textFunc("Reports whether a string ends with a suffix.", [2]string{"str", "suffix"}, strings.HasSuffix)
	strContainsFunc = textFunc("Reports whether a string holds another.", [2]string{"str", "substr"}, strings.Contains)
)

// replaceFunc replaces a text, or, between slashes, a regular expression.
var replaceFunc = function.New(&function.Spec{
	Description: "Replaces each occurrence of a text or /regular expression/.",
	Params:      []function.Parameter{{Name: "str", Type: cty.String}, {Name: "substr", Type: cty.String}, {Name: "replace", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		text, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
		if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
			pattern, err := regexp.Compile(old[1 : len(old)-1])
			if err != nil {
				return cty.DynamicVal, function.NewArgError(1, err)
			}
			if err := textOf(replaced(pattern, text, with)); err != nil {
				return cty.DynamicVal, err
			}
			return cty.StringVal(pattern.ReplaceAllString(text, with)), nil
		}
		return cty.StringVal(strings.ReplaceAll(text, old, with)), nil
	},
})

// replaced is at most how long a text becomes when what a pattern matches is
// replaced: by the replacement's own text and, for each $, by a group.
func replaced(pattern *regexp.Regexp, text, with string) int {
	most := product(len(text)+1, len(with)) + product(strings.Count(with, "$")+1, len(text))
	if most > maxText { // count what does match
		most = product(len(pattern.FindAllStringIndex(text, -1)), len(with)) + product(strings.Count(with, "$")+1, len(text))
	}
	return most
}

func hashFunc(newHash func() hash.Hash, encode func([]byte) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			h := newHash()
			h.Write([]byte(args[0].AsString()))
			return cty.StringVal(encode(h.Sum(nil))), nil
		},
	})
}

// notInTemplate stands in a template for the functions that render one.
var notInTemplate = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true},
	Type: func([]cty.Value) (cty.Type, error) {
		return cty.NilType, errors.New("a template cannot be rendered from within a template")
	},
	Impl: func([]cty.Value, cty.Type) (cty.Value, error) { return cty.NilVal, nil },
})

// templateStringFunc renders a template that is a value.
func templateStringFunc(env Env, functions map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Description: "Renders a template with variables.",
		Params:      []function.Parameter{{Name: "template", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true}},
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[1].IsKnown() {
				return cty.DynamicVal, nil
			}
			return render("<template>", args[0].AsString(), args[1], env.Stopped, functions)
		},
	})
}

// render evaluates a template's text with an object or map of variables.
func render(name, text string, vars cty.Value, stopped func() error, functions map[string]function.Function) (cty.Value, error) {
	if ty := vars.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		return cty.DynamicVal, function.NewArgErrorf(1, "the variables of a template are a map or an object")
	}
	if diags := expressions.CheckTemplate(name, []byte(text)); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, firstError(diags)
	}
	expr = expressions.PrepareExpression(expr, expressions.Rules{Stopped: stopped})
	ctx := &hcl.EvalContext{Functions: functions, Variables: vars.AsValueMap()}
	for variable := range ctx.Variables {
		if !hclsyntax.ValidIdentifier(variable) {
			return cty.DynamicVal, function.NewArgErrorf(1, "%q cannot be the name of a template variable: a letter comes first, then letters, digits and underscores", variable)
		}
	}
	for _, traversal := range expr.Variables() {
		if _, ok := ctx.Variables[traversal.RootName()]; !ok {
			return cty.DynamicVal, function.NewArgErrorf(1, "the template uses %q at %s, and its variables have no such name", traversal.RootName(), traversal[0].SourceRange())
		}
	}
	value, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, firstError(diags)
	}
	return value, nil
}

// firstError is the first mistake of a template as an error.
func firstError(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			if d.Subject == nil {
				return fmt.Errorf("%s: %s", d.Summary, d.Detail)
			}
			return fmt.Errorf("%s: %s; %s", fmt.Sprintf("%s:%d", d.Subject.Filename, d.Subject.Start.Line), d.Summary, d.Detail)
		}
	}
	return errors.New("the template has a mistake")
}
