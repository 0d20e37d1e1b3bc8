// Package durable writes files that outlive a power cut: a file is whole or not
// there, and its name is on the disk with it. It touches the paths that it is given.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/failpoint"
)

// Partial is the end of the name of a file that is being written. After a death
// it holds as much as was written by then.
const Partial = ".tmp"

// Write writes a 0600 file whole or not at all: to a temporary name, fsync,
// rename, fsync of the directory.
func Write(name string, content []byte) error {
	f, err := os.OpenFile(name+Partial, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	failpoint.Hit(failpoint.FileWritten)
	if !failpoint.Weakened(failpoint.FileSync) {
		err = errors.Join(err, f.Sync())
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name+Partial))
	}
	failpoint.Hit(failpoint.FileSynced)
	if err := os.Rename(name+Partial, name); err != nil {
		return err
	}
	failpoint.Hit(failpoint.FileRenamed)
	return SyncDir(filepath.Dir(name))
}

// Replace writes a 0600 file so that after a death, or a power cut, either the old
// or the new content is there, whole.
func Replace(name string, content []byte) error {
	f, err := os.OpenFile(name+Partial, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(name+Partial, name)
	}
	return err
}

// MakeDir makes a 0700 directory, if it is not there, and its name
// durable: a synced file in a directory that a power cut takes away is lost too.
func MakeDir(name string) error {
	err := os.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = MakeDir(filepath.Dir(name)); err == nil {
			err = os.Mkdir(name, 0o700)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(filepath.Dir(name)) // it may be there, and its name not synced
}

// SyncDir makes the names in a directory durable.
func SyncDir(name string) error {
	if failpoint.Weakened(failpoint.DirSync) {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
