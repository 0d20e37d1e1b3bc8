package itniotech_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/itniotech"
	"github.com/waybill-dev/waybill/providers/providertest"
)

const (
	key    = "bDqJFiq9"
	secret = "7bz1lzh9"
)

func orderType(t testing.TB) *plan.Type {
	return providertest.TypeOf(t, itniotech.Definition().Schema, "itniotech_otp_order")
}

func target(t testing.TB, order string) providers.Target {
	ty := orderType(t)
	args := providertest.Args(ty, map[string]cty.Value{"order_id": cty.StringVal(order), "app_id": cty.StringVal("ad454212")})
	return providers.Target{Type: ty.Name, Identity: ty.Identity(args), Args: args}
}

func TestSuite(t *testing.T) {
	good := providertest.File(t, "testdata/matched.json")
	providertest.Run(t, providertest.Vendor{
		Definition: itniotech.Definition(),
		Config:     map[string]cty.Value{"api_key": cty.StringVal(key), "api_secret": cty.StringVal(secret)},
		Secrets:    []string{key, secret},
		Args:       map[string]map[string]cty.Value{"itniotech_otp_order": {"order_id": cty.StringVal("1234566")}},
		Good:       good,
		Other:      []byte(strings.ReplaceAll(string(good), "1234566", "7654321")),
		NotFound:   []byte(`{"status":"0","reason":"success","data":null}`),
		Refused:    []byte(`{"status":"-1","reason":"authentication failed for 8613812345678","data":null}`),
	})
}

// The page's own example, as it is observed and what it comes to.
func TestGolden(t *testing.T) {
	target := target(t, "1234566")
	o, err := itniotech.Definition().Observe(target, providertest.OK(providertest.File(t, "testdata/matched.json")))
	if err != nil {
		t.Fatal(err)
	}
	providertest.Golden(t, "matched.golden.json", map[string]json.RawMessage{
		"seen":    providertest.Encode(t, o.Seen),
		"derived": providertest.Encode(t, orderType(t).Derive(plan.Evidence{Args: target.Args, Seen: o.Seen})),
	})
}

func observe(t *testing.T, status int, body string) (plan.Observation, error) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return itniotech.Definition().Observe(target(t, "1"), providers.Answer{At: at, Status: status, Body: []byte(body), Complete: true})
}

func TestErrors(t *testing.T) {
	for name, test := range map[string]struct {
		body string
		kind providers.Kind
		says string
	}{
		"account":        {`{"status":"-1","reason":"x"}`, providers.Credentials, "ITNIOTECH_API_SECRET"},
		"account, int":   {`{"status":-1,"reason":"x"}`, providers.Credentials, "ITNIOTECH_API_SECRET"},
		"address":        {`{"status":"-2","reason":"ip"}`, providers.Permission, "allowed addresses"},
		"too often":      {`{"status":"-15","reason":"query too frequently"}`, providers.Throttled, "requests_per_second"},
		"clock":          {`{"status":"-16","reason":"timestamp expired"}`, providers.Credentials, "clock, 2026-01-02T03:04:05Z"},
		"system":         {`{"status":"-18","reason":"x"}`, providers.Transient, "-18"},
		"not listed":     {`{"status":"-99","reason":"x"}`, providers.Rejected, "-99"},
		"no status":      {`{"reason":"x","data":{}}`, providers.WrongContent, "no status"},
		"data is words":  {`{"status":"0","data":"none"}`, providers.WrongContent, "data"},
		"two orders":     {`{"status":"0","data":[{"orderId":"1"},{"orderId":"2"}]}`, providers.WrongContent, "data"},
		"no order id":    {`{"status":"0","data":{"flowId":1}}`, providers.WrongContent, "another order"},
		"inner order id": {`{"status":"0","data":{"orderId":"1","verifications":{"orderId":"2"}}}`, providers.WrongContent, "another order"},
		"matched twice":  {`{"status":"0","data":{"orderId":"1","verifications":{"matched":2,"matched":0}}}`, providers.WrongContent, "matched twice"},
		"verifications":  {`{"status":"0","data":{"orderId":"1","verifications":5}}`, providers.WrongContent, "verifications"},
	} {
		if _, err := observe(t, 200, test.body); err == nil || providers.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v (%v)", name, err, providers.KindOf(err))
		}
	}
	if _, err := observe(t, 500, `{"status":"-16","reason":"x"}`); !strings.Contains(err.Error(), "clock") {
		t.Errorf("-16 with HTTP 500: %v", err)
	}
	const ofAFramework = `{"timestamp":1630468800000,"status":500,"error":"Internal Server Error"}`
	if _, err := observe(t, 500, ofAFramework); providers.KindOf(err) != providers.Transient {
		t.Errorf("a framework's answer with HTTP 500: %v", err)
	}
	if _, err := observe(t, 500, `{"status":"0"}`); providers.KindOf(err) != providers.Transient {
		t.Errorf("0 with HTTP 500: %v", err)
	}
}

