package hclspec

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// inputs are a configuration directory's files as functions see them
// (functions.Files): by paths relative to it, with errors in words.
type inputs struct {
	dir   string // absolute
	files Inputs
}

// absolute is the path that an argument names.
func (in inputs) absolute(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.dir, path)
	}
	return filepath.Clean(path)
}

func (in inputs) Abs(path string) string { return filepath.ToSlash(in.absolute(path)) }

func (in inputs) Read(path string) ([]byte, error) {
	src, err := in.files.Input(in.absolute(path))
	if err != nil {
		return nil, pathError(path, err)
	}
	return src, nil
}

func (in inputs) Exists(path string) (bool, error) {
	ok, err := in.files.Exists(in.absolute(path))
	switch {
	case errors.Is(err, ErrNotRegular):
		return false, fmt.Errorf("%q is not a regular file", path)
	case err != nil:
		return false, pathError(path, err)
	}
	return ok, nil
}

func (in inputs) Match(path, pattern string) ([]string, error) {
	matches, err := in.files.Match(in.absolute(path), strings.TrimPrefix(pattern, "./"))
	if err != nil {
		return nil, pathError(path, err)
	}
	return matches, nil
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

// environment is what functions see of the process (functions.Env).
type environment struct {
	opts *Options
	read *secretLog
}

func (e environment) Lookup(name string) (string, bool) { return e.opts.Environ(name) }
func (e environment) Loaded() time.Time                 { return e.opts.Now() }
func (e environment) Stopped() error                    { return e.opts.Context.Err() }
func (e environment) Offline() bool                     { return e.opts.Offline }
func (e environment) Secret(v cty.Value)                { collectSecrets(v, e.read.secret) }
