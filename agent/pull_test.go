package agent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// queueWorld has one policy, one message of n reports, all waiting at the vendor.
func queueWorld(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+fmt.Sprintf(`
resource "ucloud_usms_report_pull" "main" {
  limit = 50
}
resource "ucloud_usms_message" "promo" {
  session_no = "s1"
  expected   = %d
}
`, n))
	if err := w.vendors.AddSend(sandbox.Send{SessionNo: "s1", Count: n, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) losses() []plan.LossWindow {
	w.t.Helper()
	reader := w.reader()
	defer reader.Close()
	windows, err := reader.LossWindows(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return windows
}

func (w *world) stored() int {
	w.t.Helper()
	reader := w.reader()
	defer reader.Close()
	n := 0
	for _, err := range reader.Records(context.Background(), state.RecordFilter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		n++
	}
	return n
}

// Rule 3 of "What is never lost", fault by fault: when a loss window is recorded,
// and how many it bounds.
func TestLossWindows(t *testing.T) {
	fraction := func(f float64) sandbox.Fault { return sandbox.Fault{Kind: sandbox.Truncate, Fraction: f} }
	for _, c := range []struct {
		name    string
		fault   sandbox.Fault
		windows int
	}{
		{"none", sandbox.Fault{Kind: sandbox.Delay}, 0},
		{"no connection", sandbox.Fault{Kind: sandbox.Unreachable}, 0},
		{"refused by the vendor", sandbox.Fault{Kind: sandbox.Refuse, Code: "18004"}, 0},
		{"reset after the delete", sandbox.Fault{Kind: sandbox.ResetAfter}, 1},
		{"reset before the answer", sandbox.Fault{Kind: sandbox.ResetBefore}, 1},
		{"500", sandbox.Fault{Kind: sandbox.ServerError, Acted: true}, 1},
		{"429", sandbox.Fault{Kind: sandbox.RateLimit}, 1},
		{"HTML", sandbox.Fault{Kind: sandbox.HTML, Acted: true}, 1},
		{"cut early", fraction(0.02), 1},
		{"cut in the middle", fraction(0.5), 1},
		{"cut late", fraction(0.99), 1},
		{"one odd report", sandbox.Fault{Kind: sandbox.Odd}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := queueWorld(t, 40)
			c.fault.Vendor, c.fault.Next = sandbox.UCloud, 1
			if _, err := w.vendors.AddFault(c.fault); err != nil {
				t.Fatal(err)
			}
			w.apply()
			w.clock.advance(time.Hour)
			w.apply()
			windows := w.losses()
			if len(windows) != c.windows {
				t.Fatalf("%d loss windows, want %d: %+v", len(windows), c.windows, windows)
			}
			bound := 0
			for _, l := range windows {
				if l.Cause != plan.LossPull || l.Bound < 0 || l.Bound+l.Salvaged > 50 || l.From.After(l.To) {
					t.Errorf("window %+v", l)
				}
				bound += int(l.Bound)
			}
			deleted, stored := len(w.vendors.Account().Deleted), w.stored()
			if missing := deleted - stored; missing < 0 || missing > bound {
				t.Errorf("the vendor deleted %d, %d are stored, and the windows bound %d", deleted, stored, bound)
			}
			historyFolds(t, w)
		})
	}
}

// A process that ended between the request and the answer leaves an intent: the
// next start records the loss, once.
func TestIntentOfADeadProcess(t *testing.T) {
	w := queueWorld(t, 3)
	w.clock.advance(time.Minute)
	w.apply()
	policy := w.item("ucloud_usms_report_pull.main")
	store := w.open()
	intent := state.Intent{ID: "dead", ItemID: policy.ID, Address: policy.Address, Account: policy.Account, Limit: 50, StartedAt: w.clock.now()}
	if err := store.Commit(context.Background(), &state.Batch{Intents: []state.Intent{intent}}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(time.Minute)
	w.apply()
	w.apply()
	windows := w.losses()
	if len(windows) != 1 || windows[0].Bound != 50 || windows[0].Salvaged != 0 || !windows[0].From.Equal(intent.StartedAt) {
		t.Fatalf("windows: %+v", windows)
	}
	if policy := w.item("ucloud_usms_report_pull.main"); policy.Pulls.LossWindows != 1 {
		t.Errorf("the policy counts %d windows", policy.Pulls.LossWindows)
	}
	historyFolds(t, w)
}

// A process that ended after the answer was on disk and before it was parsed
// loses nothing.
func TestLandedAnswerOfADeadProcess(t *testing.T) {
	w := queueWorld(t, 1)
	if _, err := w.vendors.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Refuse, Code: "18004"}); err != nil {
		t.Fatal(err)
	}
	w.apply()
	policy := w.item("ucloud_usms_report_pull.main")
	store := w.open()
	intent := state.Intent{ID: "dead", ItemID: policy.ID, Address: policy.Address, Account: policy.Account, Limit: 50, StartedAt: w.clock.now()}
	body := `{"RetCode":0,"Action":"PullUSMSReportResponse","Message":"pull success","ReqUuid":"u","ReportSet":[{"SessionNo":"s1","Phone":"1","CostCount":2,"ReceiptTime":1563867000,"ReceiptResult":"发送成功","ReceiptCode":"0","ReceiptDesc":"x","UserId":"k"}]}`
	id, err := store.NewRawID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw := state.Raw{ID: id, Kind: state.RawPull, Account: policy.Account, ItemID: policy.ID, At: w.clock.now(), Status: 200, Complete: true, Body: []byte(body)}
	if err := store.Commit(context.Background(), &state.Batch{Intents: []state.Intent{intent}, Raws: []state.Raw{raw}}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w.apply()
	if n := len(w.losses()); n != 0 {
		t.Fatalf("%d loss windows for an answer that was on disk", n)
	}
	if promo := w.item("ucloud_usms_message.promo"); promo.Outcome != plan.Succeeded || !promo.Settled {
		t.Fatalf("promo: %s", promo.Values)
	}
	historyFolds(t, w)
}

// What a pull brought when the database cannot be written goes to a spill file,
// pulling stops, and the next start takes it in.
func TestSpill(t *testing.T) {
	w := queueWorld(t, 30)
	broken := false
	store, err := sqlite.Open(w.path, state.Owner{Command: "test"}, sqlite.Options{Fault: func(op string) error {
		if broken {
			return fmt.Errorf("%s: disk I/O error", op)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.runner.Transport = breakAfter{w.vendors.Transport(), func() { broken = true }}
	opts := agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}
	_, _, err = w.runner.Apply(context.Background(), w.config(), store, opts, func(*plan.Result) (bool, error) { return true, nil })
	if err == nil {
		t.Fatal("an apply whose state cannot be written says that all is well")
	}
	broken = false
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if n := w.stored(); n != 0 {
		t.Fatalf("%d records in a database that could not be written", n)
	}
	if n := len(w.vendors.Account().Pulls); n != 1 {
		t.Fatalf("%d pulls with a database that could not be written", n)
	}
	w.runner.Transport = w.vendors.Transport()
	w.apply()
	if stored, deleted := w.stored(), len(w.vendors.Account().Deleted); stored != 30 || deleted != 30 {
		t.Fatalf("deleted %d, stored %d", deleted, stored)
	}
	if windows := w.losses(); len(windows) != 0 {
		t.Fatalf("windows: %+v", windows)
	}
	historyFolds(t, w)
}

// Reports that expired before the first complete answer are named too: the policy
// was to be pulled since it was tracked.
func TestRetentionBeforeTheFirstAnswer(t *testing.T) {
	w := queueWorld(t, 3)
	if _, err := w.vendors.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Refuse, Code: "18004"}); err != nil {
		t.Fatal(err)
	}
	w.apply()
	tracked := w.clock.now()
	w.clock.advance(80 * time.Hour)
	w.vendors.ClearFaults()
	w.apply()
	if n := len(w.vendors.Account().Expired); n != 3 {
		t.Fatalf("%d reports expired", n)
	}
	windows := w.losses()
	if len(windows) != 1 || windows[0].Cause != plan.LossRetention || !windows[0].From.Equal(tracked) || windows[0].Bound != -1 {
		t.Fatalf("windows: %+v", windows)
	}
}
