package hclspec

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Bounds on what is read: a configuration or a data file beyond them is a
// mistake, and reading it would only fill the memory.
const (
	maxConfigBytes = 64 << 20
	maxInputBytes  = 1 << 30
)

// fileLog remembers which files were read or looked for, and which secrets
// were handed out, so that no diagnostic repeats one.
type fileLog struct {
	mu      sync.Mutex
	files   map[string]bool
	secrets map[string]bool
}

func newFileLog() *fileLog {
	return &fileLog{files: map[string]bool{}, secrets: map[string]bool{}}
}

func (l *fileLog) file(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files[path] = true
}

func (l *fileLog) paths() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return sortedKeys(l.files)
}

func (l *fileLog) secret(text string) {
	if len(text) < 4 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets[text] = true
}

// secretTexts are the secrets, longest first, so that one within another is
// replaced as a whole.
func (l *fileLog) secretTexts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	texts := sortedKeys(l.secrets)
	sort.SliceStable(texts, func(i, j int) bool { return len(texts[i]) > len(texts[j]) })
	return texts
}

// parseDir reads and parses the configuration files of the directory.
func (c *Config) parseDir() ([]*hcl.File, hcl.Diagnostics) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, hcl.Diagnostics{mistake("Unreadable configuration directory",
			fmt.Sprintf("The directory %s cannot be read: %s. Give the directory of the *.wb.hcl files with -chdir.", c.opts.Dir, plainError(err)), nil)}
	}
	var names []string
	for _, entry := range entries {
		if isConfigName(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return nil, hcl.Diagnostics{mistake("No configuration files",
			fmt.Sprintf("The directory %s holds no *.wb.hcl or *.wb.json files. Write one, or start with: waybill init", c.opts.Dir), nil)}
	}
	var files []*hcl.File
	var diags hcl.Diagnostics
	for _, name := range names {
		path := filepath.Join(c.dir, name)
		c.read.file(path)
		src, err := readBounded(path, maxConfigBytes)
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

// isConfigName reports whether a file name is one of the configuration's.
// Editors' hidden and backup files are not.
func isConfigName(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") {
		return false
	}
	return strings.HasSuffix(name, ".wb.hcl") || strings.HasSuffix(name, ".wb.json")
}

// parse reads one file's text, JSON by its name, else HCL.
func (c *Config) parse(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	src, diags := acceptText(name, src)
	if diags.HasErrors() {
		return nil, diags
	}
	if strings.HasSuffix(name, ".json") {
		if diags := checkJSONDepth(name, src); diags.HasErrors() {
			return nil, diags
		}
		return c.parser.ParseJSON(src, name)
	}
	if diags := checkDepth(name, src); diags.HasErrors() {
		return nil, diags
	}
	file, diags := c.parser.ParseHCL(src, name)
	if file != nil {
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			useDecimals(body)
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
		return nil, errors.New("it is not a regular file")
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
