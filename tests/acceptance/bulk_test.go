package acceptance

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// bulk declares a thousand numbers in two batches and 450 reports of three sends.
const bulk = harness.FourVendors + `
resource "ucloud_usms_report_pull" "main" {
  interval = "1h" # so that only drain can bring the pages after the first
  limit    = %d
}

resource "ucloud_usms_message" "send" {
  for_each   = toset(["good", "bad", "mixed"])
  session_no = each.key
  expected   = 150
}

resource "nxcloud_number_check" "batch" {
  for_each = { cheap = 600, dear = 400 }
  batch_no = each.key
  expected = each.value
}
`

// A thousand callbacks and 450 reports in one run of the agent: nothing is
// missing, everything is matched, and every sum is exact.
func TestAThousandCallbacksAnd450Reports(t *testing.T) {
	for _, limit := range []int{100, 200} {
		t.Run(fmt.Sprintf("pages of %d", limit), func(t *testing.T) {
			t.Parallel()
			vendors, env := harness.SandboxProcess(t, program)
			half := make([]string, 150)
			for i := range half {
				half[i] = [...]string{"success", "fail", "unknown"}[i%3]
			}
			vendors.Post("sends", []sandbox.Send{
				{SessionNo: "good", Project: "org-34", Count: 150, Outcomes: all("success", 150), SettleAfter: -1, CostCount: 2},
				{SessionNo: "bad", Project: "org-34", Count: 150, Outcomes: all("fail", 150), SettleAfter: -1},
				{SessionNo: "mixed", Project: "org-34", Count: 150, Outcomes: half, SettleAfter: -1},
			})
			s := newSite(t, fmt.Sprintf(bulk, limit), env)
			a := s.Agent()
			vendors.Post("settings", map[string]string{"callback_url": a.Callbacks()})
			vendors.Post("batches", []sandbox.Batch{
				{BatchNo: "cheap", Count: 600, Failures: 7, FailureCode: 266, Price: "0.0020", Currency: "CNY", SettleAfter: -1},
				{BatchNo: "dear", Count: 400, Failures: 1, FailureCode: -1, Price: "0.0031", Currency: "CNY", SettleAfter: -1},
			})
			harness.Eventually(t, func() string {
				for sample, want := range map[string]string{
					`waybill_records{status="matched",type="nxcloud_number_check"}`: "1000",
					`waybill_records{status="matched",type="ucloud_usms_message"}`:  "450",
					`waybill_items{outcome="partial",type="nxcloud_number_check"}`:  "2",
				} {
					if got := a.Metric(sample); got != want {
						return fmt.Sprintf("%s is %q, want %s", sample, got, want)
					}
				}
				return ""
			})
			a.Stop()
			compareAccounts(t, s, vendors.Account(), limit)
			checkBulk(t, s)
			if got := s.Must(0, "plan", "-detailed-exitcode").LastLine(); got != noChanges {
				t.Errorf("the next plan ends with %q", got)
			}
		})
	}
}

func all(word string, n int) []string {
	return strings.Split(strings.Repeat(word+" ", n)[:n*(len(word)+1)-1], " ")
}

