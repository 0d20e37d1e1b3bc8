package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/waybill-dev/waybill/state"
)

// A database that is deleted or replaced under its writer goes on taking commits:
// they go into a file without a name, and are gone with the process. So the writer
// looks, before and after each transaction, whether the files that it opened are
// those at their paths, and whether the write-ahead log still holds what was
// written to it; what it cannot vouch for is not acknowledged.

// files are those of an open state, as they were opened. They are opened here a
// second time. Of the database that is safe only because ours is closed last:
// closing it drops the locks that SQLite has on the same file in this process.
type files struct {
	path string   // of the database, as it was given
	lock *os.File // held by its flock
	db   *os.File // likewise
	wal  *os.File

	lockID, dbID, walID, shmID fileID

	real    string // path without symbolic links: SQLite puts its own files beside it
	page    int64  // size of a page of the database
	walSize int64  // of the write-ahead log after the last transaction

	// The database itself changes only when the log is moved into it. head is how it
	// began after the last transaction, moved how much of the log SQLite had moved
	// when head was taken, and salt tells one beginning of the log from the next.
	head  [100]byte
	salt  [8]byte
	moved int64
	// patience is how often SQLite is asked who changed it.
	patience int
}

// fileID tells files apart, whatever they are called.
type fileID struct {
	dev, ino uint64
	size     int64
	plain    bool // a regular file
}

func (a fileID) same(b fileID) bool { return a.dev == b.dev && a.ino == b.ino }

func idFrom(s *syscall.Stat_t) fileID {
	return fileID{uint64(s.Dev), s.Ino, s.Size, s.Mode&syscall.S_IFMT == syscall.S_IFREG}
}

// idAt identifies what is at a path.
func idAt(path string) (fileID, error) {
	var s syscall.Stat_t
	err := syscall.Stat(path, &s)
	return idFrom(&s), err
}

// identityOf identifies an open file.
func identityOf(f *os.File) (fileID, error) {
	var s syscall.Stat_t
	err := syscall.Fstat(int(f.Fd()), &s)
	return idFrom(&s), err
}

// claim opens the database file before SQLite does, and locks it: so that two
// writers exclude each other even where the lock file was removed, or where two
// paths lead to one database.
func claim(path string, lock *os.File) (_ *files, err error) {
	f := &files{path: path, lock: lock}
	if f.lockID, err = identityOf(lock); err != nil {
		return nil, fmt.Errorf("lock of state %s: %w", path, err)
	}
	if f.real, err = filepath.EvalSymlinks(path); err != nil {
		return nil, fmt.Errorf("state %s: %w", path, err)
	}
	if f.db, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0); err != nil {
		return nil, &trouble{fmt.Sprintf("state %s: %v: see to it that this user may read and write the file and its directory", path, err), state.ErrDenied, err}
	}
	f.dbID, err = identityOf(f.db)
	if err == nil {
		err = lockDatabase(f.db)
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = &state.LockedError{Path: path}
	case err != nil:
		err = fmt.Errorf("lock of state %s: %w", path, err)
	}
	if err != nil {
		return nil, errors.Join(err, f.db.Close())
	}
	return f, nil
}

// opened takes note of the files that SQLite keeps beside the database, once it
// has opened them.
func (f *files) opened(c *conn) (err error) {
	row, _, err := c.one(&query{"size of a page", "PRAGMA page_size"})
	if err != nil {
		return err
	}
	f.page = row.int(0)
	if f.wal, err = os.OpenFile(f.real+"-wal", os.O_RDONLY|syscall.O_NOFOLLOW, 0); err == nil {
		f.walID, err = identityOf(f.wal)
	}
	if err == nil {
		f.shmID, err = idAt(f.real + "-shm")
	}
	if err != nil {
		return fmt.Errorf("state %s: its write-ahead log: %w", f.path, err)
	}
	f.walSize = f.walID.size
	if err := f.remember(c); err != nil {
		return err
	}
	return f.intact(c)
}

// beginning reads how the database begins.
func (f *files) beginning() (head [100]byte, err error) {
	switch n, err := f.db.ReadAt(head[:], 0); {
	case n == len(head):
		return head, nil
	case err == io.EOF:
		return head, &cutOff{error: f.replaced("its database was emptied")}
	default:
		return head, fmt.Errorf("state %s: its beginning: %w", f.path, err)
	}
}

// remember takes note of how the database begins.
func (f *files) remember(c *conn) (err error) {
	row, ok, err := c.one(countFrames)
	if err == nil && ok {
		f.moved, f.patience = row.int(2), 100
		f.head, err = f.beginning()
	}
	return err
}

