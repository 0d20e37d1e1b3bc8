package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// print is what tells one content of a file from another without reading it. Of
// what is not there it is the zero print.
type print struct {
	size     int64
	modified int64
	changed  int64
	inode    uint64
}

// printOf is the print of what a path leads to now.
func printOf(path string) print {
	info, err := os.Stat(path)
	if err != nil {
		return print{}
	}
	at, inode := changeTime(info)
	return print{size: info.Size(), modified: info.ModTime().UnixNano(), changed: at.UnixNano(), inode: inode}
}

// before reports whether the last change lies before a time.
func (p print) before(at time.Time) bool { return p.changed < at.UnixNano() }

// kernelNow is the time of the clock that stamps files, which is not that of a
// test which made one of its own.
func kernelNow() time.Time {
	var tv syscall.Timeval
	if err := syscall.Gettimeofday(&tv); err != nil {
		return time.Time{} // then everything counts as changed later
	}
	return time.Unix(tv.Unix())
}

// maxLinks is how many symbolic links one path may lead through.
const maxLinks = 40

// changedSince reports whether something on the way from a directory to a path
// has changed after a time: the file itself, a folder, or a symbolic link that
// may lead elsewhere now. Of the directory itself only its being a link counts,
// for the state is kept there, too.
func changedSince(dir, path string, at time.Time) bool {
	rel, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		rel, dir = strings.TrimPrefix(path, "/"), "/"
	}
	rest := []string{}
	if rel != "." {
		rest = strings.Split(rel, string(filepath.Separator))
	}
	inside := false // what is on the way is below dir
	for links := 0; ; {
		info, err := os.Lstat(dir)
		if err != nil {
			above, aboveErr := os.Stat(filepath.Dir(dir)) // it may have been there
			if aboveErr != nil || !errors.Is(err, fs.ErrNotExist) {
				return true
			}
			changed, _ := changeTime(above)
			return changed.After(at)
		}
		changed, _ := changeTime(info)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			if changed.After(at) {
				return true
			}
			target, err := os.Readlink(dir)
			if links++; err != nil || links > maxLinks {
				return true
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(dir), target)
			}
			dir = target
			continue
		case inside && changed.After(at):
			return true
		case len(rest) == 0:
			return false
		}
		dir, rest, inside = filepath.Join(dir, rest[0]), rest[1:], true
	}
}
