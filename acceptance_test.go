package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// The acceptance tests drive the real binary as a user does: a directory, an
// environment, commands, and vendors at the other end of real HTTP.

// patience is how long a test waits for something that must happen.
const patience = 20 * time.Second

// build compiles the program once for all tests of this package.
var build = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-o", binaryPath(), ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binaryPath(), nil
})

func binaryPath() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("waybill-acceptance-%d", os.Getpid()))
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.Remove(binaryPath()) // not there when no test needed it
	os.Exit(code)
}

// site is one user's configuration directory with its environment.
type site struct {
	t    *testing.T
	path string // of the program
	dir  string
	env  map[string]string

	mu      sync.Mutex
	printed bytes.Buffer // all that commands and agents ever printed
}

// newSite makes a directory with one file main.wb.hcl, and an environment that
// has nothing of ours but what is given.
func newSite(t *testing.T, config string, env map[string]string) *site {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, path: path, dir: t.TempDir(), env: map[string]string{"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "NO_COLOR": "1"}}
	maps.Copy(s.env, env)
	s.write("main.wb.hcl", config)
	return s
}

// write puts a file in place in one step, as an editor or a deployment does.
func (s *site) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
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

func (s *site) command(args ...string) *exec.Cmd {
	c := exec.CommandContext(s.t.Context(), s.path, args...)
	c.Dir = s.dir
	c.WaitDelay = 10 * time.Second
	for name, value := range s.env {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

// ran is what one command came to.
type ran struct {
	stdout, stderr string
	code           int
}

// lastLine is the last line of the standard output.
func (r ran) lastLine() string {
	lines := strings.Split(strings.TrimRight(r.stdout, "\n"), "\n")
	return lines[len(lines)-1]
}

func (s *site) run(args ...string) ran {
	s.t.Helper()
	c := s.command(args...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	r := ran{stdout: stdout.String(), stderr: stderr.String()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.code = exit.ExitCode()
	} else if err != nil {
		s.t.Fatalf("waybill %q: %v", args, err)
	}
	s.note(r.stdout + r.stderr)
	return r
}

// must runs a command that has to end with the exit code given.
func (s *site) must(code int, args ...string) ran {
	s.t.Helper()
	r := s.run(args...)
	if r.code != code {
		s.t.Fatalf("waybill %q: exit code %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return r
}

func (s *site) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printed.WriteString(text)
}

// values are the arguments and attributes of one tracked item.
func (s *site) values(address string) map[string]any {
	s.t.Helper()
	var shown struct {
		Resource struct {
			Address string
			Values  map[string]any
		}
	}
	decode(s.t, s.must(0, "state", "show", "-json", address).stdout, &shown)
	resource := shown.Resource
	if resource.Address != address {
		s.t.Fatalf("state show -json %s is about %s", address, resource.Address)
	}
	return resource.Values
}

// record is a line of records -json.
type record struct {
	ID, Type, Key string
	Address       *string
	Status        string
	Conflict      bool
	ReceivedAt    string `json:"received_at"`
	Outcome       string
	Attributes    map[string]any
	RawID         string `json:"raw_id"`
}

func (s *site) records(args ...string) []record {
	s.t.Helper()
	return lines[record](s.t, s.must(0, append([]string{"records", "-json"}, args...)...).stdout)
}

// event is a line of history -json.
type event struct {
	Seq      int64
	At       string
	Address  string
	Action   string
	Revision string
	Changes  []struct {
		Path          string
		Before, After any
	}
	RawID *string `json:"raw_id"`
}

// after is what an attribute became in the event; nil when it did not change.
func (e event) after(path string) any {
	for _, c := range e.Changes {
		if c.Path == path {
			return c.After
		}
	}
	return nil
}

func (s *site) history(args ...string) []event {
	s.t.Helper()
	return lines[event](s.t, s.must(0, append([]string{"history", "-json"}, args...)...).stdout)
}

// actions are the actions of events, in their order.
func actions(events []event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Action)
	}
	return all
}

// lines decodes one JSON object a line.
func lines[T any](t *testing.T, text string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(text) {
		var v T
		decode(t, line, &v)
		all = append(all, v)
	}
	return all
}

// decode keeps numbers as they were written.
func decode(t *testing.T, text string, to any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		t.Fatalf("%v in %.300s", err, text)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("there is more than one JSON value in %.300s", text)
	}
}

// eventually waits until a condition holds, which says what is still wrong.
func eventually(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		wrong := check()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %s", patience, wrong)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// wants fails the test for each attribute that is not as told; numbers are
// compared as they are written.
func wants(t *testing.T, what string, got map[string]any, want map[string]any) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if text(got[name]) != text(want[name]) {
			t.Errorf("%s: %s is %s, want %s", what, name, text(got[name]), text(want[name]))
		}
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// says fails the test for each of several texts that is missing.
func says(t *testing.T, what, in string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(in, part) {
			t.Errorf("%s does not say %q:\n%s", what, part, in)
		}
	}
}

// vendors starts the four vendors in this process, and returns them with the
// environment that leads there: every credential, and the endpoints as variables.
func vendors(t *testing.T, o sandbox.Options) (*sandbox.Server, map[string]string) {
	t.Helper()
	if _, err := build(); err != nil { // before the vendors' clock begins to run
		t.Fatal(err)
	}
	if o.Speed == (sandbox.Speed{}) {
		o.Speed = sandbox.Speed{Earliest: time.Millisecond, Latest: 2 * time.Millisecond}
	}
	server := sandbox.New(o)
	if _, err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var pushing sync.WaitGroup
	pushing.Go(func() { server.Run(t.Context()) })
	t.Cleanup(func() {
		pushing.Wait() // the test's context has ended
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, reach(sandbox.Access{Env: server.Credentials().Env(), Endpoints: server.Endpoints()})
}

// reach is the environment with which configurations of these tests reach vendors.
func reach(a sandbox.Access) map[string]string {
	env := maps.Clone(a.Env)
	env["WAYBILL_VAR_globfax"] = a.Endpoints.GlobFax
	env["WAYBILL_VAR_itniotech"] = a.Endpoints.Itniotech
	env["WAYBILL_VAR_ucloud"] = a.Endpoints.UCloud
	return env
}

// fourProviders leads to the vendors of the environment, and lets items be read
// as often as a test wants.
const fourProviders = `
variable "globfax" {}
variable "itniotech" {}
variable "ucloud" {}

agent {
  admin {
    listen = "127.0.0.1:0"
  }
  receiver {
    listen = "127.0.0.1:0"
  }
}

provider "globfax" {
  endpoint     = var.globfax
  min_interval = "100ms"
}

provider "itniotech" {
  endpoint     = var.itniotech
  app_id       = "ad454212"
  min_interval = "100ms"
}

provider "ucloud" {
  endpoint   = var.ucloud
  project_id = "org-34"
}

provider "nxcloud" {
  callback {
    tokens = [env("NXCLOUD_CALLBACK_TOKEN")]
  }
}
`

// jsonNumber is a number as JSON writes it.
func jsonNumber(s string) json.Number { return json.Number(s) }
