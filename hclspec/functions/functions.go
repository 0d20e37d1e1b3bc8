package functions

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	ctyyaml "github.com/zclconf/go-cty-yaml"

	"github.com/hashicorp/go-cty-funcs/collection"
	"github.com/hashicorp/go-cty-funcs/crypto"
	"github.com/hashicorp/go-cty-funcs/encoding"
	"github.com/hashicorp/go-cty-funcs/filesystem"
	"github.com/hashicorp/go-cty-funcs/uuid"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// New makes the functions by name. What a well-kept library has is taken from
// it.
func New(files Files, env Env) map[string]function.Function {
	functions := map[string]function.Function{
		"abs":              stdlib.AbsoluteFunc,
		"alltrue":          allTrueFunc,
		"anytrue":          anyTrueFunc,
		"base64decode":     base64DecodeFunc,
		"base64encode":     encoding.Base64EncodeFunc,
		"base64gzip":       base64GzipFunc,
		"base64sha256":     hashFunc(sha256.New, base64.StdEncoding.EncodeToString),
		"base64sha512":     hashFunc(sha512.New, base64.StdEncoding.EncodeToString),
		"basename":         filesystem.BasenameFunc,
		"bcrypt":           crypto.BcryptFunc,
		"ceil":             stdlib.CeilFunc,
		"chomp":            stdlib.ChompFunc,
		"chunklist":        stdlib.ChunklistFunc,
		"cidrhost":         cidrHostFunc,
		"cidrnetmask":      cidrNetmaskFunc,
		"cidrsubnet":       cidrSubnetFunc,
		"cidrsubnets":      cidrSubnetsFunc,
		"coalesce":         collection.CoalesceFunc,
		"coalescelist":     stdlib.CoalesceListFunc,
		"compact":          stdlib.CompactFunc,
		"concat":           stdlib.ConcatFunc,
		"contains":         containsFunc,
		"csvdecode":        csvDecodeFunc,
		"dirname":          filesystem.DirnameFunc,
		"distinct":         stdlib.DistinctFunc,
		"element":          stdlib.ElementFunc,
		"endswith":         endsWithFunc,
		"ephemeralasnull":  ephemeralAsNullFunc,
		"flatten":          stdlib.FlattenFunc,
		"floor":            stdlib.FloorFunc,
		"format":           stdlib.FormatFunc,
		"formatdate":       stdlib.FormatDateFunc,
		"formatlist":       stdlib.FormatListFunc,
		"indent":           stdlib.IndentFunc,
		"index":            indexFunc,
		"issensitive":      isSensitiveFunc,
		"join":             stdlib.JoinFunc,
		"jsondecode":       stdlib.JSONDecodeFunc,
		"jsonencode":       stdlib.JSONEncodeFunc,
		"keys":             stdlib.KeysFunc,
		"length":           lengthFunc,
		"log":              logFunc,
		"lookup":           lookupFunc,
		"lower":            stdlib.LowerFunc,
		"matchkeys":        matchKeysFunc,
		"max":              stdlib.MaxFunc,
		"md5":              hashFunc(md5.New, hex.EncodeToString),
		"merge":            stdlib.MergeFunc,
		"min":              stdlib.MinFunc,
		"nonsensitive":     nonsensitiveFunc,
		"one":              oneFunc,
		"parseint":         stdlib.ParseIntFunc,
		"pathexpand":       pathExpandFunc(env),
		"plantimestamp":    nowFunc(env),
		"pow":              powFunc,
		"range":            stdlib.RangeFunc,
		"regex":            stdlib.RegexFunc,
		"regexall":         stdlib.RegexAllFunc,
		"replace":          replaceFunc,
		"reverse":          stdlib.ReverseListFunc,
		"rsadecrypt":       crypto.RsaDecryptFunc,
		"sensitive":        sensitiveFunc,
		"setintersection":  stdlib.SetIntersectionFunc,
		"setproduct":       stdlib.SetProductFunc,
		"setsubtract":      stdlib.SetSubtractFunc,
		"setunion":         stdlib.SetUnionFunc,
		"sha1":             hashFunc(sha1.New, hex.EncodeToString),
		"sha256":           hashFunc(sha256.New, hex.EncodeToString),
		"sha512":           hashFunc(sha512.New, hex.EncodeToString),
		"signum":           stdlib.SignumFunc,
		"slice":            stdlib.SliceFunc,
		"sort":             stdlib.SortFunc,
		"split":            stdlib.SplitFunc,
		"startswith":       startsWithFunc,
		"strcontains":      strContainsFunc,
		"strrev":           stdlib.ReverseFunc,
		"substr":           stdlib.SubstrFunc,
		"sum":              sumFunc,
		"textdecodebase64": textDecodeBase64Func,
		"textencodebase64": textEncodeBase64Func,
		"timeadd":          stdlib.TimeAddFunc,
		"timecmp":          timeCmpFunc,
		"timestamp":        nowFunc(env),
		"title":            stdlib.TitleFunc,
		"tobool":           toFunc(cty.Bool),
		"tolist":           toFunc(cty.List(cty.DynamicPseudoType)),
		"tomap":            toFunc(cty.Map(cty.DynamicPseudoType)),
		"tonumber":         toFunc(cty.Number),
		"toset":            toFunc(cty.Set(cty.DynamicPseudoType)),
		"tostring":         toFunc(cty.String),
		"transpose":        transposeFunc,
		"trim":             stdlib.TrimFunc,
		"trimprefix":       stdlib.TrimPrefixFunc,
		"trimspace":        stdlib.TrimSpaceFunc,
		"trimsuffix":       stdlib.TrimSuffixFunc,
		"upper":            stdlib.UpperFunc,
		"urlencode":        encoding.URLEncodeFunc,
		"uuid":             uuid.V4Func,
		"uuidv5":           uuid.V5Func,
		"values":           stdlib.ValuesFunc,
		"yamldecode":       ctyyaml.YAMLDecodeFunc,
		"yamlencode":       ctyyaml.YAMLEncodeFunc,
		"zipmap":           stdlib.ZipmapFunc,
		"env":              envFunc(env),
	}
	maps.Copy(functions, fileFunctions(files))
	for name, f := range functions {
		functions[name] = guarded(name, f, env)
	}
	// These take expressions, not values, and swallow errors themselves.
	functions["try"], functions["can"] = tryfunc.TryFunc, tryfunc.CanFunc
	// Within a template neither of the two that render one can be called: it
	// could render itself without end.
	within := maps.Clone(functions)
	for _, name := range []string{"templatefile", "templatestring"} {
		within[name] = notInTemplate
	}
	addCore(within)
	functions["templatefile"] = guarded("templatefile", templateFileFunc(files, env, within), env)
	functions["templatestring"] = guarded("templatestring", templateStringFunc(env, within), env)
	addCore(functions)
	return functions
}

