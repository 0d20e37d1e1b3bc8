package agent_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/globfax"
	"github.com/waybill-dev/waybill/providers/itniotech"
	"github.com/waybill-dev/waybill/providers/nxcloud"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/providers/ucloud"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

// world is a configuration directory, a state and a sandbox that one test owns.
type world struct {
	t       *testing.T
	dir     string
	path    string
	clock   *clock
	vendors *sandbox.Server
	runner  *agent.Runner
	fault   func(op string) error // of the database; may be nil
}

func definitions() []*providers.Definition {
	return []*providers.Definition{globfax.Definition(), itniotech.Definition(), ucloud.Definition(), nxcloud.Definition()}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: &clock{at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}}
	w.path = filepath.Join(w.dir, "waybill.db")
	w.vendors = sandbox.New(sandbox.Options{Now: w.clock.now, Seed: 7})
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	w.runner = &agent.Runner{
		Vendors: definitions(), Now: w.clock.now, Log: log, Transport: w.vendors.Transport(), Revision: "r1", Version: "test",
	}
	return w
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// write puts a configuration file into the directory.
func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// providersText configures all four vendors at the sandbox.
func (w *world) providersText() string {
	e, c := w.vendors.Endpoints(), w.vendors.Credentials()
	return `
provider "globfax" {
  endpoint   = "` + e.GlobFax + `"
  api_key    = "` + c.GlobFaxKey + `"
  api_secret = "` + c.GlobFaxSecret + `"
}
provider "itniotech" {
  endpoint   = "` + e.Itniotech + `"
  api_key    = "` + c.ItniotechKey + `"
  api_secret = "` + c.ItniotechSecret + `"
}
provider "ucloud" {
  endpoint    = "` + e.UCloud + `"
  public_key  = "` + c.UCloudPublicKey + `"
  private_key = "` + c.UCloudPrivateKey + `"
}
provider "nxcloud" {
  callback {
    tokens = ["` + c.NXCloudToken + `"]
  }
}
`
}

func (w *world) load() (*hclspec.Root, hcl.Diagnostics) { return w.loadFrom(source.Take(w.dir)) }

func (w *world) loadFrom(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) {
	return w.loadWith(s, func(string) (string, bool) { return "", false })
}

func (w *world) loadWith(s *source.Snapshot, environ func(string) (string, bool)) (*hclspec.Root, hcl.Diagnostics) {
	var schemas []*plan.Schema
	for _, d := range w.runner.Vendors {
		schemas = append(schemas, d.Schema)
	}
	return hclspec.Load(hclspec.Options{Dir: s.Dir(), Files: s, Schemas: schemas, Environ: environ})
}

func (w *world) config() *hclspec.Root {
	w.t.Helper()
	config, diags := w.load()
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	return config
}

func (w *world) open() *sqlite.Store {
	w.t.Helper()
	store, err := sqlite.Open(w.path, state.Owner{PID: os.Getpid(), Command: "test"}, sqlite.Options{Fault: w.fault})
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

// apply applies without asking.
func (w *world) apply() *plan.Result {
	w.t.Helper()
	store := w.open()
	defer store.Close()
	opts := agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}
	result, diags, err := w.runner.Apply(context.Background(), w.config(), store, opts, func(*plan.Result) (bool, error) { return true, nil })
	if err != nil || diags.HasErrors() {
		w.t.Fatal(err, diags)
	}
	return result
}

// plan plans beside whatever there is.
func (w *world) plan() *plan.Result {
	w.t.Helper()
	reader, err := sqlite.OpenReader(w.path)
	var r state.Reader
	if err == nil {
		defer reader.Close()
		r = reader
	}
	result, diags, err := w.runner.Plan(context.Background(), w.config(), r, agent.PassOptions{Refresh: true, StatePath: w.path})
	if err != nil || diags.HasErrors() {
		w.t.Fatal(err, diags)
	}
	return result
}

// planDiagnostics are those of a plan that reads no vendor.
func (w *world) planDiagnostics() hcl.Diagnostics {
	w.t.Helper()
	reader := w.reader()
	defer reader.Close()
	_, diags, err := w.runner.Plan(context.Background(), w.config(), reader, agent.PassOptions{StatePath: w.path})
	if err != nil {
		w.t.Fatal(err)
	}
	return diags
}

// item reads one tracked item's values as JSON.
func (w *world) item(address string) *plan.Item {
	w.t.Helper()
	reader, err := sqlite.OpenReader(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer reader.Close()
	a, err := plan.ParseAddress(address)
	if err != nil {
		w.t.Fatal(err)
	}
	item, err := reader.Item(context.Background(), a)
	if err != nil {
		w.t.Fatalf("%s: %v", address, err)
	}
	return item
}

func (w *world) reader() *sqlite.Reader {
	w.t.Helper()
	reader, err := sqlite.OpenReader(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	return reader
}

// breakAfter calls then once an answer has come back.
type breakAfter struct {
	http.RoundTripper
	then func()
}

func (b breakAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	b.then()
	return response, err
}

// lines is a log that a test looks into.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, string(b))
	return len(b), nil
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

// with are the lines that hold a text.
func (l *lines) with(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.list {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
