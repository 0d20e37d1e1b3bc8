//go:build !linux

package sqlite

import "os"

// lockDatabase does nothing: elsewhere a flock would keep SQLite itself out.
func lockDatabase(*os.File) error { return nil }
