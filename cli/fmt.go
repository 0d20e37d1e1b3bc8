package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/hclspec"
)

// fmtFlags are the flags of fmt.
type fmtFlags struct{ check, diff, recursive, write, list bool }

func fmtCommand() *command {
	var f fmtFlags
	return &command{
		name:    "fmt",
		args:    "[DIR | FILE | -]...",
		summary: "Put configuration files into the canonical layout",
		detail:  "Prints the names of the files that it changed. Of standard input (-) the result is printed.",
		maxArgs: -1,
		flags: func(fs *flag.FlagSet) {
			fs.BoolVar(&f.check, "check", false, "write nothing; exit 3 when a file is not in the canonical layout")
			fs.BoolVar(&f.diff, "diff", false, "print the differences")
			fs.BoolVar(&f.recursive, "recursive", false, "the files of subdirectories too")
			fs.BoolVar(&f.write, "write", true, "write the files")
			fs.BoolVar(&f.list, "list", true, "print the names of the files that differ")
		},
		run: func(_ context.Context, p *program, args []string) int { return p.format(&f, args) },
	}
}

func (p *program) format(f *fmtFlags, args []string) int {
	if len(args) == 0 {
		args = []string{"."}
	}
	if slices.Contains(args, "-") {
		return p.formatInput(f)
	}
	var files []string
	for _, arg := range args {
		found, err := formattable(arg, f.recursive)
		if err != nil {
			return p.fail(err)
		}
		files = append(files, found...)
	}
	code := exitOK
	for _, name := range files {
		changed, ok := p.formatFile(f, name)
		switch {
		case !ok:
			code = exitError
		case changed && f.check && code == exitOK:
			code = exitCheck
		}
	}
	return code
}

// formatFile formats one file; its errors are printed.
func (p *program) formatFile(f *fmtFlags, name string) (changed, ok bool) {
	// Reading a pipe would wait for somebody who writes to it.
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	var src []byte
	if err == nil {
		src, err = os.ReadFile(name)
	}
	if err != nil {
		p.fail(err)
		return false, false
	}
	formatted, diags := hclspec.Format(name, src)
	if diags.HasErrors() {
		p.view.Diagnostics(map[string]*hcl.File{name: {Bytes: src}}, diags)
		return false, false
	}
	if bytes.Equal(src, formatted) {
		return false, true
	}
	if f.list {
		p.view.Line(name)
	}
	if f.diff {
		p.view.Diff(name, src, formatted)
	}
	if f.write && !f.check {
		if err := replaceFile(name, formatted); err != nil {
			p.fail(err)
			return true, false
		}
	}
	return true, true
}

func (p *program) formatInput(f *fmtFlags) int {
	src, err := io.ReadAll(p.in)
	if err != nil {
		return p.fail(fmt.Errorf("read standard input: %w", err))
	}
	const name = "<stdin>"
	formatted, diags := hclspec.Format(name, src)
	if diags.HasErrors() {
		p.view.Diagnostics(map[string]*hcl.File{name: {Bytes: src}}, diags)
		return exitError
	}
	same := bytes.Equal(src, formatted)
	switch {
	case f.diff && !same:
		p.view.Diff(name, src, formatted)
	case !f.check && !f.diff:
		p.view.Exact(formatted)
	}
	if f.check && !same {
		return exitCheck
	}
	return exitOK
}

// formattable are the files of a directory that fmt cares for, or the one file named.
func formattable(arg string, recursive bool) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !isFormattable(arg) {
			return nil, fmt.Errorf("%s: fmt formats *.wb.hcl and *.wbvars.hcl files only", arg)
		}
		return []string{arg}, nil
	}
	var files []string
	err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != arg && (!recursive || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case !d.IsDir() && isFormattable(d.Name()) && !strings.HasPrefix(d.Name(), "."):
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

func isFormattable(name string) bool {
	return strings.HasSuffix(name, ".wb.hcl") || strings.HasSuffix(name, ".wbvars.hcl")
}

// replaceFile puts new content in a file's place at once, so that an agent that
// watches never reads half of it. A symbolic link stays one.
func replaceFile(name string, content []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(target), ".waybill-fmt-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), target)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
	return err
}