// addCore gives each function its second name, core::name.
func addCore(functions map[string]function.Function) {
	for _, name := range slices.Collect(maps.Keys(functions)) {
		functions[core+name] = functions[name]
	}
}

// core is the namespace of the functions that need no provider, as in
// Terraform.
const core = "core::"

// Names are the functions' names in order, without those in the namespace
// core.
func Names() []string {
	names := slices.Sorted(maps.Keys(New(nil, nil)))
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, core) })
}

// guarded wraps a function so that evaluation can be ended at it, so that what
// it takes and makes stays within bounds, and so that its errors repeat nothing
// sensitive and never carry a stack trace.
func guarded(name string, f function.Function, env Env) function.Function {
	open := func(p function.Parameter) function.Parameter {
		p.AllowMarked, p.AllowUnknown, p.AllowNull, p.AllowDynamicType = true, true, true, true
		if convertsWithin(p.Type) {
			p.Type = cty.DynamicPseudoType
		}
		return p
	}
	spec := &function.Spec{
		Description: f.Description(),
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			converted, err := convertWithin(f, args)
			value := cty.DynamicVal
			if err == nil {
				if err := admit(name, env, converted); err != nil {
					return cty.DynamicVal, err // repeats no value
				}
				value, err = f.Call(converted)
			}
			if err == nil {
				if err := admitNumber(value); err != nil {
					return cty.DynamicVal, err
				}
				return value, nil
			}
			var crash function.PanicError
			if errors.As(err, &crash) {
				err = errors.New("the function cannot work on this value")
			}
			for _, arg := range args {
				if !arg.ContainsMarked() {
					continue
				}
				quiet := errors.New("it is not suitable; the reason is not shown, for a sensitive value is involved")
				var argError function.ArgError
				if errors.As(err, &argError) {
					return cty.DynamicVal, function.NewArgError(argError.Index, quiet)
				}
				return cty.DynamicVal, quiet
			}
			return cty.DynamicVal, err
		},
	}
	for _, p := range f.Params() {
		spec.Params = append(spec.Params, open(p))
	}
	if p := f.VarParam(); p != nil {
		opened := open(*p)
		spec.VarParam = &opened
	}
	return function.New(spec)
}

// convertsWithin reports whether a parameter's type makes HCL convert what is
// within an argument. What it says of a failure names keys, also of a sensitive
// value, so that the conversion is left to convertWithin.
func convertsWithin(ty cty.Type) bool {
	return !ty.IsPrimitiveType() && !ty.IsCapsuleType() && ty != cty.DynamicPseudoType
}

// convertWithin converts arguments as HCL would have.
func convertWithin(f function.Function, args []cty.Value) ([]cty.Value, error) {
	converted := slices.Clone(args)
	for i, arg := range args {
		p := f.VarParam()
		if params := f.Params(); i < len(params) {
			p = &params[i]
		}
		if !convertsWithin(p.Type) {
			continue
		}
		value, err := convert.Convert(arg, p.Type)
		if err != nil {
			return nil, function.NewArgError(i, err)
		}
		converted[i] = value
	}
	return converted, nil
}

// admit judges a call before it is made.
func admit(name string, env Env, args []cty.Value) error {
	if err := env.Stopped(); err != nil {
		return fmt.Errorf("evaluation was ended: %w", err)
	}
	for i, arg := range args {
		if err := admitNumber(arg); err != nil {
			return function.NewArgError(i, err)
		}
	}
	if judge := bounds[name]; judge != nil {
		if known, ok := unmarkedAndKnown(args); ok {
			return judge(known)
		}
	}
	return nil
}

// admitNumber judges a number. Those within collections were judged when they
// became numbers.
func admitNumber(v cty.Value) error {
	if v.Type() != cty.Number {
		return nil
	}
	return expressions.CheckNumbers(v)
}

// unmarkedAndKnown are arguments as bounds judge them; false where one is null
// or unknown, for then nothing is computed.
func unmarkedAndKnown(args []cty.Value) ([]cty.Value, bool) {
	bare := make([]cty.Value, len(args))
	for i, arg := range args {
		bare[i], _ = arg.Unmark()
		if bare[i].IsNull() || !bare[i].IsKnown() {
			return nil, false
		}
	}
	return bare, true
}
