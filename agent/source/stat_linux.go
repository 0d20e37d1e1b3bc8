package source

import (
	"os"
	"syscall"
	"time"
)

// changeTime is when a file, or what is known of it, was last changed: unlike
// the time of modification nobody can set it.
func changeTime(info os.FileInfo) (at time.Time, inode uint64) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(sys.Ctim.Unix()), sys.Ino
	}
	return info.ModTime(), 0
}
