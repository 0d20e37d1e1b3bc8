package source

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Directory is a configuration directory on this machine. Its path is looked up
// anew at each fetch and each look, so that a link which is put to another tree
// is followed.
//
// The notifier tells of changes at once; comparing (Changed) finds what it cannot
// see: swaps of links above the directory, network mounts.
type Directory struct {
	dir      string // absolute
	log      *slog.Logger
	notifier *fsnotify.Watcher // nil: files are compared only
	woken    chan struct{}
	stop     chan struct{}

	mu      sync.Mutex
	last    *Snapshot
	watched map[string]string // directory -> what its path led to when it was added
}

// NewDirectory watches an absolute path. compareOnly leaves the notifier out.
func NewDirectory(dir string, log *slog.Logger, compareOnly bool) *Directory {
	d := &Directory{dir: dir, log: log, watched: make(map[string]string)}
	if compareOnly {
		return d
	}
	notifier, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("files cannot be watched; they are compared every 10 seconds", "error", err)
		return d
	}
	d.notifier, d.woken, d.stop = notifier, make(chan struct{}, 1), make(chan struct{})
	go d.forward()
	return d
}

// Fetch implements Source.
func (d *Directory) Fetch(context.Context) (*Snapshot, error) {
	s := Take(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = s
	return s, nil
}

// Changed implements Source.
func (d *Directory) Changed() bool {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last == nil {
		return false
	}
	d.notify(last)
	return last.changed()
}

// Woken implements Source.
func (d *Directory) Woken() <-chan struct{} { return d.woken }

// Close implements Source.
func (d *Directory) Close() error {
	if d.notifier == nil {
		return nil
	}
	close(d.stop)
	return d.notifier.Close()
}

// Watch implements Source.
func (d *Directory) Watch() {
	d.mu.Lock()
	last := d.last
	d.mu.Unlock()
	if last != nil {
		d.notify(last)
	}
}

// notify has the notifier tell of the directories in which something was asked
// for, and of the one in which a link to the directory itself stands. One whose
// path leads elsewhere now is added anew.
func (d *Directory) notify(s *Snapshot) {
	if d.notifier == nil {
		return
	}
	dirs := s.directories()
	if info, err := os.Lstat(d.dir); err == nil && info.Mode()&os.ModeSymlink != 0 {
		dirs = append(dirs, filepath.Dir(d.dir))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dir := range dirs {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || d.watched[dir] == real {
			continue
		}
		if d.watched[dir] != "" {
			_ = d.notifier.Remove(dir) // gone with what it led to, perhaps
		}
		if err := d.notifier.Add(dir); err != nil {
			d.log.Debug("a directory cannot be watched; it is compared every 10 seconds", "dir", dir, "error", err)
			continue
		}
		d.watched[dir] = real
	}
}

// quiet is how long nothing more must happen before somebody is woken: editors
// and checkouts write in several steps. longest bounds the wait where something
// always happens, as where the state is kept beside the configuration.
const (
	quiet   = 100 * time.Millisecond
	longest = 2 * time.Second
)

// forward wakes whoever waits once a burst of events is over.
func (d *Directory) forward() {
	var settled <-chan time.Time
	var first time.Time
	for {
		select {
		case <-d.stop:
			return
		case err := <-d.notifier.Errors:
			if err != nil { // an overflow: something may have happened
				d.log.Debug("the notifier missed something", "error", err)
			}
		case <-d.notifier.Events:
			if settled == nil {
				first = time.Now()
			} else if time.Since(first) > longest {
				continue // the timer that runs is the last one
			}
			settled = time.After(quiet)
		case <-settled:
			settled = nil
			select {
			case d.woken <- struct{}{}:
			default: // it is told already
			}
		}
	}
}
