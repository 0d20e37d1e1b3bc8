package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/value"
)

const fourThings = `
resource "globfax_recipient" "invoice" {
  for_each = toset(["a", "b"])
  rcpt_ref = "rcpt_${each.key}"
  expect "delivered" {
    condition     = self.outcome == "succeeded"
    within        = "30m"
    error_message = "fax ${each.key}: ${coalesce(self.failed_reason, "no result yet")}"
  }
}
resource "itniotech_otp_order" "login" {
  order_id = "o1"
  app_id   = "app"
}
resource "ucloud_usms_report_pull" "main" {
  limit = 2
}
resource "ucloud_usms_message" "promo" {
  session_no = "s1"
  expected   = 5
}
output "fax_cost" {
  value = sum([for r in globfax_recipient.invoice : r.charged_amount if r.charged_amount != null])
}
check "no_fax_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.invoice : r.outcome != "failed"])
    error_message = "some faxes failed"
  }
}
`

func fourWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+fourThings)
	for _, err := range []error{
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_a", Status: "success", SettleAfter: sandbox.Duration(time.Minute), PageCount: 3, UnitPrice: "0.1", ChargedAmount: "0.3"}),
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_b", Status: "failed", FailedCode: "BUSY", FailedReason: "Recipient line is busy", SettleAfter: sandbox.Duration(time.Minute), PageCount: 7, UnitPrice: "0.1", ChargedAmount: "0.7"}),
		w.vendors.AddOrder(sandbox.Order{ID: "o1", Channel: "sms", Outcome: "verified", SettleAfter: sandbox.Duration(time.Minute)}),
		w.vendors.AddSend(sandbox.Send{SessionNo: "s1", Count: 5, Outcomes: []string{"success", "success", "fail", "success", "success"}, SettleAfter: -1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// The main path of plan and apply: a plan writes nothing, an apply declares, reads
// and drains, a plan after it finds nothing, and what changes at a vendor is drift.
func TestPlanApplyPlan(t *testing.T) {
	w := fourWorld(t)

	planned := w.plan()
	if c := planned.Plan.Counts(); c != (plan.Counts{Track: 5}) {
		t.Fatalf("first plan: %+v", c)
	}
	if _, err := os.Stat(w.path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("plan made a state: %v", err)
	}
	if n := len(w.vendors.Account().Pulls) + len(w.vendors.Account().Reads); n != 0 {
		t.Fatalf("plan called the vendors %d times", n)
	}

	applied := w.apply()
	if c := applied.Plan.Counts(); c != (plan.Counts{Track: 5}) {
		t.Fatalf("apply: %+v", c)
	}
	if applied.Reads != 3 || len(applied.Pulls) != 1 || applied.Pulls[0].Pulled != 5 {
		t.Fatalf("apply read %d items and pulled %+v", applied.Reads, applied.Pulls)
	}
	if promo := w.item("ucloud_usms_message.promo"); promo.Outcome != plan.Partial || !promo.Settled {
		t.Fatalf("promo is %s, settled %v: %s", promo.Outcome, promo.Settled, promo.Values)
	}

	if c := w.plan().Plan.Counts(); !c.Empty() {
		t.Fatalf("plan after apply: %+v", c)
	}

	w.clock.advance(2 * time.Minute)
	drifted := w.plan()
	if c := drifted.Plan.Counts(); c != (plan.Counts{Remote: 3}) {
		t.Fatalf("plan after the vendors went on: %+v", c)
	}
	if !drifted.Failing() {
		t.Fatal("a fax failed, and the plan does not say so")
	}
	if again := w.plan().Plan.Counts(); again != (plan.Counts{Remote: 3}) {
		t.Fatalf("a plan changed what the next one finds: %+v", again)
	}

	w.clock.advance(time.Minute)
	second := w.apply()
	if c := second.Plan.Counts(); c != (plan.Counts{Remote: 3}) {
		t.Fatalf("second apply: %+v", c)
	}
	i := slices.IndexFunc(second.Outputs, func(o plan.OutputChange) bool { return o.Name == "fax_cost" })
	if got, err := value.Encode(second.Outputs[i].After); err != nil || string(got) != "1" {
		t.Fatalf("0.3 + 0.7 = %s (%v)", got, err)
	}
	if second.Checks[0].State != plan.CheckFail {
		t.Fatalf("check: %+v", second.Checks[0])
	}
	b := w.item(`globfax_recipient.invoice["b"]`)
	if b.Expectations[0].State != plan.ExpectFailed || b.Expectations[0].Message != "fax b: Recipient line is busy" {
		t.Fatalf("expectation: %+v", b.Expectations)
	}
	w.clock.advance(time.Hour)
	if third := w.apply(); third.Reads != 0 {
		t.Fatalf("settled items were read %d times", third.Reads)
	}
	historyFolds(t, w)
}

// historyFolds holds the state to its history: folded from the beginning it is
// the same, but for the attributes that move without being differences.
func historyFolds(t *testing.T, w *world) {
	t.Helper()
	reader, err := sqlite.OpenReader(w.path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	events := make(map[int64][]plan.Event)
	for event, err := range reader.History(context.Background(), state.HistoryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		events[event.ItemID] = append(events[event.ItemID], *event)
	}
	n := 0
	for item, err := range reader.Items(context.Background(), state.ItemFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		folded, tracked, err := plan.FoldHistory(events[item.ID])
		if err != nil || !tracked {
			t.Fatalf("%s: tracked %v, %v", item.Address, tracked, err)
		}
		values, err := value.Merge(item.Values, item.Args)
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := errors.Join(json.Unmarshal(folded, &got), json.Unmarshal(values, &want)); err != nil {
			t.Fatal(err)
		}
		for _, quiet := range []string{"observed_at", "last_success_at", "retention_deadline"} {
			delete(want, quiet)
			delete(got, quiet)
		}
		for name, v := range want {
			if v == nil {
				delete(want, name)
			}
		}
		g, _ := json.Marshal(got)
		v, _ := json.Marshal(want)
		if string(g) != string(v) {
			t.Errorf("%s: the history folds to\n%s\nand the state is\n%s", item.Address, g, v)
		}
	}
	if n == 0 {
		t.Fatal("nothing is tracked")
	}
}
