// Package harness is the one way in which tests start Waybill and play the world
// around it: the program as a process in a directory of its own, the four vendors
// at the other end of real HTTP, one configuration that reaches them, and a
// network in memory for tests that run in a bubble of testing/synctest.
//
// It is for tests only and may touch anything. It judges nothing: package oracle
// does, and the tests themselves.
package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Patience is how long a test waits for something that must happen. It bounds
// failures only: no test asserts how long anything took.
const Patience = 40 * time.Second

// again is how long a test waits before it looks at another process again.
const again = 25 * time.Millisecond

// Program is an executable of Waybill.
type Program struct {
	path string
	name string // argv[0]; empty: the path
	tags []string
}

// Compiled is the program compiled from the sources, with build tags. Main
// compiles it.
func Compiled(tags ...string) *Program { return &Program{tags: tags} }

// Self is the test's own binary, for packages whose TestMain makes it Waybill when
// it is called by that name. It costs no compilation.
func Self(t testing.TB) *Program {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Program{path: path, name: "waybill"}
}

// Main compiles the program, runs a package's tests and removes the program. It
// returns the exit code for TestMain. Compiling comes first, so that no test's
// clock runs meanwhile.
func (p *Program) Main(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "waybill-program-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	p.path = filepath.Join(dir, "waybill")
	build := exec.Command("go", "build", "-tags", strings.Join(p.tags, ","), "-o", p.path, "github.com/waybill-dev/waybill")
	if out, err := build.CombinedOutput(); err != nil {
		return complain(fmt.Errorf("go build: %w\n%s", err, out))
	}
	return m.Run()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "harness:", err)
	return 1
}

// Path is where the executable is.
func (p *Program) Path() string { return p.path }

// exitCode is how a command ended: 0, or what it exited with.
func exitCode(err error) (int, error) {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
