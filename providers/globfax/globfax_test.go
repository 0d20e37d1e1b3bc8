package globfax_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/globfax"
	"github.com/waybill-dev/waybill/providers/providertest"
)

const (
	key    = "key-of-globfax-0123456789"
	secret = "secret+of/globfax=0123456789"
)

var config = map[string]cty.Value{"api_key": cty.StringVal(key), "api_secret": cty.StringVal(secret)}

func target(t testing.TB, ref string) providers.Target {
	ty := providertest.TypeOf(t, globfax.Definition().Schema, "globfax_recipient")
	args := providertest.Args(ty, map[string]cty.Value{"rcpt_ref": cty.StringVal(ref)})
	return providers.Target{Type: ty.Name, Identity: ref, Args: args}
}

func TestSuite(t *testing.T) {
	good := providertest.File(t, "testdata/success.json")
	providertest.Run(t, providertest.Vendor{
		Definition: globfax.Definition(),
		Config:     config,
		Secrets:    []string{key, secret},
		Args:       map[string]map[string]cty.Value{"globfax_recipient": {"rcpt_ref": cty.StringVal("rcpt_111aaa")}},
		Good:       good,
		Other:      providertest.File(t, "testdata/failed.json"),
		NotFound:   providertest.File(t, "testdata/not_found.json"),
	})
}

// The page's own examples, as they are observed and what they come to.
func TestGolden(t *testing.T) {
	d := globfax.Definition()
	ty := d.Schema.Types[0]
	for name, ref := range map[string]string{"success": "rcpt_111aaa", "failed": "rcpt_222bbb"} {
		target := target(t, ref)
		o, err := d.Observe(target, providertest.OK(providertest.File(t, "testdata/"+name+".json")))
		if err != nil {
			t.Fatal(err)
		}
		providertest.Golden(t, name+".golden.json", map[string]json.RawMessage{
			"seen":    providertest.Encode(t, o.Seen),
			"derived": providertest.Encode(t, ty.Derive(plan.Evidence{Args: target.Args, Seen: o.Seen})),
		})
	}
}

func TestErrors(t *testing.T) {
	file := func(name string) []byte { return providertest.File(t, "testdata/"+name) }
	for name, test := range map[string]struct {
		status int
		body   []byte
		kind   providers.Kind
		says   string
	}{
		"validation, HTTP 422":   {422, file("validation.json"), providers.Rejected, "The uid format is invalid."},
		"validation, HTTP 200":   {200, file("validation.json"), providers.Rejected, "Invalid rcpt_ref format"},
		"server error, HTTP 500": {500, file("server_error.json"), providers.Transient, "Failed to fetch recipient"},
		"server error, HTTP 200": {200, file("server_error.json"), providers.Transient, "具体异常信息"},
		"refused, HTTP 401":      {401, []byte(`{"success":false,"message":"Unauthenticated","errors":""}`), providers.Credentials, "GLOBFAX_API_SECRET"},
		"no such page":           {404, []byte(`{"message":"Not Found"}`), providers.Rejected, "check endpoint"},
		"no status":              {200, []byte(`{"success":true,"data":{"rcpt_ref":"rcpt_111aaa"}}`), providers.WrongContent, "no status"},
		"no data":                {200, []byte(`{"success":true,"data":null}`), providers.WrongContent, "lacks"},
		"status twice":           {200, []byte(`{"success":true,"data":{"rcpt_ref":"rcpt_111aaa","status":"failed","status":"success"}}`), providers.WrongContent, "status twice"},
	} {
		_, err := globfax.Definition().Observe(target(t, "rcpt_111aaa"), providers.Answer{Status: test.status, Body: test.body, Complete: true})
		if err == nil || providers.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v (%v)", name, err, providers.KindOf(err))
		}
	}
	for _, status := range []int{200, 404, 422, 500} {
		o, err := globfax.Definition().Observe(target(t, "rcpt_111aaa"), providers.Answer{Status: status, Body: file("not_found.json"), Complete: true})
		if err != nil || !o.NotFound {
			t.Errorf("not found with HTTP %d: %+v, %v", status, o, err)
		}
	}
}

