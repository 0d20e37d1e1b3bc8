package agent

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/waybill-dev/waybill/failpoint"
)

// LastGoodSuffix makes the name of the directory in which the last good
// configuration is kept from the path of the state.
const LastGoodSuffix = ".last-good"

// lastGood is the copy of the last configuration that was taken, with every file
// it read, in a 0700 directory beside the state. A manifest names the copy that
// holds; it is replaced in one step, so that a kill leaves one or the other.
type lastGood struct{ dir string }

type manifest struct {
	Copy string `json:"copy"` // directory of the copy, in dir
	// Outside maps a file from outside the configuration directory (-var-file) to
	// its copy.
	Outside map[string]string `json:"outside,omitempty"`
}

// keep copies the files that a configuration read.
func (l lastGood) keep(configDir string, files []string) error {
	if err := makeDurableDir(l.dir); err != nil {
		return fmt.Errorf("make last-good directory: %w", err)
	}
	if err := os.Chmod(l.dir, 0o700); err != nil { // it may be older than this program
		return fmt.Errorf("close last-good directory: %w", err)
	}
	m := manifest{Copy: rand.Text(), Outside: make(map[string]string)}
	base := filepath.Join(l.dir, m.Copy)
	for i, name := range files {
		failpoint.Hit(failpoint.KeepBegin)
		content, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // looked for and not there
		}
		if err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
		target := filepath.Join("config", relative(configDir, name))
		if relative(configDir, name) == "" {
			target = filepath.Join("outside", strconv.Itoa(i), filepath.Base(name))
			m.Outside[name] = target
		}
		target = filepath.Join(base, target)
		if err := makeDurableDir(filepath.Dir(target)); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
		if err := writeDurably(target, content); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
	}
	if err := makeDurableDir(filepath.Join(base, "config")); err != nil {
		return fmt.Errorf("make last-good directory: %w", err)
	}
	failpoint.Hit(failpoint.KeepCopied)
	content, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode last-good manifest: %w", err)
	}
	if err := writeDurably(filepath.Join(l.dir, "manifest.json"), content); err != nil {
		return fmt.Errorf("write last-good manifest: %w", err)
	}
	failpoint.Hit(failpoint.KeepManifest)
	return l.tidy(m.Copy)
}

// tidy removes the copies that no longer hold.
func (l lastGood) tidy(current string) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("read last-good directory: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != current {
			if err := os.RemoveAll(filepath.Join(l.dir, e.Name())); err != nil {
				return fmt.Errorf("remove an older last-good copy: %w", err)
			}
		}
	}
	return nil
}

// LastGood finds the configuration that an agent kept beside a state: its
// directory, and where the files from outside it are.
func LastGood(statePath string) (dir string, outside map[string]string, found bool, err error) {
	return lastGood{dir: statePath + LastGoodSuffix}.open()
}

// open finds the copy: its configuration directory, and where the files from
// outside it are.
func (l lastGood) open() (dir string, outside map[string]string, found bool, err error) {
	content, err := os.ReadFile(filepath.Join(l.dir, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, false, nil
	}
	if err != nil {
		return "", nil, false, fmt.Errorf("read last-good manifest: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return "", nil, false, fmt.Errorf("last-good manifest: %w", err)
	}
	base := filepath.Join(l.dir, m.Copy)
	outside = make(map[string]string, len(m.Outside))
	for name, target := range m.Outside {
		outside[name] = filepath.Join(base, target)
	}
	return filepath.Join(base, "config"), outside, true, nil
}

// relative is a file's path below dir, "" when it is not below it.
func relative(dir, name string) string {
	rel, err := filepath.Rel(dir, name)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return rel
}
