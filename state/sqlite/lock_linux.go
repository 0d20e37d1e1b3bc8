package sqlite

import (
	"os"
	"syscall"
)

// lockDatabase locks the database file itself. On Linux a flock and the locks that
// SQLite takes (fcntl) do not see each other.
func lockDatabase(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
