package functions

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunctions are the functions that read files.
func fileFunctions(files Files) map[string]function.Function {
	sums := map[string]func([]byte) []byte{
		"md5":    func(b []byte) []byte { s := md5.Sum(b); return s[:] },
		"sha1":   func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
		"sha256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"sha512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	}
	hashed := func(sum func([]byte) []byte, encode func([]byte) string) function.Function {
		return contentFunc(files, func(_ string, src []byte) (string, error) { return encode(sum(src)), nil })
	}
	functions := map[string]function.Function{
		"abspath": pathFunc(func(path string) (cty.Value, error) { return cty.StringVal(files.Abs(path)), nil }, cty.String),
		"file": contentFunc(files, func(path string, src []byte) (string, error) {
			if !utf8.Valid(src) {
				return "", fmt.Errorf("the file %q is not UTF-8; read it with filebase64, or take its hash with filesha256", path)
			}
			return string(src), nil
		}),
		"filebase64":       hashed(func(b []byte) []byte { return b }, base64.StdEncoding.EncodeToString),
		"filebase64sha256": hashed(sums["sha256"], base64.StdEncoding.EncodeToString),
		"filebase64sha512": hashed(sums["sha512"], base64.StdEncoding.EncodeToString),
		"fileexists": pathFunc(func(path string) (cty.Value, error) {
			exists, err := files.Exists(path)
			return cty.BoolVal(exists), err
		}, cty.Bool),
		"fileset": fileSetFunc(files),
	}
	for name, sum := range sums {
		functions["file"+name] = hashed(sum, hex.EncodeToString)
	}
	return functions
}

func pathFunc(work func(path string) (cty.Value, error), result cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			value, err := work(args[0].AsString())
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			return value, nil
		},
	})
}

func contentFunc(files Files, work func(path string, src []byte) (string, error)) function.Function {
	return pathFunc(func(path string) (cty.Value, error) {
		src, err := files.Read(path)
		if err != nil {
			return cty.DynamicVal, err
		}
		text, err := work(path, src)
		if err != nil {
			return cty.DynamicVal, err
		}
		return cty.StringVal(text), nil
	}, cty.String)
}

// fileSetFunc is fileset(path, pattern): the files below a directory that
// match, ** standing for any folders.
func fileSetFunc(files Files) function.Function {
	return function.New(&function.Spec{
		Description: "Lists the regular files below a directory that match a pattern.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:        function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, pattern := args[0].AsString(), filepath.ToSlash(args[1].AsString())
			if !doublestar.ValidatePattern(pattern) {
				return cty.DynamicVal, function.NewArgErrorf(1, "%q is not a pattern; write such as \"*.csv\" or \"**/*.csv\"", pattern)
			}
			matches, err := files.Match(path, pattern)
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			if len(matches) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			found := make([]cty.Value, len(matches))
			for i, match := range matches {
				found[i] = cty.StringVal(match)
			}
			return cty.SetVal(found), nil
		},
	})
}

// templateFileFunc is templatefile(path, vars).
func templateFileFunc(files Files, env Env, functions map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Description: "Reads a file and renders it as a template with variables.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true}},
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			src, err := files.Read(path)
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			if !utf8.Valid(src) {
				return cty.DynamicVal, function.NewArgErrorf(0, "the file %q is not UTF-8", path)
			}
			if !args[1].IsKnown() {
				return cty.DynamicVal, nil
			}
			return render(path, string(src), args[1], env.Stopped, functions)
		},
	})
}
