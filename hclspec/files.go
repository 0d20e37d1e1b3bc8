package hclspec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/waybill-dev/waybill/hclspec/expressions"
)

// Bounds on what is read: a configuration or a data file beyond them is a
// mistake, and reading it would only fill the memory.
const (
	maxConfigBytes = 64 << 20
	maxInputBytes  = 1 << 30
)

// Files answer what a configuration asks of its files. Paths are absolute and
// clean. A Files whose answers never change makes a configuration whole: it goes
// on saying what it said when it was loaded, whatever happens to the disk.
type Files interface {
	Inputs
	// List is the names in the configuration directory that match a pattern of
	// path.Match, in order, whatever stands there under them.
	List(pattern string) ([]string, error)
	// Read is a file of the configuration or of variable values, wherever its
	// links lead.
	Read(path string) ([]byte, error)
}

// Inputs answer what functions ask. No path may lead out of the configuration
// directory, through a symbolic link neither: that is ErrOutside.
type Inputs interface {
	// Input is the content of a regular file.
	Input(path string) ([]byte, error)
	// Exists reports whether a regular file is there. What is there and is none is
	// ErrNotRegular.
	Exists(path string) (bool, error)
	// Match is the regular files below a directory whose paths match a doublestar
	// pattern: slash paths relative to it, in order. Those that lead out are left out.
	Match(dir, pattern string) ([]string, error)
}

// The errors of Files that callers tell apart, beside fs.ErrNotExist.
var (
	ErrOutside    = errors.New("outside of the configuration directory")
	ErrNotRegular = errors.New("it is not a regular file")
)

// Disk answers from the directory as it is at each question.
func Disk(dir string) Files { return disk{dir} }

type disk struct{ dir string }

