package harness

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Site is one user's configuration directory, with the environment in which
// commands run there.
type Site struct {
	Dir string
	Env map[string]string // all of it: nothing is inherited

	t       testing.TB
	program *Program

	mu      sync.Mutex
	printed bytes.Buffer // all that commands ever printed
}

// NewSite makes a directory with one file main.wb.hcl, and an environment that has
// nothing of ours but what is given.
func NewSite(t testing.TB, program *Program, config string, env map[string]string) *Site {
	t.Helper()
	s := &Site{
		Dir: t.TempDir(), Env: map[string]string{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "NO_COLOR": "1"},
		t: t, program: program,
	}
	maps.Copy(s.Env, env)
	s.Write("main.wb.hcl", config)
	return s
}

// Write puts a file in place in one step, as an editor or a deployment does.
func (s *Site) Write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// Read is the content of a file.
func (s *Site) Read(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.Dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

// Command is a call of the program that is not started yet. It is killed when the
// test ends.
func (s *Site) Command(args ...string) *exec.Cmd {
	c := exec.CommandContext(s.t.Context(), s.program.path, args...)
	if s.program.name != "" {
		c.Args[0] = s.program.name
	}
	c.Dir = s.Dir
	c.WaitDelay = 10 * time.Second
	for name, value := range s.Env {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

// Ran is what one command came to.
type Ran struct {
	Stdout, Stderr string
	Code           int
}

// LastLine is the last line of the standard output.
func (r Ran) LastLine() string {
	lines := strings.Split(strings.TrimRight(r.Stdout, "\n"), "\n")
	return lines[len(lines)-1]
}

// Run runs a command to its end.
func (s *Site) Run(args ...string) Ran {
	s.t.Helper()
	c := s.Command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	code, err := exitCode(c.Run())
	if err != nil {
		s.t.Fatalf("waybill %q: %v", args, err)
	}
	r := Ran{Stdout: stdout.String(), Stderr: stderr.String(), Code: code}
	s.Note(r.Stdout + r.Stderr)
	return r
}

// Must runs a command that has to end with the exit code given.
func (s *Site) Must(code int, args ...string) Ran {
	s.t.Helper()
	r := s.Run(args...)
	if r.Code != code {
		s.t.Fatalf("waybill %q: exit code %d, want %d\n%s%s", args, r.Code, code, r.Stdout, r.Stderr)
	}
	return r
}

// Note adds a text to what was printed, such as an answer of the agent's.
func (s *Site) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printed.WriteString(text)
}

// Printed is all that commands and processes printed here so far.
func (s *Site) Printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printed.String()
}