// compareAccounts holds the state against what the vendors say they did.
func compareAccounts(t *testing.T, s *harness.Site, account sandbox.Account, limit int) {
	t.Helper()
	if len(account.Accepted) != 1000 || len(account.Deleted) != 450 || account.Reports.Waiting != 0 {
		t.Errorf("the vendors had %d callbacks accepted and %d reports deleted, %d wait", len(account.Accepted), len(account.Deleted), account.Reports.Waiting)
	}
	if want := 450/limit + 1; len(account.Pulls) != want {
		t.Errorf("%d pulls, want %d", len(account.Pulls), want)
	}
	found := make(map[string]harness.Record)
	for _, r := range s.Records() {
		if _, twice := found[r.Type+" "+r.Key]; twice {
			t.Errorf("%s %s is recorded twice", r.Type, r.Key)
		}
		found[r.Type+" "+r.Key] = r
	}
	if len(found) != 1450 {
		t.Errorf("%d records, want 1450", len(found))
	}
	sums := map[string]*big.Rat{"cheap": new(big.Rat), "dear": new(big.Rat)}
	for i, c := range account.Accepted {
		r, ok := found["nxcloud_number_check "+c.RequestID]
		if !ok {
			t.Errorf("the callback %s was accepted and is not recorded", c.RequestID)
			continue
		}
		if r.Address == nil || *r.Address != fmt.Sprintf("nxcloud_number_check.batch[%q]", c.BatchNo) || r.Status != "matched" || r.Conflict {
			t.Errorf("callback %s of batch %s: %+v", c.RequestID, c.BatchNo, r)
		}
		var body struct {
			Cost struct{ Price json.Number }
		}
		harness.Decode(t, c.Body, &body)
		price, ok := new(big.Rat).SetString(body.Cost.Price.String())
		if !ok {
			t.Fatalf("price %q", body.Cost.Price)
		}
		sums[c.BatchNo].Add(sums[c.BatchNo], price)
		if i%40 == 0 { // one process each
			if got := s.Must(0, "raw", "show", r.RawID).Stdout; got != c.Body {
				t.Errorf("raw %s is not what the vendor sent:\n%s\n%s", r.RawID, got, c.Body)
			}
		}
	}
	pages := make(map[string]string)
	for _, d := range account.Deleted {
		r, ok := found["ucloud_usms_message "+d.SessionNo+"/"+d.Phone]
		if !ok {
			t.Errorf("the report of %s to one phone was deleted at the vendor and is not recorded", d.SessionNo)
			continue
		}
		if r.Address == nil || *r.Address != fmt.Sprintf("ucloud_usms_message.send[%q]", d.SessionNo) || r.Status != "matched" {
			t.Errorf("report of %s: %+v", d.SessionNo, r)
		}
		if pages[r.RawID] == "" {
			pages[r.RawID] = s.Must(0, "raw", "show", r.RawID).Stdout
		}
		if !strings.Contains(pages[r.RawID], string(d.Report)) {
			t.Errorf("raw %s does not hold the report as the vendor wrote it: %s", r.RawID, d.Report)
		}
	}
	for batch, sum := range sums {
		values := s.Values(fmt.Sprintf("nxcloud_number_check.batch[%q]", batch))
		costs, _ := values["costs"].(map[string]any)
		got, ok := new(big.Rat).SetString(fmt.Sprint(costs["CNY"]))
		if !ok || got.Cmp(sum) != 0 {
			t.Errorf("batch %s costs %v, want exactly %s", batch, costs, sum.FloatString(4))
		}
		if one, ok := new(big.Rat).SetString(fmt.Sprint(values["cost"])); !ok || one.Cmp(sum) != 0 || values["currency"] != "CNY" {
			t.Errorf("batch %s: cost %v %v, want %s CNY", batch, values["cost"], values["currency"], sum.FloatString(4))
		}
	}
}

// checkBulk holds the items against what was declared about the sends and batches.
func checkBulk(t *testing.T, s *harness.Site) {
	t.Helper()
	none := map[string]any{}
	for address, want := range map[string]map[string]any{
		`ucloud_usms_message.send["good"]`: {
			"received": 150, "succeeded": 150, "failed": 0, "unknown": 0, "failed_codes": none,
			"cost_count": 300, "outcome": "succeeded", "settled": true, "cost": nil, "currency": nil,
		},
		`ucloud_usms_message.send["bad"]`: {
			"received": 150, "succeeded": 0, "failed": 150, "unknown": 0, "failed_codes": map[string]any{"MSBLACK": 150},
			"cost_count": 150, "outcome": "failed", "settled": true,
		},
		`ucloud_usms_message.send["mixed"]`: {
			"received": 150, "succeeded": 50, "failed": 50, "unknown": 50, "failed_codes": map[string]any{"MSBLACK": 50},
			"outcome": "partial", "settled": true,
		},
		`nxcloud_number_check.batch["cheap"]`: {
			"received": 600, "succeeded": 593, "failed": 7, "failed_codes": map[string]any{"266": 7},
			"costs": map[string]any{"CNY": json.Number("1.2")}, "outcome": "partial", "settled": true,
		},
		`nxcloud_number_check.batch["dear"]`: {
			"received": 400, "succeeded": 399, "failed": 1, "failed_codes": map[string]any{"-1": 1},
			"costs": map[string]any{"CNY": json.Number("1.24")}, "outcome": "partial", "settled": true,
		},
		`ucloud_usms_report_pull.main`: {"pulled_total": 450, "loss_windows": 0, "settled": false, "outcome": "pending"},
	} {
		harness.Wants(t, address, s.Values(address), want)
	}
}

