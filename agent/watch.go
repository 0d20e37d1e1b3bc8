package agent

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watch notices that a file which the configuration read has changed, or that one
// came or went. The notifier tells at once; comparing (changed) finds what it
// cannot see: swaps of symbolic links above the directory, network mounts.
type watch struct {
	dir      string
	log      *slog.Logger
	notifier *fsnotify.Watcher // nil when the system has none left
	dirs     map[string]bool
	files    map[string]bool
	prints   map[string]string
}

func newWatch(dir string, log *slog.Logger, compareOnly bool) *watch {
	w := &watch{dir: dir, log: log, dirs: make(map[string]bool), files: make(map[string]bool)}
	if compareOnly {
		return w
	}
	notifier, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("files cannot be watched; they are compared every 10 seconds", "error", err)
		return w
	}
	w.notifier = notifier
	return w
}

// mark takes how the files are now as known. It is called before a configuration
// is loaded, so that what changes while it is loaded and recorded is noticed after.
func (w *watch) mark() {
	w.prints = w.look()
	w.notify()
}

// add watches the files that a configuration has read, too. What is known of files
// that were watched before stays as it was marked.
func (w *watch) add(files []string) {
	for _, name := range files {
		if w.files[name] {
			continue
		}
		w.files[name] = true
		if _, marked := w.prints[name]; !marked {
			w.prints[name] = printOf(name)
		}
	}
	w.notify()
}

// notify has the notifier tell of the directories in which watched files are.
func (w *watch) notify() {
	if w.notifier == nil {
		return
	}
	wanted := map[string]bool{w.dir: true}
	for name := range w.files {
		wanted[filepath.Dir(name)] = true
	}
	for dir := range wanted {
		if w.dirs[dir] {
			continue
		}
		if err := w.notifier.Add(dir); err != nil {
			w.log.Debug("a directory cannot be watched; it is compared every 10 seconds", "dir", dir, "error", err)
			continue
		}
		w.dirs[dir] = true
	}
}

// events tells that something happened in a watched directory.
func (w *watch) events() <-chan fsnotify.Event {
	if w.notifier == nil {
		return nil
	}
	return w.notifier.Events
}

// settle waits until a tenth of a second passed without a further event: editors
// and checkouts write in several steps.
func (w *watch) settle() {
	for range 20 {
		select {
		case <-w.notifier.Events:
		case <-time.After(100 * time.Millisecond):
			return
		}
	}
}

// changed compares the files with how they were when they were marked.
func (w *watch) changed() bool { return !maps.Equal(w.prints, w.look()) }

// look takes a print of each file: what a stat through symbolic links tells.
func (w *watch) look() map[string]string {
	prints := make(map[string]string, len(w.files))
	for name := range w.files {
		prints[name] = printOf(name)
	}
	for _, pattern := range []string{"*.wb.hcl", "*.wb.json", "waybill.wbvars.hcl", "*.auto.wbvars.hcl"} {
		names, err := filepath.Glob(filepath.Join(w.dir, pattern))
		if err != nil {
			continue // the patterns are constant
		}
		for _, name := range names {
			prints[name] = printOf(name)
		}
	}
	return prints
}

func printOf(name string) string {
	info, err := os.Stat(name)
	if err != nil {
		return "none"
	}
	inode := uint64(0)
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = sys.Ino
	}
	return fmt.Sprintf("%d %d %d", info.Size(), info.ModTime().UnixNano(), inode)
}

func (w *watch) close() error {
	if w.notifier == nil {
		return nil
	}
	return w.notifier.Close()
}
