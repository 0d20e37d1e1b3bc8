package source

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/waybill-dev/waybill/durable"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/hclspec"
)

// KeptSuffix makes the name of the directory in which the last good
// configuration is kept from the path of the state.
const KeptSuffix = ".last-good"

// Kept is the copy of the last configuration that was taken, with every file it
// read and every answer it was given, in a 0700 directory beside the state. A
// manifest names the copy that holds; it is replaced in one step, so that a kill
// leaves one or the other.
type Kept struct{ dir string }

// KeptBeside is the place of a state's copy.
func KeptBeside(statePath string) Kept { return Kept{dir: statePath + KeptSuffix} }

type manifest struct {
	Copy     string   `json:"copy"` // directory of the copy, in dir
	Revision Revision `json:"revision"`
}

// told is one answer of the copy. Paths are relative to the configuration
// directory, but for files from outside it (-var-file).
type told struct {
	Op      string   `json:"op"`
	Path    string   `json:"path"`
	Pattern string   `json:"pattern,omitempty"`
	File    string   `json:"file,omitempty"` // of the content, in the copy
	Names   []string `json:"names,omitempty"`
	Exists  bool     `json:"exists,omitempty"`
	Missing bool     `json:"missing,omitempty"` // nothing is there
	Error   string   `json:"error,omitempty"`
}

// answersFile lists what was told.
const answersFile = "answers.json"

// Keep copies what a snapshot has told so far. One that answers from a copy is
// kept already.
func (k Kept) Keep(s *Snapshot) error {
	if !s.onDisk {
		return nil
	}
	if err := durable.MakeDir(k.dir); err != nil {
		return fmt.Errorf("make last-good directory: %w", err)
	}
	if err := os.Chmod(k.dir, 0o700); err != nil { // it may be older than this program
		return fmt.Errorf("close last-good directory: %w", err)
	}
	m := manifest{Copy: rand.Text(), Revision: s.Revision(context.Background())}
	base := filepath.Join(k.dir, m.Copy)
	var list []told
	questions, answers := s.sorted()
	for i, q := range questions {
		failpoint.Hit(failpoint.KeepBegin)
		a := answers[q]
		t := told{Op: q.op, Path: portable(s.dir, q.path), Pattern: q.pattern, Names: a.names, Exists: a.exists}
		switch {
		case errors.Is(a.err, fs.ErrNotExist):
			t.Missing = true
		case a.err != nil:
			t.Error = a.err.Error()
		case q.op == opRead || q.op == opInput:
			t.File = filepath.Join("config", t.Path)
			if filepath.IsAbs(t.Path) {
				t.File = filepath.Join("outside", strconv.Itoa(i), filepath.Base(t.Path))
			}
			target := filepath.Join(base, t.File)
			if err := durable.MakeDir(filepath.Dir(target)); err != nil {
				return fmt.Errorf("keep %s: %w", q.path, err)
			}
			if err := durable.Write(target, a.content); err != nil {
				return fmt.Errorf("keep %s: %w", q.path, err)
			}
		}
		list = append(list, t)
	}
	if err := durable.MakeDir(base); err != nil {
		return fmt.Errorf("make last-good directory: %w", err)
	}
	failpoint.Hit(failpoint.KeepCopied)
	if err := writeJSON(filepath.Join(base, answersFile), list); err != nil {
		return fmt.Errorf("write last-good answers: %w", err)
	}
	if err := writeJSON(filepath.Join(k.dir, "manifest.json"), m); err != nil {
		return fmt.Errorf("write last-good manifest: %w", err)
	}
	failpoint.Hit(failpoint.KeepManifest)
	s.mu.Lock()
	s.kept = len(questions)
	s.mu.Unlock()
	return k.tidy(m.Copy)
}

func writeJSON(path string, v any) error {
	content, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return durable.Write(path, content)
}

// tidy removes the copies that no longer hold.
func (k Kept) tidy(current string) error {
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return fmt.Errorf("read last-good directory: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != current {
			if err := os.RemoveAll(filepath.Join(k.dir, e.Name())); err != nil {
				return fmt.Errorf("remove an older last-good copy: %w", err)
			}
		}
	}
	return nil
}

// Open is a snapshot that answers from the copy, as the configuration directory
// dir did when it was kept; nil when none is kept.
func (k Kept) Open(dir string) (*Snapshot, error) {
	var m manifest
	content, err := os.ReadFile(filepath.Join(k.dir, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read last-good manifest: %w", err)
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return nil, fmt.Errorf("last-good manifest: %w", err)
	}
	base := filepath.Join(k.dir, m.Copy)
	var list []told
	if content, err = os.ReadFile(filepath.Join(base, answersFile)); err != nil {
		return nil, fmt.Errorf("read last-good answers: %w", err)
	}
	if err := json.Unmarshal(content, &list); err != nil {
		return nil, fmt.Errorf("last-good answers: %w", err)
	}
	c := keptFiles{base: base, dir: dir, told: make(map[question]told, len(list))}
	for _, t := range list {
		c.told[question{op: t.Op, path: whole(dir, t.Path), pattern: t.Pattern}] = t
	}
	return &Snapshot{dir: dir, under: c, answers: make(map[question]*answer), revision: m.Revision}, nil
}

// keptFiles answer from a copy.
type keptFiles struct {
	base, dir string
	told      map[question]told
}

var _ hclspec.Files = keptFiles{}

// errNotKept is the error of a question that was not asked when the copy was made.
var errNotKept = errors.New("it was not read when the last good configuration was kept")

func (c keptFiles) find(q question) (told, error) {
	t, ok := c.told[q]
	switch {
	case !ok && q.op != opRead && filepath.IsAbs(portable(c.dir, q.path)):
		return t, hclspec.ErrOutside
	case !ok:
		return t, errNotKept
	case t.Missing:
		return t, fs.ErrNotExist
	case t.Error == hclspec.ErrOutside.Error():
		return t, hclspec.ErrOutside
	case t.Error == hclspec.ErrNotRegular.Error():
		return t, hclspec.ErrNotRegular
	case t.Error != "":
		return t, errors.New(t.Error)
	}
	return t, nil
}

// List of a pattern that nobody asked for is empty: no file of that name counted.
func (c keptFiles) List(pattern string) ([]string, error) {
	t, err := c.find(question{op: opList, path: c.dir, pattern: pattern})
	if errors.Is(err, errNotKept) {
		err = nil
	}
	return t.Names, err
}

// Read of a file of values that the command line names now, and did not then, is
// read from where it is.
func (c keptFiles) Read(path string) ([]byte, error) {
	t, err := c.find(question{op: opRead, path: path})
	if errors.Is(err, errNotKept) {
		return hclspec.Disk(c.dir).Read(path)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(c.base, t.File))
}

func (c keptFiles) Input(path string) ([]byte, error) {
	t, err := c.find(question{op: opInput, path: path})
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(c.base, t.File))
}

func (c keptFiles) Exists(path string) (bool, error) {
	t, err := c.find(question{op: opExists, path: path})
	return t.Exists, err
}

func (c keptFiles) Match(dir, pattern string) ([]string, error) {
	t, err := c.find(question{op: opMatch, path: dir, pattern: pattern})
	return t.Names, err
}
