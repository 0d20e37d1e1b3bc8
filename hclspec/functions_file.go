package hclspec

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunctions adds the functions that read files. Paths are relative to the
// configuration directory, and none may leave it.
func (c *Config) fileFunctions(functions map[string]function.Function) {
	functions["abspath"] = c.pathFunc(func(path string) (cty.Value, error) {
		return cty.StringVal(filepath.ToSlash(c.absolute(path))), nil
	}, cty.String)
	functions["file"] = c.contentFunc(func(path string, src []byte) (string, error) {
		if !utf8.Valid(src) {
			return "", fmt.Errorf("contents of %q are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents, or one of the hashing functions such as filesha256", path)
		}
		return string(src), nil
	})
	hashed := func(sum func([]byte) []byte, encode func([]byte) string) function.Function {
		return c.contentFunc(func(_ string, src []byte) (string, error) { return encode(sum(src)), nil })
	}
	sums := map[string]func([]byte) []byte{
		"md5":    func(b []byte) []byte { s := md5.Sum(b); return s[:] },
		"sha1":   func(b []byte) []byte { s := sha1.Sum(b); return s[:] },
		"sha256": func(b []byte) []byte { s := sha256.Sum256(b); return s[:] },
		"sha512": func(b []byte) []byte { s := sha512.Sum512(b); return s[:] },
	}
	for name, sum := range sums {
		functions["file"+name] = hashed(sum, hex.EncodeToString)
	}
	functions["filebase64sha256"] = hashed(sums["sha256"], base64.StdEncoding.EncodeToString)
	functions["filebase64sha512"] = hashed(sums["sha512"], base64.StdEncoding.EncodeToString)
	functions["filebase64"] = hashed(func(b []byte) []byte { return b }, base64.StdEncoding.EncodeToString)
	functions["fileexists"] = c.pathFunc(c.exists, cty.Bool)
	functions["fileset"] = c.fileSetFunc()
}

func (c *Config) pathFunc(work func(path string) (cty.Value, error), result cty.Type) function.Function {
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

func (c *Config) contentFunc(work func(path string, src []byte) (string, error)) function.Function {
	return c.pathFunc(func(path string) (cty.Value, error) {
		src, err := c.readInput(path)
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

// absolute is the path that an argument names, relative to the configuration
// directory.
func (c *Config) absolute(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.dir, path)
	}
	return filepath.Clean(path)
}

// pathError says in words what is wrong with a path.
func pathError(path string, err error) error {
	switch {
	case errors.Is(err, ErrOutside):
		return fmt.Errorf("the path %q leads out of the configuration directory; keep the file within it", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no file exists at %q; paths are relative to the configuration directory", path)
	}
	return fmt.Errorf("the file %q cannot be read: %s", path, plainError(err))
}

func (c *Config) readInput(path string) ([]byte, error) {
	src, err := c.opts.Files.Input(c.absolute(path))
	if err != nil {
		return nil, pathError(path, err)
	}
	return src, nil
}

func (c *Config) exists(path string) (cty.Value, error) {
	ok, err := c.opts.Files.Exists(c.absolute(path))
	switch {
	case errors.Is(err, ErrNotRegular):
		return cty.DynamicVal, fmt.Errorf("%q is not a regular file", path)
	case err != nil:
		return cty.DynamicVal, pathError(path, err)
	}
	return cty.BoolVal(ok), nil
}

// fileSetFunc is fileset(path, pattern): the files below a directory that
// match, ** standing for any folders.
func (c *Config) fileSetFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Lists the regular files below a directory that match a pattern.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:        function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, pattern := args[0].AsString(), filepath.ToSlash(args[1].AsString())
			if !doublestar.ValidatePattern(pattern) {
				return cty.DynamicVal, function.NewArgErrorf(1, "%q is not a pattern; write such as \"*.csv\" or \"**/*.csv\"", pattern)
			}
			matches, err := c.opts.Files.Match(c.absolute(path), strings.TrimPrefix(pattern, "./"))
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, pathError(path, err))
			}
			found := make([]cty.Value, 0, len(matches))
			for _, match := range matches {
				found = append(found, cty.StringVal(match))
			}
			if len(found) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(found), nil
		},
	})
}

// templateFileFunc is templatefile(path, vars).
func (c *Config) templateFileFunc(functions map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Description: "Reads a file and renders it as a template with variables.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true}},
		Type:        function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			src, err := c.readInput(path)
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			if !utf8.Valid(src) {
				return cty.DynamicVal, function.NewArgErrorf(0, "contents of %q are not valid UTF-8", path)
			}
			if !args[1].IsKnown() {
				return cty.DynamicVal, nil
			}
			return render(path, string(src), args[1], functions)
		},
	})
}
