package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/waybill-dev/waybill/state"
)

// The lock is a flock on a file beside the database: the kernel lets go of it
// when its owner dies, however it dies. The file's content says who that is; it
// stays when the lock is released, for removing a locked file is a race. Whoever
// removes it all the same lets nobody in: the database file is locked too.

// lockPath is where the lock of a database is.
func lockPath(path string) string { return path + ".lock" }

// takeLock takes the writer's lock, or returns a *state.LockedError.
func takeLock(path string, owner state.Owner) (*os.File, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(owner)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("owner of state %s: %w", path, err)
	}
	return f, nil
}

// openLock opens the lock file and takes its flock. A file that was removed in
// between is no lock any more, and the next one is tried.
func openLock(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(lockPath(path), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("lock of state %s: %w: make its directory, or give the sqlite backend another path", path, err)
		case errors.Is(err, syscall.ELOOP):
			return nil, notOurLock(path, "it is a symbolic link")
		case err != nil:
			return nil, &trouble{fmt.Sprintf("lock of state %s: %v: see to it that this user may write in its directory", path, err), state.ErrDenied, err}
		}
		opened, err := identityOf(f)
		if err == nil && !opened.plain {
			err = notOurLock(path, "it is no ordinary file")
		}
		if err == nil {
			err = holdLock(f, path)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if there, err := idAt(lockPath(path)); err == nil && there.same(opened) {
			return f, nil
		}
		f.Close()
	}
}

// notOurLock refuses to write to whatever stands where the lock belongs.
func notOurLock(path, why string) error {
	text := fmt.Sprintf("lock of state %s: %s: %s: nothing is written through it; remove it if it is not yours", path, lockPath(path), why)
	return &trouble{text, state.ErrDenied, errors.New(why)}
}

// holdLock takes the flock. Somebody who only looks (ReadOwner) holds it for
// some microseconds: that is no owner, and is waited for.
func holdLock(f *os.File, path string) error {
	var owner state.Owner
	for range 20 {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock of state %s: %w", path, err)
		}
		if owner, err = ownerIn(f); err == nil && alive(owner) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return &state.LockedError{Path: path, Owner: owner}
}

// dropLock releases the lock and says that nobody holds it.
func dropLock(f *os.File) error {
	err := f.Truncate(0)
	return errors.Join(err, f.Close())
}

// ReadOwner tells who holds a state for writing: nil when nobody does.
func ReadOwner(path string) (*state.Owner, error) {
	f, err := os.OpenFile(lockPath(path), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("owner of state %s: %w", path, err)
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return nil, nil // nobody; closing the file lets go
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("owner of state %s: %w", path, err)
	}
	owner, err := ownerIn(f)
	if err != nil {
		return nil, fmt.Errorf("owner of state %s: %w", path, err)
	}
	return &owner, nil
}

// ownerIn reads the owner from a lock file.
func ownerIn(f *os.File) (state.Owner, error) {
	var owner state.Owner
	text := make([]byte, 4096)
	n, _ := f.ReadAt(text, 0) // the end of the file is no trouble
	if n == 0 {
		return owner, errors.New("its lock file is empty")
	}
	return owner, json.Unmarshal(text[:n], &owner)
}

// alive reports whether the owner may still run; of another host nobody can tell.
func alive(owner state.Owner) bool {
	if host, err := os.Hostname(); err != nil || host != owner.Host {
		return true
	}
	err := syscall.Kill(owner.PID, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
