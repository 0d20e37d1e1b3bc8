package source

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/hclspec"
)

// trail is a note beside the state of what is being loaded: it is there from the
// first file that is read until the evaluation has come to an end, whichever. A
// process that finds one at its start knows that the one before died of it, or
// in it, and what it had read by then.
type trail struct {
	file    *os.File
	encoder *json.Encoder
}

// step is one line of a trail: a question, and the digest of what was told.
type step struct {
	Version string `json:"version,omitempty"` // of the program; in the first line alone
	Op      string `json:"op,omitempty"`
	Path    string `json:"path,omitempty"`
	Pattern string `json:"pattern,omitempty"`
	Sum     string `json:"sum,omitempty"`
}

func (k Kept) trailPath() string { return filepath.Join(k.dir, "loading") }

// Loading notes what a snapshot is asked for until done is called, so that a
// later start can tell should this process die meanwhile (see Died). A copy that
// was kept is not noted: it was loaded before, and the trail of what took its
// place must stay.
func (k Kept) Loading(s *Snapshot, version string) (done func() error, err error) {
	if !s.onDisk {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, fmt.Errorf("note what is loaded: %w", err)
	}
	file, err := os.OpenFile(k.trailPath(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("note what is loaded: %w", err)
	}
	t := &trail{file: file, encoder: json.NewEncoder(file)}
	if err := t.encoder.Encode(step{Version: version}); err != nil {
		return nil, errors.Join(fmt.Errorf("note what is loaded: %w", err), file.Close())
	}
	s.mu.Lock()
	s.trail = t
	s.mu.Unlock()
	return func() error {
		s.mu.Lock()
		s.trail = nil
		s.mu.Unlock()
		return errors.Join(file.Close(), os.Remove(k.trailPath()))
	}, nil
}

// note adds a line. A disk without room costs the note, not the configuration.
func (t *trail) note(dir string, q question, a *answer) {
	if t == nil {
		return
	}
	_ = t.encoder.Encode(step{Op: q.op, Path: portable(dir, q.path), Pattern: q.pattern, Sum: hex.EncodeToString(a.sum[:])})
}

// Died reports whether a process of this version died while it loaded the
// configuration in dir as it is now.
func (k Kept) Died(dir, version string) (bool, error) {
	file, err := os.Open(k.trailPath())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read what was loaded: %w", err)
	}
	defer file.Close()
	disk := hclspec.Disk(dir)
	lines := bufio.NewScanner(file)
	for n := 0; lines.Scan(); n++ {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return n > 1, nil // cut off with the process
		}
		if n == 0 {
			if s.Version != version {
				return false, nil
			}
			continue
		}
		a := answerOf(disk, question{op: s.Op, path: whole(dir, s.Path), pattern: s.Pattern})
		if hex.EncodeToString(a.sum[:]) != s.Sum {
			return false, nil
		}
	}
	return true, lines.Err()
}

// portable is a path as it is noted: relative to the configuration directory
// where it lies in it, so that the directory may be called otherwise later.
func portable(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// whole is the path that was noted.
func whole(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