// No data, empty data and -22 are what an order that is not known may get.
func TestNotFound(t *testing.T) {
	for _, body := range []string{
		`{"status":"0","data":null}`, `{"status":0}`, `{"status":"0","data":{}}`, `{"status":"0","data":[]}`, `{"status":"0","data":""}`,
		`{"status":"-22","reason":"param error"}`, `{"status":-22}`,
	} {
		o, err := observe(t, 200, body)
		if err != nil || !o.NotFound {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
	}
}

// Each form in which the page, its example and sibling interfaces differ.
func TestForms(t *testing.T) {
	for name, test := range map[string]struct{ fields, path, want string }{
		"currency":                  {`"sms":[{"currency":"EUR"}]`, "sms.settle_currency", `"EUR"`},
		"settleCurrency":            {`"sms":[{"settleCurrency":"EUR"}]`, "sms.settle_currency", `"EUR"`},
		"both, alike":               {`"sms":[{"settleCurrency":"EUR","currency":"EUR"}]`, "extra", `null`},
		"both, different":           {`"sms":[{"settleCurrency":"EUR","currency":"USD"}]`, "extra", `{"sms[0].currency":"USD"}`},
		"billPeriod":                {`"call":[{"billPeriod":"20+20"}]`, "call.bill_period", `"20+20"`},
		"billPeriodstring":          {`"call":[{"billPeriodstring":"20+20"}]`, "call.bill_period", `"20+20"`},
		"an object for a list":      {`"sms":{"settlePay":"0.010"}`, "sms.settle_pay", `"0.010"`},
		"null for a list":           {`"sms":null`, "sms", `[]`},
		"a list that is missing":    {`"x":1`, "sna", `[]`},
		"an odd entry":              {`"sms":[{"sender":"a"},7,null]`, "extra", `{"sms[1]":7}`},
		"money as a number":         {`"call":[{"cost":0.1000}]`, "call.cost", `"0.1000"`},
		"money that is long":        {`"call":[{"settlePay":"0.12345678901234567890123456789012345678901"}]`, "call.settle_pay", `"0.12345678901234567890123456789012345678901"`},
		"a status in a string":      {`"sms":[{"status":"0"}]`, "sms.status", `0`},
		"a count that is words":     {`"sms":[{"chargeCnt":"one"}]`, "extra", `{"sms[0].chargeCnt":"one"}`},
		"no display number":         {`"call":[{"displayNum":null}]`, "call.display_num", `null`},
		"a time":                    {`"call":[{"answerTime":"2022-07-12T13:59:56+08:00"}]`, "call.answer_time", `"2022-07-12T13:59:56+08:00"`},
		"no time":                   {`"call":[{"answerTime":""}]`, "call.answer_time", `null`},
		"a time without its zone":   {`"call":[{"answerTime":"2022-07-12 13:59:56"}]`, "extra", `{"call[0].answerTime":"2022-07-12 13:59:56"}`},
		"unknown fields":            {`"new":{"a":[true]},"sna":[{"foo":1},{"foo":2}]`, "extra", `{"new":{"a":[true]},"sna[0].foo":1,"sna[1].foo":2}`},
		"an unknown one within":     {`"verifications":{"matched":0,"device":"x"}`, "extra", `{"verifications.device":"x"}`},
		"matched in a string":       {`"verifications":{"matched":"2"}`, "matched", `2`},
		"verifications in a list":   {`"verifications":[{"matched":1}]`, "matched", `1`},
		"the order id only within":  {`"verifications":{"matched":1,"orderId":1}`, "matched", `1`},
		"flowId beyond all numbers": {`"flowId":1e999999`, "extra", `{"flowId":"1e999999"}`},
	} {
		body := `{"status":"0","data":{"orderId":"1",` + test.fields + `}}`
		o, err := observe(t, 200, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list, field, nested := strings.Cut(test.path, ".")
		v := o.Seen.GetAttr(list)
		if nested {
			v = v.Index(cty.Zero).GetAttr(field)
		}
		if got := string(providertest.Encode(t, v)); got != test.want {
			t.Errorf("%s: %s is %s, want %s", name, test.path, got, test.want)
		}
	}
}

func TestDerive(t *testing.T) {
	sent := time.Date(2022, 7, 12, 5, 39, 45, 0, time.UTC)
	const sms = `"sms":[{"sendTm":"2022-07-12T13:39:45+08:00","settlePay":"0.01","currency":"EUR"},{"sendTm":"2022-07-12T13:50:00+08:00","settlePay":"0.02","currency":"EUR"}]`
	for name, test := range map[string]struct {
		data               string // "" before the first read
		notFound, gaveUp   bool
		now                time.Time
		outcome, cost, why string
		settled            bool
	}{
		"before the first read":      {"", false, false, sent, "pending", "null", "not read yet", false},
		"no data":                    {"", true, false, sent, "unknown", "null", "no data", false},
		"gave up without data":       {"", true, true, sent, "unknown", "null", "gave up", true},
		"right":                      {`"verifications":{"matched":0,"channel":"sms"},` + sms, false, false, sent, "succeeded", "0.03", "right code", true},
		"not checked":                {`"verifications":{"matched":-1},` + sms, false, false, sent.Add(10*time.Minute - 1), "pending", "0.03", "valid until 2022-07-12T05:49:45Z", false},
		"not checked in time":        {`"verifications":{"matched":-1},` + sms, false, false, sent.Add(10 * time.Minute), "failed", "0.03", "not verified within 10m after it was sent: no code was entered", true},
		"being sent":                 {`"verifications":{"matched":1}`, false, false, sent.Add(10*time.Minute - 1), "pending", "null", "being sent", false},
		"being sent for too long":    {`"verifications":{"matched":1}`, false, false, sent.Add(10 * time.Minute), "failed", "null", "after the first read", true},
		"wrong code":                 {`"verifications":{"matched":2,"channel":"sms"},` + sms, false, false, sent, "pending", "0.03", "wrong code", false},
		"wrong code to the end":      {`"verifications":{"matched":2},` + sms, false, false, sent.Add(time.Hour), "failed", "0.03", "wrong code", true},
		"gave up before it failed":   {`"verifications":{"matched":2},` + sms, false, true, sent, "unknown", "0.03", "gave up", true},
		"no such verification":       {`"verifications":{"matched":3}`, false, false, sent.Add(time.Hour), "unknown", "null", "matched 3", false},
		"no verifications":           {`"flowId":1`, false, false, sent.Add(time.Hour), "unknown", "null", "no result", false},
		"a result that is not known": {`"verifications":{"matched":9}`, false, false, sent.Add(time.Hour), "unknown", "null", "matched 9", false},
		"the other channel counts":   {`"verifications":{"matched":0,"channel":"call"},"call":[{"settlePay":"0.5","settleCurrency":"USD"}],` + sms, false, false, sent, "succeeded", "0.5", "", true},
		"two currencies":             {`"verifications":{"matched":0,"channel":"sms"},"sms":[{"settlePay":"1","currency":"EUR"},{"settlePay":"1","currency":"USD"}]`, false, false, sent, "succeeded", "null", "", true},
		"a price that is words":      {`"verifications":{"matched":0,"channel":"sms"},"sms":[{"settlePay":"free","currency":"EUR"}]`, false, false, sent, "succeeded", "null", "", true},
		"exact":                      {`"verifications":{"matched":0,"channel":"sna"},"sna":[` + strings.TrimSuffix(strings.Repeat(`{"settlePay":"0.1","currency":"EUR"},`, 10), ",") + `]`, false, false, sent, "succeeded", "1", "", true},
		"a failure of the channel":   {`"verifications":{"matched":-1},"call":[{"callTime":"2022-07-12T13:39:45+08:00","terminationCode":100005,"terminationReason":"Temporarily Unavailable"}]`, false, false, sent.Add(time.Hour), "failed", "null", "call: Temporarily Unavailable (100005)", true},
	} {
		e := plan.Evidence{Args: target(t, "1").Args, NotFound: test.notFound, GaveUp: test.gaveUp, Now: test.now}
		if test.data != "" {
			o, err := observe(t, 200, `{"status":"0","data":{"orderId":"1",`+test.data+`}}`)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e.Seen, e.FirstReadAt = o.Seen, sent
		}
		v := orderType(t).Derive(e)
		cost := string(providertest.Encode(t, v.GetAttr("cost")))
		if v.GetAttr("outcome").AsString() != test.outcome || v.GetAttr("settled").True() != test.settled || cost != test.cost || !strings.Contains(v.GetAttr("reason").AsString(), test.why) {
			t.Errorf("%s: %s, cost %s, settled %v: %s", name, v.GetAttr("outcome").AsString(), cost, v.GetAttr("settled").True(), v.GetAttr("reason").AsString())
		}
	}
}

func TestIdentity(t *testing.T) {
	ty := orderType(t)
	for app, want := range map[string]string{"": "1", "app": "app/1"} {
		if got := ty.Identity(providertest.Args(ty, map[string]cty.Value{"order_id": cty.StringVal("1"), "app_id": cty.StringVal(app)})); got != want {
			t.Errorf("%q: %s", app, got)
		}
	}
	if got := ty.Identity(providertest.Args(ty, map[string]cty.Value{"order_id": cty.StringVal("1")})); got != "1" {
		t.Error(got)
	}
	if problems := ty.Check(providertest.Args(ty, map[string]cty.Value{"order_id": cty.StringVal("1"), "valid_for": cty.StringVal("0s")})); len(problems) != 1 {
		t.Errorf("%v", problems)
	}
}

// What itniotech is asked, as its page shows it.
func TestRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	connection, err := itniotech.Definition().Connect(providertest.Config(itniotech.Definition().Schema, map[string]cty.Value{
		"api_key": cty.StringVal(key), "api_secret": cty.StringVal(secret), "endpoint": cty.StringVal(server.URL + "/otp"),
	}), providers.Options{Now: func() time.Time { return time.Unix(1630468800, 999) }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Poller.Poll(context.Background(), target(t, "1234566")); err != nil {
		t.Fatal(err)
	}
	h := got.Header
	if got.Method != "POST" || got.RequestURI != "/otp/verification/orderId/record" || h.Get("Content-Type") != "application/json;charset=UTF-8" ||
		h.Get("Sign") != "05d7a50893e22a5c4bb3216ae3396c7c" || h.Get("Timestamp") != "1630468800" || h.Get("Api-Key") != key {
		t.Errorf("%s %s %v", got.Method, got.RequestURI, h)
	}
	if string(body) != `{"appId":"ad454212","orderId":"1234566"}` || got.ContentLength != int64(len(body)) {
		t.Errorf("%d: %s", got.ContentLength, body)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(providertest.File(f, "testdata/matched.json"))
	f.Add([]byte(`{"status":"-16","reason":"timestamp expired","data":null}`))
	f.Add([]byte(`{"status":0,"data":[{"orderId":1234566,"sms":{"sendTm":""},"verifications":null}]}`))
	d := itniotech.Definition()
	ty := orderType(f)
	target := target(f, "1234566")
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := d.Observe(target, providertest.OK(body))
		if err != nil || o.NotFound {
			return
		}
		v := ty.Derive(plan.Evidence{Args: target.Args, Seen: o.Seen})
		if errs := v.Type().TestConformance(ty.ObservedType()); len(errs) > 0 {
			t.Fatal(errs)
		}
		providertest.Encode(t, v)
	})
}
