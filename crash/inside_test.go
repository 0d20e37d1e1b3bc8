package crash

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/oracle"
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

// inside is a world in this process, in a bubble of testing/synctest: vendors, a
// network in memory and a real SQLite file.
type inside struct {
	t       *testing.T
	dir     string
	path    string
	vendors *sandbox.Server
	net     *network
	limits  oracle.Limits
}

const small = `
provider "globfax" {
  endpoint   = "@globfax"
  api_key    = "sandbox-globfax-key"
  api_secret = "sandbox-globfax-not-a-secret"
}

provider "ucloud" {
  endpoint    = "@ucloud"
  public_key  = "sandbox-ucloud-public-key"
  private_key = "sandbox-ucloud-not-a-private-key"
}

provider "nxcloud" {
  callback {
    tokens = ["sandbox-nxcloud-not-a-token"]
  }
}

resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"
}

resource "ucloud_usms_report_pull" "main" {
  limit = 2
}

resource "ucloud_usms_message" "promo" {
  session_no = "s1"
  expected   = 3
  expect "delivered" {
    condition     = self.received == 3
    error_message = "not all"
  }
}

resource "nxcloud_number_check" "batch" {
  batch_no = "b1"
  expected = 2
}

output "received" {
  value = ucloud_usms_message.promo.received
}
`

// memoryDir is a directory whose fsync costs nothing, where there is one: what
// is on its disk is not this test's question.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "waybill-crash-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newInside(t *testing.T) *inside {
	t.Helper()
	w := &inside{t: t, dir: memoryDir(t), net: &network{}}
	w.path = filepath.Join(w.dir, "waybill.db")
	w.vendors = sandbox.New(sandbox.Options{CallbackClient: w.net.client()})
	for _, err := range []error{
		os.WriteFile(filepath.Join(w.dir, "main.wb.hcl"), []byte(endpoints(small, w.vendors.Endpoints())), 0o600),
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: -1}),
		w.vendors.AddSend(sandbox.Send{SessionNo: "s1", Count: 3, SettleAfter: -1}),
		w.vendors.AddBatch(sandbox.Batch{BatchNo: "b1", Count: 2, Failures: 1, SettleAfter: -1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.limits.Pace = map[sandbox.Vendor]oracle.Pace{sandbox.GlobFax: {Floor: 30 * time.Second}}
	return w
}

func (w *inside) runner() *agent.Runner {
	return &agent.Runner{
		Vendors: []*providers.Definition{globfax.Definition(), itniotech.Definition(), ucloud.Definition(), nxcloud.Definition()},
		Now:     time.Now, Log: slog.New(slog.DiscardHandler), Transport: w.vendors.Transport(), Revision: "r1", Version: "test",
	}
}

func (w *inside) load(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) {
	var schemas []*plan.Schema
	for _, v := range w.runner().Vendors {
		schemas = append(schemas, v.Schema)
	}
	return hclspec.Load(hclspec.Options{Dir: s.Dir(), Files: s, Schemas: schemas, Environ: func(string) (string, bool) { return "", false }})
}

func (w *inside) open(fault func(string) error) (*sqlite.Store, error) {
	return sqlite.Open(w.path, state.Owner{PID: os.Getpid(), Command: "test"}, sqlite.Options{Fault: fault})
}

// apply applies once; its errors are those of opening and closing the state too.
func (w *inside) apply(fault func(string) error) error {
	w.t.Helper()
	store, err := w.open(fault)
	if err != nil {
		return err
	}
	config, diags := w.load(source.Take(w.dir))
	if diags.HasErrors() {
		w.t.Fatal(diags)
	}
	opts := agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}
	_, diags, err = w.runner().Apply(context.Background(), config, store, opts, func(*agent.Result) (bool, error) { return true, nil })
	if diags.HasErrors() {
		err = errors.Join(err, diags)
	}
	return errors.Join(err, store.Close())
}

// agent runs an agent for a while and ends it.
func (w *inside) agent(fault func(string) error, lasting time.Duration) error {
	w.t.Helper()
	store, err := w.open(fault)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lasting)
	defer cancel()
	var pushing sync.WaitGroup
	pushing.Go(func() { w.vendors.Run(ctx) })
	err = w.runner().RunAgent(ctx, store, agent.AgentOptions{
		Source: source.NewDirectory(w.dir, slog.New(slog.DiscardHandler), true), Load: w.load, Dir: w.dir, StatePath: w.path, Listen: w.net.listen,
		Settings: hclspec.Settings{
			BackendPath: "waybill.db", Admin: hclspec.Listener{Listen: "127.0.0.1:8480"}, Receiver: hclspec.Listener{Listen: receiverAddress},
		},
		Listening: func(_, _ net.Addr) {
			settings := w.vendors.Settings()
			settings.CallbackURL = "http://" + receiverAddress + "/callbacks/nxcloud/sandbox-nxcloud-not-a-token"
			if err := w.vendors.Set(settings); err != nil {
				w.t.Error(err)
			}
		},
	})
	cancel()
	pushing.Wait()
	return errors.Join(err, store.Close())
}

const receiverAddress = "127.0.0.1:8481"

// network is one in memory, so that a bubble's clock goes on while servers wait.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
}

type listener struct {
	address string
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

// end is one end of a connection, with the addresses that a server asks for.
type end struct{ net.Conn }

func (end) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

func (n *network) listen(_, address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = make(map[string]*listener)
	}
	n.listeners[address] = l
	return l, nil
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- end{theirs}:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8481} }
