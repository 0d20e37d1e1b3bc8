package functions

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"time"

	ctyyaml "github.com/zclconf/go-cty-yaml"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

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
			return cty.StringVal(pattern.ReplaceAllString(text, with)), nil
		}
		return cty.StringVal(strings.ReplaceAll(text, old, with)), nil
	},
})

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

var base64GzipFunc = function.New(&function.Spec{
	Description: "Compresses a string with gzip and encodes it in base64.",
	Params:      []function.Parameter{{Name: "str", Type: cty.String}},
	Type:        function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(args[0].AsString())); err != nil {
			return cty.DynamicVal, err
		}
		if err := w.Close(); err != nil {
			return cty.DynamicVal, err
		}
		return cty.StringVal(base64.StdEncoding.EncodeToString(b.Bytes())), nil
	},
})

var timeCmpFunc = function.New(&function.Spec{
	Description: "Compares two times: -1, 0 or 1.",
	Params:      []function.Parameter{{Name: "timestamp_a", Type: cty.String}, {Name: "timestamp_b", Type: cty.String}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var times [2]time.Time
		for i := range times {
			t, err := time.Parse(time.RFC3339, args[i].AsString())
			if err != nil {
				return cty.DynamicVal, function.NewArgErrorf(i, "not a valid RFC3339 timestamp: %q", args[i].AsString())
			}
			times[i] = t
		}
		return cty.NumberIntVal(int64(times[0].Compare(times[1]))), nil
	},
})

var timestampFunc = function.New(&function.Spec{
	Description: "The present time in UTC, RFC 3339.",
	Type:        function.StaticReturnType(cty.String),
	Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
		return cty.StringVal(time.Now().UTC().Format(time.RFC3339)), nil
	},
})

// maxDataNesting is how deep decoded data may be; the decoders recurse.
const maxDataNesting = 1000

// shallow wraps a decoder with a bound on brackets within brackets.
func shallow(f function.Function) function.Function {
	judge := func(args []cty.Value) error {
		if len(args) == 0 || !args[0].IsKnown() || args[0].IsNull() {
			return nil
		}
		depth := 0
		for _, b := range []byte(args[0].AsString()) {
			switch b {
			case '{', '[':
				if depth++; depth > maxDataNesting {
					return function.NewArgErrorf(0, "it is nested more than %d deep", maxDataNesting)
				}
			case '}', ']':
				depth--
			}
		}
		return nil
	}
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      []function.Parameter{{Name: "str", Type: cty.String}},
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if err := judge(args); err != nil {
				return cty.DynamicVal, err
			}
			return f.Call(args)
		},
	})
}

var (
	jsonDecodeFunc = shallow(stdlib.JSONDecodeFunc)
	yamlDecodeFunc = shallow(ctyyaml.YAMLDecodeFunc)
)

// templateStringFunc renders a template that is a value.
func templateStringFunc(functions map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Description: "Renders a template with variables.",
		Params:      []function.Parameter{{Name: "template", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true}},
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[1].IsKnown() {
				return cty.DynamicVal, nil
			}
			return render("<template>", args[0].AsString(), args[1], functions)
		},
	})
}

// render evaluates a template's text with an object or map of variables.
func render(name, text string, vars cty.Value, functions map[string]function.Function) (cty.Value, error) {
	if ty := vars.Type(); !ty.IsObjectType() && !ty.IsMapType() {
		return cty.DynamicVal, function.NewArgErrorf(1, "invalid vars value: must be a map")
	}
	if diags := expressions.CheckTemplate(name, []byte(text)); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, firstError(diags)
	}
	expressions.UseDecimals(expr)
	ctx := &hcl.EvalContext{Functions: functions, Variables: vars.AsValueMap()}
	for variable := range ctx.Variables {
		if !hclsyntax.ValidIdentifier(variable) {
			return cty.DynamicVal, function.NewArgErrorf(1, "invalid template variable name %q: must start with a letter, followed by zero or more letters, digits, and underscores", variable)
		}
	}
	for _, traversal := range expr.Variables() {
		if _, ok := ctx.Variables[traversal.RootName()]; !ok {
			return cty.DynamicVal, function.NewArgErrorf(1, "vars map does not contain key %q, referenced at %s", traversal.RootName(), traversal[0].SourceRange())
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