func (d disk) List(pattern string) ([]string, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries { // in the order of names
		if ok, err := path.Match(pattern, entry.Name()); err != nil {
			return nil, err
		} else if ok {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func (d disk) Read(path string) ([]byte, error) { return readBounded(path, maxConfigBytes) }

func (d disk) Input(path string) ([]byte, error) {
	real, err := d.resolve(path)
	if err != nil {
		return nil, err
	}
	return readBounded(real, maxInputBytes)
}

func (d disk) Exists(path string) (bool, error) {
	real, err := d.resolve(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := os.Stat(real)
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	return err == nil, err
}

func (d disk) Match(dir, pattern string) ([]string, error) {
	real, err := d.resolve(dir)
	if err != nil {
		return nil, err
	}
	matches, err := doublestar.Glob(os.DirFS(real), pattern, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
	if err != nil {
		return nil, err
	}
	found := matches[:0]
	for _, match := range matches {
		if ok, err := d.Exists(filepath.Join(dir, match)); err == nil && ok {
			found = append(found, match)
		}
	}
	slices.Sort(found)
	return found, nil
}

// resolve finds what a path names, following symbolic links.
func (d disk) resolve(path string) (string, error) {
	if !within(d.dir, path) {
		return "", ErrOutside
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(d.dir)
	if err != nil {
		return "", err
	}
	if !within(dir, real) {
		return "", ErrOutside
	}
	return real, nil
}

// within reports whether a clean path is a directory or lies in it.
func within(dir, path string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// secretLog remembers which secrets were handed out, so that no diagnostic
// repeats one.
type secretLog struct {
	mu      sync.Mutex
	secrets map[string]bool
}

func (l *secretLog) secret(text string) {
	if len(text) < 4 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets[text] = true
}

// secretTexts are the secrets, longest first, so that one within another is
// replaced as a whole.
func (l *secretLog) secretTexts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	texts := sortedKeys(l.secrets)
	sort.SliceStable(texts, func(i, j int) bool { return len(texts[i]) > len(texts[j]) })
	return texts
}

// parseDir reads and parses the configuration files of the directory.
func (c *Root) parseDir() ([]*hcl.File, hcl.Diagnostics) {
	hcls, err := c.opts.Files.List("*.wb.hcl")
	var jsons []string
	if err == nil {
		jsons, err = c.opts.Files.List("*.wb.json")
	}
	if err != nil {
		return nil, hcl.Diagnostics{mistake("Unreadable configuration directory",
			fmt.Sprintf("The directory %s cannot be read: %s. Give the directory of the *.wb.hcl files with -chdir.", c.opts.Dir, plainError(err)), nil)}
	}
	var names []string
	for _, name := range append(hcls, jsons...) {
		if isConfigName(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return nil, hcl.Diagnostics{mistake("No configuration files",
			fmt.Sprintf("The directory %s holds no *.wb.hcl or *.wb.json files.%s Write one, or start with: waybill init", c.opts.Dir, c.otherFiles()), nil)}
	}
	var files []*hcl.File
	var diags hcl.Diagnostics
	for _, name := range names {
		if stem, _, _ := strings.Cut(name, ".wb."); stem == "override" || strings.HasSuffix(stem, "_override") {
			diags = append(diags, mistake("Override files are not supported",
				fmt.Sprintf("By its name %s is an override file, which Terraform merges into the blocks of other files. Waybill has none: write what it says into the block itself, or give the file another name. For what differs between installations there are variables.", name), nil))
			continue
		}
		src, err := c.opts.Files.Read(filepath.Join(c.dir, name))
		if err != nil {
			diags = append(diags, mistake("Unreadable configuration file", fmt.Sprintf("The file %s cannot be read: %s.", name, plainError(err)), nil))
			continue
		}
		file, fileDiags := c.parse(name, src)
		diags = append(diags, fileDiags...)
		if file != nil && file.Body != nil {
			files = append(files, file)
		}
	}
	return files, diags
}

// otherFiles names a file that was perhaps meant to be a configuration.
func (c *Root) otherFiles() string {
	for _, pattern := range []string{"*.hcl", "*.wb", "*.tf", "*.tf.json"} {
		names, _ := c.opts.Files.List(pattern)
		for _, name := range names {
			switch {
			case !isConfigName(name):
			case strings.HasPrefix(pattern, "*.tf"):
				return fmt.Sprintf(" Its %s is Terraform's, which Waybill does not read.", name)
			default:
				return fmt.Sprintf(" Its %s is not read for its name: it must end in .wb.hcl.", name)
			}
		}
	}
	return ""
}

// isConfigName leaves out editors' hidden and backup files.
func isConfigName(name string) bool {
	return !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "#")
}

// acceptText takes a byte order mark off and judges the encoding.
func acceptText(filename string, src []byte) ([]byte, hcl.Diagnostics) {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if utf8.Valid(src) {
		return src, nil
	}
	line := 1
	for rest := src; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		if r == '\n' {
			line++
		}
		rest = rest[size:]
	}
	at := hcl.Range{Filename: filename, Start: hcl.Pos{Line: line, Column: 1}, End: hcl.Pos{Line: line, Column: 1}}
	return nil, hcl.Diagnostics{mistake("Invalid character encoding", fmt.Sprintf("The file %s is not encoded in UTF-8 (line %d). Save it as UTF-8.", filename, line), &at)}
}

// parse reads one file's text, JSON by its name, else HCL.
func (c *Root) parse(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	src, diags := acceptText(name, src)
	if diags.HasErrors() {
		return nil, diags
	}
	if strings.HasSuffix(name, ".json") {
		if diags := expressions.CheckJSON(name, src); diags.HasErrors() {
			return nil, diags
		}
		file, diags := c.parser.ParseJSON(src, name)
		if file != nil && file.Body != nil {
			prepared := *file // the parser keeps its own, for the text
			prepared.Body = expressions.PrepareJSON(file.Body, expressions.Rules{Stopped: c.opts.Context.Err})
			file = &prepared
		}
		return file, diags
	}
	if diags := expressions.CheckText(name, src); diags.HasErrors() {
		return nil, diags
	}
	file, diags := c.parser.ParseHCL(src, name)
	if file != nil {
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			expressions.Prepare(body, expressions.Rules{Stopped: c.opts.Context.Err})
		}
	}
	return file, diags
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	// Opening a pipe would wait for somebody who writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("it has %d bytes, and %d is the most that is read", info.Size(), limit)
	}
	src := make([]byte, 0, info.Size()+512)
	for {
		if len(src) == cap(src) {
			src = append(src, 0)[:len(src)]
		}
		n, err := f.Read(src[len(src):cap(src)])
		src = src[:len(src)+n]
		if errors.Is(err, io.EOF) {
			return src, nil
		}
		if err != nil {
			return nil, err
		}
		if int64(len(src)) > limit {
			return nil, fmt.Errorf("it has more than %d bytes, the most that is read", limit)
		}
	}
}

// plainError is an I/O error without the call and path that Go puts before it.
func plainError(err error) string {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return pathError.Err.Error()
	}
	return err.Error()
}
