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
	"os"
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
		if !filepath.IsAbs(path) {
			path = filepath.Join(c.dir, path)
		}
		return cty.StringVal(filepath.ToSlash(filepath.Clean(path))), nil
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

// errOutside is the error of a path that leaves the configuration directory.
var errOutside = errors.New("outside of the configuration directory")

// resolve finds the file that a path names, following symbolic links, and
// records that it was looked for. A path that leaves the configuration
// directory is errOutside, one that does not exist fs.ErrNotExist.
func (c *Config) resolve(path string) (string, error) {
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(c.dir, full)
	}
	full = filepath.Clean(full)
	if !within(c.dir, full) {
		return "", errOutside
	}
	c.read.file(full)
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(c.dir)
	if err != nil {
		return "", err
	}
	if !within(dir, real) {
		return "", errOutside
	}
	return real, nil
}

// within reports whether a clean path is a directory or lies in it.
func within(dir, path string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// pathError says in words what is wrong with a path.
func pathError(path string, err error) error {
	switch {
	case errors.Is(err, errOutside):
		return fmt.Errorf("the path %q leads out of the configuration directory; keep the file within it", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no file exists at %q; paths are relative to the configuration directory", path)
	}
	return fmt.Errorf("the file %q cannot be read: %s", path, plainError(err))
}

func (c *Config) readInput(path string) ([]byte, error) {
	real, err := c.resolve(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	src, err := readBounded(real, maxInputBytes)
	if err != nil {
		return nil, pathError(path, err)
	}
	return src, nil
}

func (c *Config) exists(path string) (cty.Value, error) {
	real, err := c.resolve(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cty.False, nil
	case err != nil:
		return cty.DynamicVal, pathError(path, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return cty.DynamicVal, pathError(path, err)
	}
	if !info.Mode().IsRegular() {
		return cty.DynamicVal, fmt.Errorf("%q is not a regular file", path)
	}
	return cty.True, nil
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
			dir, err := c.resolve(path)
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, pathError(path, err))
			}
			if !doublestar.ValidatePattern(pattern) {
				return cty.DynamicVal, function.NewArgErrorf(1, "%q is not a pattern; write such as \"*.csv\" or \"**/*.csv\"", pattern)
			}
			matches, err := doublestar.Glob(os.DirFS(dir), strings.TrimPrefix(pattern, "./"), doublestar.WithFilesOnly(), doublestar.WithNoFollow())
			if err != nil {
				return cty.DynamicVal, function.NewArgErrorf(1, "the pattern %q cannot be matched: %s", pattern, plainError(err))
			}
			found := make([]cty.Value, 0, len(matches))
			for _, match := range matches {
				if real, err := c.resolve(filepath.Join(path, match)); err == nil && fileExists(real) {
					found = append(found, cty.StringVal(match))
				}
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

func fileExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