// observed is one field set in the page's example, observed.
func observed(t *testing.T, field, value string, zone cty.Value) cty.Value {
	t.Helper()
	var answer struct {
		Success bool                       `json:"success"`
		Data    map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(providertest.File(t, "testdata/success.json"), &answer); err != nil {
		t.Fatal(err)
	}
	answer.Data[field] = json.RawMessage(value)
	body, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	target := target(t, "rcpt_111aaa")
	target.Config = cty.ObjectVal(map[string]cty.Value{"time_zone": zone})
	o, err := globfax.Definition().Observe(target, providertest.OK(body))
	if err != nil {
		t.Fatalf("%s = %s: %v", field, value, err)
	}
	return o.Seen
}

func TestFields(t *testing.T) {
	shanghai, null := cty.StringVal("Asia/Shanghai"), cty.NullVal(cty.String)
	for _, test := range []struct {
		field, value, attribute string
		zone                    cty.Value
		want                    string
	}{
		{"completed_at", `"2025-02-22 14:31:20"`, "completed_at", shanghai, `"2025-02-22T14:31:20+08:00"`},
		{"completed_at", `"2025-02-22 14:31:20"`, "completed_at", null, `"2025-02-22T14:31:20+08:00"`},
		{"completed_at", `"2025-07-22 14:31:20"`, "completed_at", cty.StringVal("Europe/Berlin"), `"2025-07-22T14:31:20+02:00"`},
		{"completed_at", `"2025-02-22T14:31:20Z"`, "completed_at", shanghai, `"2025-02-22T14:31:20Z"`},
		{"completed_at", `null`, "completed_at", shanghai, `null`},
		{"completed_at", `""`, "completed_at", shanghai, `null`},
		{"completed_at", `"0000-00-00 00:00:00"`, "completed_at", shanghai, `null`},
		{"completed_at", `"0000-00-00 00:00:00"`, "extra", shanghai, `{"completed_at":"0000-00-00 00:00:00"}`},
		{"charged_amount", `12345678901234567890.123456789`, "charged_amount", shanghai, `12345678901234567890.123456789`},
		{"charged_amount", `"1.50"`, "charged_amount", shanghai, `1.5`},
		{"charged_amount", `1e999999999`, "charged_amount", shanghai, `null`},
		{"charged_amount", `1e999999999`, "extra", shanghai, `{"charged_amount":"1e999999999"}`},
		{"failed_code", `17`, "failed_code", shanghai, `"17"`},
		{"page_count", `{"a":1}`, "extra", shanghai, `{"page_count":{"a":1}}`},
		{"retries", `[1,{"at":null}]`, "extra", shanghai, `{"retries":[1,{"at":null}]}`},
		{"retries", strings.Repeat("[", 50) + strings.Repeat("]", 50), "status", shanghai, `"success"`},
		{"status", `"sending"`, "status", shanghai, `"sending"`},
		{"status", `"success"`, "extra", shanghai, `null`},
	} {
		got := providertest.Encode(t, observed(t, test.field, test.value, test.zone).GetAttr(test.attribute))
		if string(got) != test.want {
			t.Errorf("%s = %s: %s is %s, want %s", test.field, test.value, test.attribute, got, test.want)
		}
	}
}

func TestDerive(t *testing.T) {
	ty := globfax.Definition().Schema.Types[0]
	args := target(t, "r").Args
	seen := func(status string, price, pages, charged string) cty.Value {
		number := func(s string) cty.Value {
			if s == "" {
				return cty.NullVal(cty.Number)
			}
			return cty.MustParseNumberVal(s)
		}
		return cty.ObjectVal(map[string]cty.Value{
			"status": cty.StringVal(status), "unit_price": number(price), "page_count": number(pages), "charged_amount": number(charged),
			"failed_code": cty.StringVal("BUSY"), "failed_reason": cty.StringVal("Recipient line is busy"),
		})
	}
	for name, test := range map[string]struct {
		e                                        plan.Evidence
		outcome, reason, settled, cost, mismatch string
	}{
		"before the first read": {plan.Evidence{}, `"pending"`, `"not read yet"`, `false`, `null`, `null`},
		"gave up unread":        {plan.Evidence{GaveUp: true}, `"unknown"`, `"gave up after give_up_after; last known: not read yet"`, `true`, `null`, `null`},
		"success":               {plan.Evidence{Seen: seen("success", "0.1", "3", "0.3")}, `"succeeded"`, `"the fax was delivered"`, `true`, `0.3`, `false`},
		"failed":                {plan.Evidence{Seen: seen("failed", "0.5", "3", "1.5")}, `"failed"`, `"Recipient line is busy (BUSY)"`, `true`, `1.5`, `false`},
		"off by the last digit": {plan.Evidence{Seen: seen("success", "0.1", "3", "0.30000000000000004")}, `"succeeded"`, `"the fax was delivered"`, `true`, `0.30000000000000004`, `true`},
		"another status":        {plan.Evidence{Seen: seen("Success", "", "3", "1")}, `"pending"`, `"GlobFax reports status \"Success\""`, `false`, `1`, `null`},
		"gave up":               {plan.Evidence{Seen: seen("sending", "", "", ""), GaveUp: true}, `"unknown"`, `"gave up after give_up_after; last known: GlobFax reports status \"sending\""`, `true`, `null`, `null`},
		"gave up a success":     {plan.Evidence{Seen: seen("success", "1", "1", "1"), GaveUp: true}, `"succeeded"`, `"the fax was delivered"`, `true`, `1`, `false`},
		"gone":                  {plan.Evidence{Seen: seen("sending", "1", "1", "1"), NotFound: true}, `"unknown"`, `"GlobFax knows no such recipient: check that rcpt_ref is right, or whether the record was deleted there"`, `false`, `1`, `false`},
	} {
		test.e.Args = args
		got := ty.Derive(test.e)
		for attribute, want := range map[string]string{
			"outcome": test.outcome, "reason": test.reason, "settled": test.settled, "cost": test.cost, "charge_mismatch": test.mismatch,
		} {
			if text := string(providertest.Encode(t, got.GetAttr(attribute))); text != want {
				t.Errorf("%s: %s is %s, want %s", name, attribute, text, want)
			}
		}
		if want := test.cost != "null"; want == got.GetAttr("currency").IsNull() {
			t.Errorf("%s: currency is %#v", name, got.GetAttr("currency"))
		}
	}
}

func TestProviderBlock(t *testing.T) {
	schema := globfax.Definition().Schema
	check := func(name string, value cty.Value) []plan.Problem {
		values := map[string]cty.Value{name: value}
		for k, v := range config {
			if k != name {
				values[k] = v
			}
		}
		return schema.Check(providertest.Config(schema, values))
	}
	for _, test := range []struct {
		name  string
		value cty.Value
		says  string
	}{
		{"time_zone", cty.StringVal("Asia/Shangai"), "IANA"},
		{"time_zone", cty.StringVal("Local"), "IANA"},
		{"time_zone", cty.StringVal("../../etc/passwd"), "IANA"},
		{"endpoint", cty.StringVal("http://api.globfax.com"), "documents only http"},
		{"timeout", cty.StringVal("0s"), "longer than zero"},
		{"requests_per_second", cty.NumberIntVal(-1), "negative"},
		{"concurrency", cty.NumberIntVal(0), "from 1 to"},
		{"concurrency", cty.NumberFloatVal(1.5), "whole"},
		{"api_key", cty.StringVal("abc\n"), "trimspace"},
		{"api_secret", cty.StringVal("").Mark("sensitive"), "empty"},
	} {
		problems := check(test.name, test.value)
		if len(problems) != 1 || problems[0].Argument != test.name || !strings.Contains(problems[0].Detail, test.says) {
			t.Errorf("%s: %v", test.name, problems)
		}
	}
}

// What GlobFax is asked, as its page shows it.
func TestRequest(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = w.Write(providertest.File(t, "testdata/success.json"))
	}))
	defer server.Close()
	schema := globfax.Definition().Schema
	connection, err := globfax.Definition().Connect(providertest.Config(schema, map[string]cty.Value{
		"api_key": cty.StringVal(key), "api_secret": cty.StringVal(secret), "endpoint": cty.StringVal(server.URL + "/"), "min_interval": cty.StringVal("5s"),
	}), providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if connection.MinInterval != 5*time.Second || connection.Timeout != 30*time.Second {
		t.Errorf("%+v", connection)
	}
	answer, err := connection.Poller.Poll(context.Background(), target(t, "rcpt_111aaa"))
	if err != nil || !answer.Complete {
		t.Fatalf("%+v, %v", answer, err)
	}
	if got.Method != "GET" || got.RequestURI != "/api/v2/fax/recipients/rcpt_111aaa" || got.Header.Get("X-API-Key") != key || got.Header.Get("X-API-Secret") != secret {
		t.Errorf("%s %s %v", got.Method, got.RequestURI, got.Header)
	}
	if got.ContentLength != 0 || len(got.TransferEncoding) != 0 {
		t.Errorf("a GET with a body: %d %v", got.ContentLength, got.TransferEncoding)
	}
}

func FuzzObserve(f *testing.F) {
	for _, name := range []string{"success", "failed", "validation", "not_found", "server_error"} {
		f.Add(providertest.File(f, "testdata/"+name+".json"))
	}
	d := globfax.Definition()
	ty := d.Schema.Types[0]
	target := target(f, "rcpt_111aaa")
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := d.Observe(target, providertest.OK(body))
		if err != nil || o.NotFound {
			return
		}
		v := ty.Derive(plan.Evidence{Args: target.Args, Seen: o.Seen})
		if errs := v.Type().TestConformance(ty.ObservedType()); len(errs) > 0 {
			t.Fatal(errs)
		}
		if !bytes.Equal(providertest.Encode(t, v), providertest.Encode(t, v)) {
			t.Fatal("encoded twice")
		}
	})
}
