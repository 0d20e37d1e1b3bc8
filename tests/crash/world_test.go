package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/harness"
	"github.com/waybill-dev/waybill/tests/oracle"
)

const (
	reports   = 30 // that UCloud keeps for us
	page      = 10
	callbacks = 20
)

// world is four vendors, a configuration, and the state that one test owns.
type world struct {
	*harness.Site
	t       *testing.T
	path    string // of the state
	vendors *sandbox.Server

	mu     sync.Mutex
	limits oracle.Limits
	ahead  time.Duration // of the vendors' clock before the program's
	told   bool          // that the agent was told to end
	dead   bool          // that the program died without a chance to record
}

const config = harness.FourVendors + `
resource "globfax_recipient" "fax" {
  for_each = toset(["rcpt_1", "rcpt_2"])
  rcpt_ref = each.value
  poll {
    interval     = "100ms"
    max_interval = "200ms"
  }
}

resource "itniotech_otp_order" "login" {
  order_id = "1234566"
  poll {
    interval     = "100ms"
    max_interval = "200ms"
  }
}

resource "ucloud_usms_report_pull" "main" {
  interval = "100ms"
  limit    = 10
}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
  expected   = 30
}

resource "nxcloud_number_check" "batch" {
  batch_no = "901946960376"
  expected = 20
}

output "faxes" {
  value = length(globfax_recipient.fax)
}
`

func newWorld(t *testing.T) *world {
	t.Helper()
	server, env := harness.Vendors(t, sandbox.Options{})
	env["WAYBILL_VAR_min_interval"] = "50ms"
	w := &world{Site: harness.NewSite(t, program, config, env), t: t, vendors: server}
	w.path = filepath.Join(w.Dir, "waybill.db")
	w.limits.Timeout = 5 * time.Second
	w.limits.Pace = map[sandbox.Vendor]oracle.Pace{
		sandbox.GlobFax:   {Floor: 50 * time.Millisecond},
		sandbox.Itniotech: {Floor: 50 * time.Millisecond},
	}
	return w
}

// send lets the vendors have everything that the configuration declares.
func (w *world) send() {
	w.t.Helper()
	soon := sandbox.Duration(300 * time.Millisecond)
	for _, err := range []error{
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: soon}),
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_2", Status: "failed", SettleAfter: soon}),
		w.vendors.AddOrder(sandbox.Order{ID: "1234566", Outcome: "verified", SettleAfter: soon}),
		w.vendors.AddSend(sandbox.Send{SessionNo: "d0aa6c6e", Project: "org-34", Count: reports, SettleAfter: -1}),
		w.vendors.AddBatch(sandbox.Batch{BatchNo: "901946960376", Count: callbacks, Failures: 3, SettleAfter: -1}),
	} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) fault(f sandbox.Fault) {
	w.t.Helper()
	if _, err := w.vendors.AddFault(f); err != nil {
		w.t.Fatal(err)
	}
}

// died notes that the program had no chance to record what was under way.
func (w *world) died() {
	w.dead = true
	w.limits.Kills = append(w.limits.Kills, w.vendors.Now())
}

// receiver tells NXCLOUD where the callbacks go.
func (w *world) receiver(address string) {
	w.t.Helper()
	settings := w.vendors.Settings()
	settings.CallbackURL = "http://" + address + "/callbacks/nxcloud/" + w.vendors.Credentials().NXCloudToken
	if err := w.vendors.Set(settings); err != nil {
		w.t.Fatal(err)
	}
}

// aMinuteLater lets NXCLOUD try again what nobody took.
func (w *world) aMinuteLater() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vendors.Advance(time.Minute)
	w.ahead += time.Minute
	w.limits.Jumps = append(w.limits.Jumps, oracle.Jump{At: w.vendors.Now(), Offset: -w.ahead})
}

func (w *world) reader() *sqlite.Reader {
	w.t.Helper()
	reader, err := sqlite.OpenReader(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	return reader
}

// unfinished says what has not come to its end: at the vendors, then in the state.
func (w *world) unfinished() string {
	a := w.vendors.Account()
	if a.Reports.Waiting+a.Reports.Coming+a.Callbacks.Pending > 0 {
		return fmt.Sprintf("%d reports wait, %d are coming, %d callbacks are pending", a.Reports.Waiting, a.Reports.Coming, a.Callbacks.Pending)
	}
	reader, err := sqlite.OpenReader(w.path)
	if err != nil {
		return err.Error()
	}
	defer reader.Close()
	lost := int64(0)
	windows, err := reader.LossWindows(context.Background())
	if err != nil {
		return err.Error()
	}
	for i := range windows {
		lost += max(windows[i].Bound, 0)
	}
	for item, err := range reader.Items(context.Background(), state.ItemFilter{Unsettled: true}) {
		if err != nil {
			return err.Error()
		}
		if item.Address.Type() == "ucloud_usms_message" && lost > 0 || item.Address.Type() == "ucloud_usms_report_pull" {
			continue // it waits for what is lost; it never settles
		}
		return item.Address.String() + " is not settled"
	}
	ids, err := reader.Unfolded(context.Background(), 1)
	if err != nil || len(ids) > 0 {
		return fmt.Sprintf("records are not counted: %v %v", ids, err)
	}
	return ""
}

// holds compares vendors and state, and counts the loss windows.
func (w *world) holds(least, most int) {
	w.t.Helper()
	for _, complaint := range w.complaints(least, most) {
		w.t.Error(complaint)
	}
}

// complaints are what the oracle finds wrong, and what stands beside the database
// that should be gone.
func (w *world) complaints(least, most int) []string {
	w.t.Helper()
	reader := w.reader()
	defer reader.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	report, err := oracle.Check(context.Background(), w.vendors.Account(), reader, w.limits)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	if !report.OK() {
		all = append(all, report.String())
	}
	pulls := 0
	found, err := reader.LossWindows(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range found {
		if found[i].Cause == plan.LossPull {
			pulls++
		}
	}
	if pulls < least || pulls > most {
		all = append(all, fmt.Sprintf("%d loss windows, want %d to %d: %+v", pulls, least, most, found))
	}
	left, err := os.ReadDir(w.path + ".spill")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	if len(left) > 0 {
		all = append(all, fmt.Sprintf("%d spill files are left", len(left)))
	}
	return all
}
