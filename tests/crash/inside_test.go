package crash

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/harness"
	"github.com/waybill-dev/waybill/tests/oracle"
)

// inside is a world in this process, in a bubble of testing/synctest: vendors, a
// network in memory and a real SQLite file.
type inside struct {
	t       *testing.T
	dir     string
	path    string
	vendors *sandbox.Server
	net     harness.Network
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
	w := &inside{t: t, dir: memoryDir(t)}
	w.path = filepath.Join(w.dir, "waybill.db")
	w.vendors = sandbox.New(sandbox.Options{CallbackClient: w.net.Client()})
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
		Vendors: harness.Catalog(),
		Now:     time.Now, Log: slog.New(slog.DiscardHandler), Transport: w.vendors.Transport(), Revision: "r1", Version: "test",
	}
}

func (w *inside) load(s *source.Snapshot) (*hclspec.Root, hcl.Diagnostics) {
	return harness.Load(s, nil)
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
	_, diags, err = w.runner().Apply(context.Background(), config, store, opts, func(*plan.Result) (bool, error) { return true, nil })
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
		Source: source.NewDirectory(w.dir, slog.New(slog.DiscardHandler), true), Load: w.load, Dir: w.dir, StatePath: w.path, Listen: w.net.Listen,
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
