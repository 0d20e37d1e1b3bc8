package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/durable"
)

// A backup that is put in the place of a state whose writer died, or still runs, finds
// that writer's log beside it. SQLite takes the log for the database's own and lays
// its pages over the backup's: what comes of it is damaged, or lacks what the log does
// not have and tells nobody. But a database has a log only after it was told to keep
// one, which is the first thing its writer does and stands at the database's
// beginning; in a backup, and in a new file, it does not stand there.

// strangeLog reports whether the log beside a database is another database's.
func strangeLog(real string) (bool, error) {
	log, err := idAt(real + "-wal")
	if errors.Is(err, fs.ErrNotExist) || err == nil && log.size == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("state %s: its write-ahead log: %w", real, err)
	}
	f, err := os.Open(real)
	if err != nil {
		return false, fmt.Errorf("state %s: %w", real, err)
	}
	defer f.Close()
	var head [20]byte
	switch n, err := f.ReadAt(head[:], 0); {
	case err == io.EOF && n == 0:
		return true, nil // a new file
	case err == io.EOF:
		return false, nil // no database: told when it is opened
	case err != nil:
		return false, fmt.Errorf("state %s: its beginning: %w", real, err)
	}
	const keepsLog = 2 // the format's version for writing and for reading
	return string(head[:16]) == "SQLite format 3\x00" && (head[18] != keepsLog || head[19] != keepsLog), nil
}

// setStrangeLogAside renames a log that is another database's, which may be the only
// place where what it holds still is. The caller holds the lock.
func setStrangeLogAside(real string, now time.Time, log *slog.Logger) error {
	strange, err := strangeLog(real)
	if err != nil || !strange {
		return err
	}
	aside := real + "-wal." + now.UTC().Format("20060102T150405.000000000Z")
	err = os.Rename(real+"-wal", aside)
	if err == nil {
		if err = os.Remove(real + "-shm"); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(real))
	}
	if err != nil {
		return fmt.Errorf("state %s: the write-ahead log beside it is another database's, and must go before this one is opened: %w", real, err)
	}
	log.Warn("the write-ahead log beside the state was another database's (a backup was put in its place?), and is kept", "state", real, "log", aside)
	return nil
}