// The receiver's answers, and what of them is kept.
func TestReceiverKeepsExactlyWhatItAccepts(t *testing.T) {
	t.Parallel()
	_, env := harness.Vendors(t, sandbox.Options{})
	s := newSite(t, harness.FourVendors+`
resource "nxcloud_number_check" "january" {
  batch_no = "901946960376"
  expected = 2
}
`, env)
	a := s.Agent()
	const good = `{"requestId": "r1", "code": 0, "message": "ok", "batchNo": "901946960376", "phone": "8613320xxxx", ` +
		`"data": {"numberType": "mobile", "country": "CN"}, "cost": {"price": 0.0020, "currency": "CNY"}, "new_field": [1.10]}`
	for _, c := range []struct {
		method, url, body string
		status            int
	}{
		{http.MethodPost, a.Callbacks(), good, 200},
		{http.MethodPost, a.Callbacks(), good, 200},                                       // the same once more
		{http.MethodPost, a.Callbacks(), strings.Replace(good, `: 0,`, `: 266,`, 1), 200}, // the same key, another content
		{http.MethodPost, a.Callbacks(), `{"requestId": "r2", "batchNo": 7`, 200},         // cannot be understood
		{http.MethodPost, a.Callbacks() + "x", good, 404},
		{http.MethodPost, a.Receiver + "/callbacks/globfax/" + s.Env["NXCLOUD_CALLBACK_TOKEN"], good, 404},
		{http.MethodPost, a.Receiver + "/callbacks/nxcloud/", good, 404},
		{http.MethodGet, a.Callbacks(), "", 405},
		{http.MethodPut, a.Callbacks(), good, 405},
		{http.MethodPost, a.Callbacks(), strings.Repeat(" ", 1<<20+1), 413},
	} {
		if status, answer := harness.Call(c.method, c.url, c.body); status != c.status {
			t.Errorf("%s %.60s: %d, want %d (%s)", c.method, c.url, status, c.status, answer)
		}
	}
	harness.Eventually(t, func() string {
		return harness.Unless(s.Values("nxcloud_number_check.january")["received"], json.Number("1"))
	})
	for result, want := range map[string]string{"duplicate": "1", "quarantined": "1", "unauthenticated": "1", "method": "2", "too_large": "1"} {
		if got := a.Metric(fmt.Sprintf(`waybill_callbacks_total{provider="nxcloud",result=%q}`, result)); got != want {
			t.Errorf("callbacks counted as %s: %q, want %s", result, got, want)
		}
	}
	for _, result := range []string{"unknown_path", "unknown_provider"} {
		if got := a.Metric(fmt.Sprintf(`waybill_callbacks_total{provider="unknown",result=%q}`, result)); got != "1" {
			t.Errorf("callbacks counted as %s: %q, want 1", result, got)
		}
	}
	records := s.Records()
	if len(records) != 3 {
		t.Fatalf("%d records, want 3: %+v", len(records), records)
	}
	first, other, broken := records[0], records[1], records[2]
	if first.Key != "r1" || first.Status != "matched" || first.Outcome != "succeeded" || first.Conflict {
		t.Errorf("the first: %+v", first)
	}
	if other.Key != "r1" || other.Outcome != "failed" || !other.Conflict {
		t.Errorf("another content of the same key is not flagged: %+v", other)
	}
	if broken.Status != "quarantined" || broken.Address != nil {
		t.Errorf("the broken one: %+v", broken)
	}
	if got := s.Must(0, "raw", "show", first.RawID).Stdout; got != good {
		t.Errorf("raw show: %s", got)
	}
	harness.Wants(t, "the first received counts", s.Values("nxcloud_number_check.january"), map[string]any{
		"received": 1, "succeeded": 1, "failed": 0, "costs": map[string]any{"CNY": json.Number("0.002")}, "settled": false, "outcome": "pending",
	})
	harness.Wants(t, "a field that the page does not name", first.Attributes, map[string]any{"extra": map[string]any{"new_field": []any{json.Number("1.10")}}})
}