// overwritten reports a database that was written to between two transactions by
// another than SQLite: a backup that was copied over it, which leaves the file what
// it is and its content another's. Who moves the log into it says so in the log's
// index, once he has: he is waited for.
func (f *files) overwritten(c *conn, hadLog bool) error {
	head, err := f.beginning()
	if err != nil || head == f.head {
		return err
	}
	for f.patience = max(f.patience, 1); f.patience > 0; f.patience-- {
		row, _, err := c.one(countFrames)
		if err != nil {
			return err
		}
		if frames, moved := row.int(1), row.int(2); moved != f.moved || frames == 0 && hadLog {
			return f.remember(c)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return &cutOff{error: f.replaced("its database was written over")}
}

// intact reports what is wrong with the files before a transaction: an error that
// is state.ErrReplaced, and nothing may be written.
func (f *files) intact(c *conn) error {
	wal, err := f.inPlace()
	if err != nil {
		return err
	}
	hadLog := f.walSize > 0
	if wal.size < f.walSize {
		if err := f.explainShorter(c); err != nil {
			return err
		}
	}
	return f.overwritten(c, hadLog)
}

// kept reports what is wrong with the files after a transaction: then it may be
// gone, and is not to be acknowledged.
func (f *files) kept(c *conn) error {
	wal, err := f.inPlace()
	if err != nil {
		return err
	}
	f.walSize = wal.size
	// A log that was cut off while it was written to has a hole where it began.
	var log [24]byte
	if _, err := f.wal.ReadAt(log[:], 0); err != nil && err != io.EOF {
		return fmt.Errorf("state %s: its write-ahead log: %w", f.path, err)
	}
	if magic := binary.BigEndian.Uint32(log[:]); magic&^1 != walMagic {
		return f.explainShorter(c)
	}
	if salt := [8]byte(log[16:]); salt != f.salt {
		f.salt, f.moved = salt, 0 // it began anew: nothing of it is moved yet
	}
	head, err := f.beginning()
	if err == nil && head != f.head { // the transaction moved the log
		err = f.remember(c)
	}
	return err
}

// walMagic begins a write-ahead log, but for its last bit (the order of bytes in
// its checksums).
const walMagic = 0x377f0682

// inPlace reports whether the open files are those at their paths.
func (f *files) inPlace() (wal fileID, err error) {
	for _, file := range [...]struct {
		what, path string
		id         fileID
	}{
		{"database", f.path, f.dbID},
		{"lock", lockPath(f.path), f.lockID},
		{"index of the write-ahead log", f.real + "-shm", f.shmID},
		{"write-ahead log", f.real + "-wal", f.walID},
	} {
		wal, err = idAt(file.path)
		switch {
		case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ENOTDIR):
			return wal, f.replaced("its " + file.what + " was deleted")
		case err != nil:
			return wal, fmt.Errorf("state %s: its %s: %w", f.path, file.what, err)
		case !wal.same(file.id):
			return wal, f.replaced("another file stands in the place of its " + file.what)
		}
	}
	return wal, nil
}

func (f *files) replaced(how string) error {
	return fmt.Errorf("state %s: %w: %s: restart to go on with what is there now", f.path, state.ErrReplaced, how)
}

// explainShorter tells a write-ahead log that another program moved into the
// database (a backup tool, a sqlite3 shell), which is as it should be, from one
// that was cut off: then it lacks what SQLite knows to be in it.
func (f *files) explainShorter(c *conn) error {
	row, ok, err := c.one(countFrames)
	if err != nil || !ok {
		return err
	}
	wal, err := identityOf(f.wal)
	if err != nil {
		return fmt.Errorf("state %s: its write-ahead log: %w", f.path, err)
	}
	var head [4]byte
	if frames := row.int(1); frames > 0 {
		if _, err := f.wal.ReadAt(head[:], 0); err != nil && err != io.EOF {
			return fmt.Errorf("state %s: its write-ahead log: %w", f.path, err)
		}
		if wal.size < 32+frames*(24+f.page) || binary.BigEndian.Uint32(head[:])&^1 != walMagic {
			return &cutOff{error: f.replaced("its write-ahead log was cut off"), lasting: true}
		}
	}
	f.walSize = wal.size
	return nil
}

// countFrames asks how much SQLite believes to be in the write-ahead log.
var countFrames = &query{"write-ahead log", "PRAGMA wal_checkpoint(NOOP)"}

// cutOff is a log that does not go with its database any more: nothing may be moved
// from the one into the other.
type cutOff struct {
	error
	lasting bool // whatever is found later
}

func (e *cutOff) Unwrap() error { return e.error }

// close lets go of the state. It must come after SQLite closed the database.
func (f *files) close() error {
	var errs []error
	if f.wal != nil {
		errs = append(errs, f.wal.Close())
	}
	return errors.Join(append(errs, f.db.Close())...)
}
