package functions

import (
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Files is what functions see of the file system. Paths are as the user wrote
// them, relative to the configuration directory; one that leaves it is an
// error. The errors are sentences for the user that name the path.
type Files interface {
	// Abs is the absolute path of what a path names, with forward slashes. The
	// file need not exist, and may lie anywhere.
	Abs(path string) string
	// Read gives the content of a regular file.
	Read(path string) ([]byte, error)
	// Exists reports whether a regular file is there; anything else at that path
	// is an error.
	Exists(path string) (bool, error)
	// Match lists the regular files below a directory whose path relative to it
	// matches a pattern, in which ** stands for any folders.
	Match(dir, pattern string) ([]string, error)
}

// Env is what functions see of the process.
type Env interface {
	// Lookup is an environment variable's text, as os.LookupEnv gives it.
	Lookup(name string) (text string, set bool)
	// Loaded is when the configuration was loaded: the time of timestamp and
	// plantimestamp.
	Loaded() time.Time
	// Stopped is why evaluation must end now, as context.Context's Err gives it;
	// nil while it goes on.
	Stopped() error
	// Offline reports whether a variable that is not set is unknown instead of a
	// mistake.
	Offline() bool
	// Secret is told each secret that env hands out, its default included, so that
	// nothing repeats one.
	Secret(value cty.Value)
}

// Sensitive is the mark of values that must never leave the program.
const Sensitive = mark("sensitive")

type mark string

// GoString keeps the mark readable in test failures.
func (m mark) GoString() string { return string(m) }
