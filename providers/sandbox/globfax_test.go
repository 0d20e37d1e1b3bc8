package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestGlobFaxAnswersThePagesExamples(t *testing.T) {
	f := newFixture(t, Options{})
	for _, r := range []Recipient{
		{Ref: "rcpt_111aaa", SentAt: start, CompletedAt: start.Add(4*time.Hour + 31*time.Minute + 20*time.Second), SettleAfter: -1,
			PhoneNumber: "8613812345678", Status: "success", UnitPrice: "0.5", PageCount: 3, ChargedAmount: "1.5"},
		{Ref: "rcpt_222bbb", SentAt: start, SettleAfter: Duration(4*time.Hour + 35*time.Minute + 10*time.Second),
			PhoneNumber: "8613912345678", Status: "failed", FailedCode: "BUSY", UnitPrice: "0.5", PageCount: 3},
		{Ref: "as_is", Data: json.RawMessage(`{"rcpt_ref":"as_is","charged_amount":1e400}`)},
	} {
		if err := f.AddRecipient(r); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.add(5 * time.Hour)
	f.fax("rcpt_111aaa").wants(t, 200, golden(t, "globfax_success.json"))
	f.fax("rcpt_222bbb").wants(t, 200, golden(t, "globfax_failed.json"))
	f.fax("as_is").wants(t, 200, `{"success":true,"message":"Recipient details retrieved","data":{"rcpt_ref":"as_is","charged_amount":1e400}}`)
	f.fax("rcpt_none").wants(t, 404, golden(t, "globfax_not_found.json"))
	f.fax("not%20a%20ref").wants(t, 422, golden(t, "globfax_invalid.json"))
	f.fax(strings.Repeat("a", 256)).wants(t, 422, golden(t, "globfax_invalid.json"))
	f.fax("").wants(t, 422, golden(t, "globfax_invalid.json"))
	if _, err := f.AddFault(Fault{Vendor: GlobFax, Kind: ServerError, Next: 1}); err != nil {
		t.Fatal(err)
	}
	if r := f.fax("rcpt_111aaa"); r.status != 500 || shape(t, r.body) != shape(t, []byte(golden(t, "globfax_server_error.json"))) {
		t.Errorf("server error: %d %s", r.status, r.body)
	}
}

func TestGlobFaxProgress(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.AddRecipient(Recipient{Ref: "r", SettleAfter: Duration(30 * time.Second), UnitPrice: "0.1", PageCount: 3, Status: "success", PhoneNumber: "1"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"unit_price":0.1,"page_count":null,"charged_amount":null,"status":"queued","failed_code":null,"failed_reason":null,"completed_at":null,"created_at":"2025-02-22 10:00:00"`,
		`"unit_price":0.1,"page_count":null,"charged_amount":null,"status":"sending","failed_code":null,"failed_reason":null,"completed_at":null,"created_at":"2025-02-22 10:00:00"`,
		`"unit_price":0.1,"page_count":3,"charged_amount":0.3,"status":"success","failed_code":null,"failed_reason":null,"completed_at":"2025-02-22 10:00:30","created_at":"2025-02-22 10:00:00"`,
	} {
		if r := f.fax("r"); !strings.Contains(string(r.body), want) {
			t.Errorf("after %v: %s", f.clock.Now().Sub(start), r.body)
		}
		f.clock.add(15 * time.Second)
	}
	// Of the account: four reads 15 s apart, the last word told by the third.
	f.fax("r")
	a := f.Account()
	if len(a.Reads) != 1 {
		t.Fatalf("reads: %+v", a.Reads)
	}
	got := a.Reads[0]
	if got.Vendor != GlobFax || got.ID != "r" || got.Count != 4 || got.ShortestGap != Duration(15*time.Second) || got.AfterFinal != 1 ||
		!got.FinalAt.Equal(start.Add(30*time.Second)) || !got.First.Equal(start) || !got.Last.Equal(start.Add(45*time.Second)) || len(got.Times) != 4 {
		t.Errorf("account of reads: %+v", got)
	}
}

// TestGlobFaxAmountsAreExact holds derived charges to price times pages.
func TestGlobFaxAmountsAreExact(t *testing.T) {
	for _, c := range []struct {
		price json.Number
		pages int
		want  json.Number
	}{{"0.5", 3, "1.5"}, {"0.5", 2, "1"}, {"0.1", 3, "0.3"}, {"5", 20, "100"}, {"0.123456789012345678", 10, "1.23456789012345678"}, {"1e2", 3, "300"}} {
		if got := times(c.price, c.pages); got != c.want {
			t.Errorf("%s times %d is %s, want %s", c.price, c.pages, got, c.want)
		}
	}
}

func TestGlobFaxChecksTheKey(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	for name, header := range map[string]http.Header{
		"none":         {},
		"key alone":    {"X-Api-Key": {DefaultCredentials.GlobFaxKey}},
		"wrong key":    {"X-Api-Key": {"other"}, "X-Api-Secret": {DefaultCredentials.GlobFaxSecret}},
		"wrong secret": {"X-Api-Key": {DefaultCredentials.GlobFaxKey}, "X-Api-Secret": {"other"}},
	} {
		r, err := http.NewRequest(http.MethodGet, f.at.GlobFax+"/api/v2/fax/recipients/r", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		got := f.do(r)
		if got.status != 401 || shape(t, got.body) != shape(t, []byte(golden(t, "globfax_not_found.json"))) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if a := f.Account(); len(a.Reads) != 0 || a.Requests[GlobFax]["unauthorized"] != 4 {
		t.Errorf("account: %+v", a)
	}
	r, err := http.NewRequest(http.MethodPost, f.at.GlobFax+"/api/v2/fax/recipients/r", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"X-Api-Key": {DefaultCredentials.GlobFaxKey}, "X-Api-Secret": {DefaultCredentials.GlobFaxSecret}}
	if got := f.do(r); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d", got.status)
	}
}

func TestAutoCreate(t *testing.T) {
	f := newFixture(t, Options{})
	if r := f.fax("new"); r.status != 404 {
		t.Errorf("without AutoCreate: %d", r.status)
	}
	if err := f.Set(Settings{AutoCreate: true}); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]int{"new": 200, "is_missing": 404, "unknown1": 404} {
		if r := f.fax(ref); r.status != want {
			t.Errorf("%s: %d, want %d", ref, r.status, want)
		}
	}
}

func TestRecipientMistakes(t *testing.T) {
	f := newFixture(t, Options{})
	for _, r := range []Recipient{{}, {Ref: "a b"}, {Ref: "r", UnitPrice: "cheap"}, {Ref: "r", ChargedAmount: `"1"`}, {Ref: "r", Data: json.RawMessage("{")}} {
		if err := f.AddRecipient(r); err == nil {
			t.Errorf("taken in: %+v", r)
		}
	}
}
