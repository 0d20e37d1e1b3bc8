package crash

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// opKind is what a process asked the kernel to do.
type opKind int

const (
	opWrite opKind = iota
	opSync
	opTruncate
	opOpen // with the wish to create or to empty
	opRename
	opUnlink
	opMkdir
)

// op is one thing that was done to a file below the root, or to the root, ".".
type op struct {
	Kind        opKind
	Path, To    string
	Off         int64 // of a write; the length of a truncation
	Data        []byte
	Truncate    bool
	Entry, Exit int64 // unix nanoseconds
}

// disk is a file system that promises only what POSIX promises: a write is there
// after a crash once its file was synced, a name once its directory was. All else
// may be there or not.
type disk struct {
	now     map[string]*node // as the process sees it
	durable map[string]*node // names that a crash leaves
}

type node struct {
	dir     bool
	durable []byte
	pending []op // writes and truncations since the last sync
}

func newDisk() *disk {
	root := &node{dir: true}
	return &disk{now: map[string]*node{".": root}, durable: map[string]*node{".": root}}
}

func (d *disk) apply(o op) {
	n := d.now[o.Path]
	switch o.Kind {
	case opWrite, opTruncate:
		if n == nil { // it was there before the recording
			n = &node{}
			d.now[o.Path], d.durable[o.Path] = n, n
		}
		n.pending = append(n.pending, o)
	case opOpen:
		if n == nil {
			n = &node{}
			d.now[o.Path] = n
		}
		if o.Truncate {
			n.pending = append(n.pending, op{Kind: opTruncate})
		}
	case opMkdir:
		d.now[o.Path] = &node{dir: true}
	case opRename:
		if n != nil {
			delete(d.now, o.Path)
			d.now[o.To] = n
		}
	case opUnlink:
		delete(d.now, o.Path)
	case opSync:
		switch {
		case n == nil:
		case n.dir:
			for _, name := range d.names(o.Path) {
				d.settle(name)
			}
		default:
			for _, p := range n.pending {
				n.durable = p.onto(n.durable)
			}
			n.pending = nil
		}
	}
}

// names are those that a directory has, now or after a crash.
func (d *disk) names(dir string) []string {
	all := make(map[string]bool)
	for _, in := range []map[string]*node{d.now, d.durable} {
		for name := range in {
			if name != "." && filepath.Dir(name) == dir {
				all[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// settle makes a name as it is now the one that a crash leaves.
func (d *disk) settle(name string) {
	if n, ok := d.now[name]; ok {
		d.durable[name] = n
	} else {
		delete(d.durable, name)
	}
}

// onto carries a write or a truncation out.
func (o op) onto(content []byte) []byte {
	size := o.Off
	if o.Kind == opWrite {
		size = max(int64(len(content)), o.Off+int64(len(o.Data)))
	}
	next := make([]byte, size)
	copy(next, content)
	if o.Kind == opWrite {
		copy(next[o.Off:], o.Data)
	}
	return next
}

// crash writes what a power cut leaves to a directory. Without a die all that was
// not synced is lost; with one each write and name of it is lost or not, and a
// write may be torn between sectors.
func (d *disk) crash(to string, die *rand.Rand) error {
	return d.leave(".", to, die)
}

func (d *disk) leave(dir, to string, die *rand.Rand) error {
	for _, name := range d.names(dir) {
		n := d.durable[name]
		if now := d.now[name]; now != n && die != nil && die.IntN(2) == 0 {
			n = now
		}
		base := filepath.Base(name)
		if n == nil || base == "waybill.db-shm" || base == "waybill.db.lock" {
			continue // memory, and a lock of a process that is gone
		}
		target := filepath.Join(to, base)
		if n.dir {
			if err := errors.Join(os.MkdirAll(target, 0o700), d.leave(name, target, die)); err != nil {
				return err
			}
			continue
		}
		content := n.durable
		for _, p := range n.pending {
			if die == nil || die.IntN(2) == 0 {
				continue
			}
			if p.Kind == opWrite && die.IntN(4) == 0 {
				p.Data = p.Data[:min(len(p.Data), 512*die.IntN(len(p.Data)/512+1))]
			}
			content = p.onto(content)
		}
		if err := os.WriteFile(target, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
