package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/waybill-dev/waybill/state"
)

// Reader is a state open for reading. It creates and changes nothing that
// belongs to the state. It may be used by many goroutines.
type Reader struct {
	path   string
	mode   mode
	fault  func(op string) error
	packer *packer

	damage damage

	mu     sync.Mutex
	idle   []*view
	closed bool
}

var _ state.Reader = (*Reader)(nil)

// maxIdle is how many connections are kept for the next reads.
const maxIdle = 4

// OpenReader opens the state at path for reading, whether somebody writes there
// or not. It returns state.ErrNoState when there is none.
func OpenReader(path string) (*Reader, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path of the state: %w", err)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 && !exists(path+"-wal") {
		return nil, fmt.Errorf("state %s: %w", path, state.ErrNoState)
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", path, err)
	}
	if info.IsDir() {
		return nil, isDirectory(path)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		if strange, _ := strangeLog(real); strange {
			return nil, &trouble{fmt.Sprintf("state %s: the write-ahead log beside it is another database's (was a backup put in its place?): the agent, at its start, or apply sets it aside", path), state.ErrReplaced, state.ErrReplaced}
		}
	}
	r, err := newReader(path, reading, nil)
	if errors.Is(err, state.ErrDenied) && !exists(path+"-wal") {
		// A directory where SQLite can make no files, and none of a writer: nobody
		// can be writing there.
		return newReader(path, immutable, nil)
	}
	return r, err
}

func isDirectory(path string) error {
	return fmt.Errorf("state %s: it is a directory: give the sqlite backend the path of a file in it", path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func newReader(path string, m mode, fault func(string) error) (*Reader, error) {
	packer, err := newPacker()
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, mode: m, fault: fault, packer: packer}
	err = r.with(func(v *view) error {
		version, err := v.version()
		known, _ := newest()
		switch {
		case err != nil:
			return err
		case version == 0:
			return fmt.Errorf("state %s: %w", path, state.ErrNoState)
		case version < known:
			return fmt.Errorf("state %s: it has schema %d, this version of Waybill reads %d: run apply or the agent once, they bring it up to date", path, version, known)
		}
		return nil
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// view is a connection for reading and the names it has learnt: ids of names
// never change, so they hold over all snapshots.
type view struct {
	*conn
	words, accounts map[int64]string
	blocks, scopes  map[int64]pair
}

func (r *Reader) get() (*view, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, fmt.Errorf("state %s: %w", r.path, state.ErrClosed)
	}
	if n := len(r.idle); n > 0 {
		v := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return v, nil
	}
	r.mu.Unlock()
	c, err := connect(r.path, r.mode, r.fault)
	if err != nil {
		return nil, err
	}
	return &view{c, make(map[int64]string), make(map[int64]string), make(map[int64]pair), make(map[int64]pair)}, nil
}

// put keeps a connection for the next read, unless its transaction could not be
// ended: the next read would see what was, or fail.
func (r *Reader) put(v *view) error {
	r.mu.Lock()
	if !r.closed && len(r.idle) < maxIdle && v.db.AutoCommit() {
		r.idle = append(r.idle, v)
		r.mu.Unlock()
		return nil
	}
	r.mu.Unlock()
	return v.close()
}

// with gives f a connection. Each statement sees one snapshot; so do all of f's
// when they are run while one of them is open, or in a transaction.
func (r *Reader) with(f func(v *view) error) (err error) {
	v, err := r.get()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(r.damage.note(err), r.put(v)) }()
	return f(v)
}

var beginRead = &query{"snapshot", "BEGIN"}

// snapshot gives f a connection on which all statements see the same.
func (r *Reader) snapshot(f func(v *view) error) error {
	return r.with(func(v *view) (err error) {
		if err := v.exec(beginRead); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, v.exec(rollback)) }()
		return f(v)
	})
}

// Close closes the reader; iterators under way still end well.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	var errs []error
	for _, v := range r.idle {
		errs = append(errs, v.close())
	}
	r.idle = nil
	return errors.Join(errs...)
}

// stream yields what decode makes of each row, one at a time.
func stream[T any](ctx context.Context, r *Reader, q *query, decode func(v *view, s *stmt) (T, error), args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		err := r.with(func(v *view) error {
			return v.each(ctx, q, func(s *stmt) (bool, error) {
				value, err := decode(v, s)
				if err != nil {
					return false, err
				}
				stopped = !yield(value, nil)
				return !stopped, nil
			}, args...)
		})
		if err != nil && !stopped {
			var none T
			yield(none, err)
		}
	}
}

// gather collects what a stream yields.
func gather[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for value, err := range seq {
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, nil
}
