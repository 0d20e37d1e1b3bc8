package acceptance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// Everything that can go wrong with what was sent, in one run: each item ends as
// the table of types says, with a reason in words and a history that tells how.
func TestEachEndHasItsOutcomeReasonAndHistory(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	soon := sandbox.Duration(4 * time.Second) // after the first read, even on a slow machine
	for _, err := range []error{
		server.AddRecipient(sandbox.Recipient{Ref: "rcpt_busy", Status: "failed", FailedCode: "BUSY", FailedReason: "Recipient line is busy",
			SettleAfter: soon, UnitPrice: "0.5", PageCount: 3, ChargedAmount: "1.5", CompletedAt: time.Date(2025, 2, 22, 6, 35, 10, 0, time.UTC)}),
		server.AddRecipient(sandbox.Recipient{Ref: "rcpt_odd_price", Status: "success", SettleAfter: -1, UnitPrice: "0.1", PageCount: 3, ChargedAmount: "0.31"}),
		server.AddRecipient(sandbox.Recipient{Ref: "rcpt_gone", Status: "in_the_post", SettleAfter: -1}),
		server.AddOrder(sandbox.Order{ID: "never_entered", Channel: "sms", Outcome: "never", SettleAfter: -1}),
		server.AddOrder(sandbox.Order{ID: "wrong_code", Channel: "sms", Outcome: "wrong_code", SettleAfter: -1}),
		server.AddSend(sandbox.Send{SessionNo: "twice", Project: "org-34", Count: 2, Outcomes: []string{"success", "success"}, SettleAfter: -1, Twice: true}),
		server.AddSend(sandbox.Send{SessionNo: "turned", Project: "org-34", Count: 1, Outcomes: []string{"fail"}, Then: "success", SettleAfter: -1}),
		server.AddSend(sandbox.Send{SessionNo: "dark", Project: "org-34", Count: 1, Outcomes: []string{"unknown"}, SettleAfter: -1}),
		server.AddSend(sandbox.Send{SessionNo: "half", Project: "org-34", Count: 1, Outcomes: []string{"success"}, SettleAfter: -1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  for_each = toset(["rcpt_busy", "rcpt_odd_price", "rcpt_missing"])
  rcpt_ref = each.key

  poll {
    interval     = "1s"
    max_interval = "1s"
  }

  expect "delivered" {
    condition     = self.status == "success"
    within        = "30m"
    error_message = "fax ${each.key}: ${coalesce(self.failed_reason, "no result yet")}"
  }
}

resource "globfax_recipient" "lost" {
  rcpt_ref      = "rcpt_gone"
  give_up_after = "2s"

  poll {
    interval     = "1s"
    max_interval = "1s"
  }
}

resource "itniotech_otp_order" "login" {
  for_each  = toset(["never_entered", "wrong_code"])
  order_id  = each.key
  valid_for = "3s"

  poll {
    interval     = "1s"
    max_interval = "1s"
  }
}

resource "itniotech_otp_order" "nobody" {
  order_id = "missing"
}

resource "ucloud_usms_report_pull" "main" {
  interval = "1s"
}

resource "ucloud_usms_message" "send" {
  for_each      = { twice = 2, turned = 1, dark = 1, half = 2 }
  session_no    = each.key
  expected      = each.value
  give_up_after = each.key == "half" ? "3s" : "72h"
}

resource "nxcloud_number_check" "batch" {
  batch_no = "901946960376"
  expected = 5
}
`, env)
	a := s.Agent()
	if err := server.AddBatch(sandbox.Batch{BatchNo: "901946960376", Count: 5, Failures: 2, FailureCode: 266, Price: "0.0020", Currency: "CNY",
		SettleAfter: -1, CallbackURL: a.Callbacks()}); err != nil {
		t.Fatal(err)
	}
	settling := []string{
		`globfax_recipient.fax["rcpt_busy"]`, `globfax_recipient.fax["rcpt_odd_price"]`, "globfax_recipient.lost",
		`itniotech_otp_order.login["never_entered"]`, `itniotech_otp_order.login["wrong_code"]`,
		`ucloud_usms_message.send["twice"]`, `ucloud_usms_message.send["turned"]`, `ucloud_usms_message.send["dark"]`, `ucloud_usms_message.send["half"]`,
		"nxcloud_number_check.batch",
	}
	harness.Eventually(t, func() string {
		for _, address := range settling {
			if s.Values(address)["settled"] != true {
				return address + " is not settled"
			}
		}
		if n := len(s.Records("-type=ucloud_usms_message")); n != 6 {
			return fmt.Sprintf("%d reports are recorded, want 6", n)
		}
		return ""
	})
	a.Stop()

	for address, want := range map[string]map[string]any{
		`globfax_recipient.fax["rcpt_busy"]`: {
			"outcome": "failed", "settled": true, "status": "failed", "failed_code": "BUSY", "charged_amount": json.Number("1.5"), "cost": json.Number("1.5"),
			"currency": "CNY", "charge_mismatch": false, "completed_at": "2025-02-22T14:35:10+08:00",
		},
		`globfax_recipient.fax["rcpt_odd_price"]`: {"outcome": "succeeded", "settled": true, "charge_mismatch": true, "cost": json.Number("0.31")},
		`globfax_recipient.fax["rcpt_missing"]`:   {"outcome": "unknown", "settled": false, "cost": nil},
		"globfax_recipient.lost":                  {"outcome": "unknown", "settled": true, "status": "in_the_post"},
		`itniotech_otp_order.login["never_entered"]`: {
			"outcome": "failed", "settled": true, "matched": -1, "currency": "EUR",
		},
		`itniotech_otp_order.login["wrong_code"]`: {"outcome": "failed", "settled": true, "matched": 2},
		"itniotech_otp_order.nobody":              {"outcome": "unknown", "settled": false},
		`ucloud_usms_message.send["twice"]`:       {"outcome": "succeeded", "received": 2, "succeeded": 2, "cost_count": 2},
		`ucloud_usms_message.send["turned"]`:      {"outcome": "succeeded", "received": 1, "succeeded": 1, "failed": 0, "failed_codes": map[string]any{}},
		`ucloud_usms_message.send["dark"]`:        {"outcome": "unknown", "received": 1, "unknown": 1},
		`ucloud_usms_message.send["half"]`:        {"outcome": "succeeded", "received": 1, "expected": 2, "settled": true},
		"nxcloud_number_check.batch": {
			"outcome": "partial", "received": 5, "succeeded": 3, "failed": 2, "failed_codes": map[string]any{"266": 2}, "costs": map[string]any{"CNY": json.Number("0.01")},
		},
	} {
		harness.Wants(t, address, s.Values(address), want)
	}
	for address, words := range map[string][]string{
		`globfax_recipient.fax["rcpt_busy"]`:         {"Recipient line is busy", "BUSY"},
		`globfax_recipient.fax["rcpt_missing"]`:      {"no such recipient", "rcpt_ref"},
		"globfax_recipient.lost":                     {"gave up after 2s", "in_the_post"},
		`itniotech_otp_order.login["never_entered"]`: {"3s", "no code was entered"},
		`itniotech_otp_order.login["wrong_code"]`:    {"wrong code"},
		`ucloud_usms_message.send["half"]`:           {"gave up after 3s", "1 of 2"},
		"nxcloud_number_check.batch":                 {"266", "subBalance failed", "top up the account"},
	} {
		reason, _ := s.Values(address)["reason"].(string)
		harness.Says(t, address, reason, words...)
	}

	// The history tells the way there, and the bytes that told each step.
	events := s.History(`globfax_recipient.fax["rcpt_busy"]`)
	if got := harness.Actions(events); got[0] != "track" || len(got) < 3 || slices.Contains(got[1:], "track") {
		t.Errorf("the history of the busy fax: %v", got)
	}
	last := events[len(events)-1]
	if last.Action != "observe" || last.RawID == nil || last.After("status") != "failed" || last.After("outcome") != "failed" || last.After("settled") != true {
		t.Fatalf("its last line: %+v", last)
	}
	harness.Says(t, "the evidence", s.Must(0, "raw", "show", *last.RawID).Stdout, `"failed_code":"BUSY"`, `"charged_amount":1.5`)
	var before int64
	for _, e := range s.History() {
		if e.Seq <= before || e.Revision == "" || !strings.HasSuffix(e.At, "Z") {
			t.Errorf("history: %+v after seq %d", e, before)
		}
		before = e.Seq
	}

	// Of one key with two contents the latest ReceiptTime counts; both are kept.
	var turned []harness.Record
	for _, r := range s.Records() {
		if strings.HasPrefix(r.Key, "turned/") {
			turned = append(turned, r)
		}
	}
	if len(turned) != 2 || turned[0].Conflict == turned[1].Conflict {
		t.Errorf("the report that turned: %+v", turned)
	}
	harness.Says(t, "the expectations", s.Must(3, "plan", "-check-exitcode").Stdout, "fax rcpt_busy: Recipient line is busy")
	if deadline := s.Values("ucloud_usms_report_pull.main")["retention_deadline"]; deadline == nil {
		t.Error("the policy has no retention_deadline")
	}
}

// Records may come before anybody declares what they belong to, and after the
// declaration has gone: they count as soon as somebody declares it.
func TestUnmatchedRecordsAreMatchedWhenDeclared(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	if err := server.AddSend(sandbox.Send{SessionNo: "early", Project: "org-34", Count: 2, Outcomes: []string{"success", "fail"}, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	const policy = harness.FourVendors + "\nresource \"ucloud_usms_report_pull\" \"main\" {}\n"
	const message = "\nresource \"ucloud_usms_message\" \"late\" {\n  session_no = \"early\"\n  expected   = 2\n}\n"
	s := newSite(t, policy, env)
	s.Must(0, "apply", "-auto-approve")
	for _, r := range s.Records("-status=unmatched") {
		if r.Address != nil || r.Type != "ucloud_usms_message" {
			t.Errorf("unmatched: %+v", r)
		}
	}
	if n := len(s.Records("-status=unmatched")); n != 2 {
		t.Fatalf("%d unmatched records, want 2", n)
	}

	s.Write("main.wb.hcl", policy+message)
	s.Must(0, "apply", "-auto-approve")
	matched := s.Records("-status=matched")
	if len(matched) != 2 || *matched[0].Address != "ucloud_usms_message.late" {
		t.Errorf("matched: %+v", matched)
	}
	harness.Wants(t, "declared late", s.Values("ucloud_usms_message.late"), map[string]any{"received": 2, "outcome": "partial", "settled": true})

	// Forgotten, its records belong to nobody; declared again it takes up its history.
	s.Write("main.wb.hcl", policy)
	if got := s.Must(0, "apply", "-auto-approve"); !strings.Contains(got.Stdout, "1 forgotten") {
		t.Errorf("apply: %s", got.Stdout)
	}
	if n := len(s.Records("-status=unmatched")); n != 2 {
		t.Errorf("%d unmatched records after the forget, want 2", n)
	}
	s.Write("main.wb.hcl", policy+message)
	s.Must(0, "apply", "-auto-approve")
	harness.Wants(t, "declared again", s.Values("ucloud_usms_message.late"), map[string]any{"received": 2, "outcome": "partial", "settled": true})
	events := s.History("ucloud_usms_message.late")
	got := harness.Actions(events)
	if slices.Index(got, "forget") < 0 || len(slices.DeleteFunc(slices.Clone(got), func(a string) bool { return a != "track" })) != 2 {
		t.Errorf("its history: %v", got)
	}
	if got := s.Must(0, "plan", "-detailed-exitcode").LastLine(); got != noChanges {
		t.Errorf("last line %q", got)
	}
}

// observed_at is when a vendor last told something of an item, and moves although
// that is no difference.
func TestObservedAtMovesWithoutADifference(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	s := newSite(t, oneOfEach+"\noutput \"observed\" {\n  value = globfax_recipient.fax.observed_at\n}\n", env)
	if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "sending", SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	started := time.Now().Add(-time.Second)
	s.Must(0, "apply", "-auto-approve")
	seen := make(map[string]time.Time)
	look := func(name string, v any) {
		t.Helper()
		text, _ := v.(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil || !strings.HasSuffix(text, "Z") || at.Before(started) || !at.After(seen[name]) {
			t.Errorf("%s is %v, want a time in UTC after %s and %s", name, v, started, seen[name])
		}
		seen[name] = at
	}
	all := func() {
		t.Helper()
		look("observed_at of the fax", s.Values("globfax_recipient.fax")["observed_at"])
		policy := s.Values("ucloud_usms_report_pull.main")
		look("observed_at of the policy", policy["observed_at"])
		look("last_success_at", policy["last_success_at"])
		look("retention_deadline", policy["retention_deadline"])
	}
	all()
	look("the output", strings.Trim(strings.TrimSpace(s.Must(0, "output", "-json", "observed").Stdout), `"`))
	lines := len(s.History())
	harness.Eventually(t, func() string { // until the floor of 100 ms has passed
		s.Must(0, "apply", "-auto-approve")
		return harness.Unless(reads(server, "rcpt_1").Count > 1, true)
	})
	all()
	if n := len(s.History()); n != lines {
		t.Errorf("%d lines of history for times that moved", n-lines)
	}
}
