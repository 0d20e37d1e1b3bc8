// Package sqlite keeps Waybill's state in one SQLite file: one writer that
// groups commits, any number of readers beside it in any process.
//
// Beside the database waybill.db SQLite keeps waybill.db-wal and waybill.db-shm; the
// package keeps waybill.db.lock, which names the writer, and waybill.db.seen, by which
// a restored backup is recognised. It touches these files, and the copy that Backup
// makes; it alone knows SQL.
//
// It has more than 3,000 lines, for it is one contract over one schema: a file for
// each noun of state.Store (items, records, raws, history and so on), over one
// connection (conn.go) and one writer (writer.go).
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/durable"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/state"
)

// Options are what a program may give a state. The zero value serves.
type Options struct {
	// Log is told what an operator may want to know; nil: nothing is.
	Log *slog.Logger
	// Fault, when set, is called before each call into the database with the
	// name of what it is about to do, from many goroutines; an error is taken for
	// the database's own (such as a sqlite3.Error). For tests of faults.
	Fault func(op string) error
}

// Store is a state open for writing. A batch that was handed to Commit must not
// be changed any more, not even when Commit was cancelled.
type Store struct {
	*Reader
	files *files
	log   *slog.Logger

	queue   chan *request
	gate    sync.RWMutex // held to close the queue
	shut    bool
	stopped chan struct{} // closed when the writer has ended
	end     error         // of the writer's connection, read after stopped

	lineage    string
	kept       atomic.Int64 // how much is stored (state.Meta) and was acknowledged
	seenLock   sync.Mutex
	seen       *seen
	stored     chan struct{} // something was
	remembered chan struct{} // closed when nobody notes it any more

	itemID, rawID atomic.Int64
}

var _ state.Store = (*Store)(nil)

// Open opens the state at path for writing, makes it when there is none, and
// brings an older schema to the newest. It returns a *state.LockedError while
// another process writes there.
func Open(path string, owner state.Owner, opts Options) (_ *Store, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("path of the state: %w", err)
	}
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	lock, err := takeLock(path, owner)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dropLock(lock))
		}
	}()
	if err := create(path); err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.OpenCreated)
	files, err := claim(path, lock)
	if err != nil {
		return nil, err
	}
	if err := setStrangeLogAside(files.real, time.Now(), log); err != nil {
		return nil, errors.Join(err, files.close())
	}
	wal, statErr := idAt(files.real + "-wal")
	hadLog := statErr == nil && wal.size > 0
	defer func() {
		if err != nil {
			err = errors.Join(err, files.close())
		}
	}()
	w, err := openWriter(path, opts.Fault)
	if err != nil {
		return nil, err
	}
	reader, err := newReader(path, reading, opts.Fault)
	if err == nil {
		w.files, w.damage = files, &reader.damage
		err = files.opened(w.c)
	}
	var seen *seen
	var meta state.Meta
	if err == nil {
		seen, meta, err = reader.lookBack(hadLog)
	}
	if err != nil {
		return nil, errors.Join(err, w.c.close())
	}
	s := &Store{Reader: reader, files: files, log: log, queue: make(chan *request, maxGroup), stopped: make(chan struct{}),
		lineage: meta.Lineage, seen: seen, stored: make(chan struct{}, 1), remembered: make(chan struct{})}
	w.stored = meta.Stored
	s.kept.Store(w.stored)
	s.itemID.Store(w.lastItem)
	s.rawID.Store(w.lastRaw)
	go s.write(w)
	go s.rememberAll()
	return s, nil
}

// create makes an empty database file that only its owner may read; SQLite
// gives the files beside it the same mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return isDirectory(path)
		}
		return nil
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("new state: %w", err)
	}
	return nil
}

// NewItemID gives an identifier that no item in this state has had.
func (s *Store) NewItemID(context.Context) (int64, error) { return s.itemID.Add(1), nil }

// NewRawID gives an identifier that no raw in this state has had.
func (s *Store) NewRawID(context.Context) (int64, error) { return s.rawID.Add(1), nil }

// Commit makes the batch durable, or nothing of it.
func (s *Store) Commit(ctx context.Context, batch *state.Batch) error {
	r, err := s.Reader.packer.prepare(batch)
	if err != nil {
		return fmt.Errorf("state %s: %w", s.path, err)
	}
	if err := s.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case out := <-r.done:
		if out.err == nil {
			batch.NewRecords, batch.Retold = out.newRecords, out.retold
			for i := range batch.Items {
				batch.Items[i].Version++
			}
		}
		return out.err
	case <-ctx.Done():
		return fmt.Errorf("state %s: commit not waited for: %w", s.path, context.Cause(ctx))
	}
}

func (s *Store) enqueue(ctx context.Context, r *request) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.shut {
		return fmt.Errorf("state %s: %w", s.path, state.ErrClosed)
	}
	select {
	case s.queue <- r:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("state %s: commit not begun: %w", s.path, context.Cause(ctx))
	}
}

// Close carries out what was handed to Commit, closes the database and lets go
// of the lock.
func (s *Store) Close() error {
	s.gate.Lock()
	if s.shut {
		s.gate.Unlock()
		return nil
	}
	s.shut = true
	close(s.queue)
	s.gate.Unlock()
	<-s.stopped
	<-s.remembered
	return errors.Join(s.Reader.Close(), s.end, s.files.close(), dropLock(s.files.lock))
}

// The bounds of one transaction. What waits beyond them goes into the next.
const (
	maxGroup = 1024   // batches
	maxRows  = 50_000 // rows, unless one batch has more
)

// slowCommit is how long a transaction of ordinary size may take before the log
// tells of it.
const slowCommit = 2 * time.Second

// write is the one writer: it takes what waits, in order, into one transaction.
func (s *Store) write(w *writer) {
	defer close(s.stopped)
	group := make([]*request, 0, maxGroup)
	var held *request // did not fit into the last group
	for {
		group = group[:0]
		rows := 0
		if held != nil {
			group, rows, held = append(group, held), held.rows, nil
		} else if r, ok := <-s.queue; ok {
			group, rows = append(group, r), r.rows
		} else {
			break
		}
	gather:
		for len(group) < maxGroup {
			select {
			case r, ok := <-s.queue:
				if !ok {
					break gather
				}
				if rows+r.rows > maxRows {
					held = r
					break gather
				}
				group, rows = append(group, r), rows+r.rows
			default:
				break gather
			}
		}
		start := time.Now()
		w.carryOut(group)
		s.kept.Store(w.stored)
		select {
		case s.stored <- struct{}{}:
		default:
		}
		if took := time.Since(start); took > slowCommit && rows < maxRows {
			s.log.Warn("slow commit to the state", "took", took, "batches", len(group), "rows", rows)
		}
		clear(group)
	}
	// Before the log is emptied: an empty one means that all was noted.
	// Of a state that is damaged or gone, too: what was put in its place is known by it.
	s.end = w.end(s.log, errors.Join(w.damage.found(), s.remember(true)))
}
