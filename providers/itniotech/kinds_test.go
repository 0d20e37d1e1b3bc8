package itniotech_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/itniotech"
	"github.com/waybill-dev/waybill/providers/providertest"
)

func TestOtherForms(t *testing.T) {
	target := target(t, "o1")
	o, err := itniotech.Definition().Observe(target, providertest.OK(providertest.File(t, "testdata/zero_without_currency.json")))
	if err != nil {
		t.Fatal(err)
	}
	v := orderType(t).Derive(plan.Evidence{Args: target.Args, Seen: o.Seen})
	if string(providertest.Encode(t, v.GetAttr("cost"))) != "0.2" || v.GetAttr("currency").AsString() != "EUR" {
		t.Errorf("%#v", v)
	}
}

// The cost is the sum of what was stated, in one currency. What was not charged
// takes nothing away from it; what cannot be summed is told in the reason.
func TestCosts(t *testing.T) {
	for name, test := range map[string]struct{ channel, entries, cost, currency, says string }{
		"zero without currency":      {`"sms"`, `{"settlePay":"0","currency":null},{"settlePay":"0.2","currency":"EUR"}`, "0.2", `"EUR"`, ""},
		"zero last":                  {`"sms"`, `{"settlePay":"0.2","currency":"EUR"},{"settlePay":0}`, "0.2", `"EUR"`, ""},
		"zero in another currency":   {`"sms"`, `{"settlePay":"0.00","currency":"USD"},{"settlePay":"0.2","currency":"EUR"}`, "0.2", `"EUR"`, ""},
		"only zeros":                 {`"sms"`, `{"settlePay":"0","currency":null},{"settlePay":"0.00","currency":""}`, "0", `null`, ""},
		"only zeros, one currency":   {`"sms"`, `{"settlePay":"0","currency":null},{"settlePay":"0","currency":"EUR"}`, "0", `"EUR"`, ""},
		"nothing stated":             {`"sms"`, `{"settlePay":""},{"settlePay":null},{}`, "null", `null`, ""},
		"some not stated":            {`"sms"`, `{"settlePay":"","currency":"USD"},{"settlePay":"0.2","currency":"EUR"},{}`, "0.2", `"EUR"`, ""},
		"small letters":              {`"sms"`, `{"settlePay":"0.1","currency":"eur"},{"settlePay":"0.2","currency":" EUR "}`, "0.3", `"EUR"`, ""},
		"no currency at all":         {`"sms"`, `{"settlePay":"0.2"}`, "0.2", `null`, "currency"},
		"one without currency":       {`"sms"`, `{"settlePay":"0.2"},{"settlePay":"0.1","currency":"EUR"}`, "null", `null`, "0.2"},
		"two currencies":             {`"sms"`, `{"settlePay":"0.2","currency":"USD"},{"settlePay":"0.1","currency":"EUR"}`, "null", `null`, "USD"},
		"words":                      {`"sms"`, `{"settlePay":"free","currency":"EUR"},{"settlePay":"0.1","currency":"EUR"}`, "null", `null`, "settle_pay"},
		"an object":                  {`"sms"`, `{"settlePay":{"a":1},"currency":"EUR"},{"settlePay":"0.1","currency":"EUR"}`, "null", `null`, "settle_pay"},
		"in a list":                  {`"sms"`, `{"settlePay":["0.1"],"currency":"EUR"}`, "0.1", `"EUR"`, ""},
		"the channel in capitals":    {`" SMS "`, `{"settlePay":"0.1","currency":"EUR"}`, "0.1", `"EUR"`, ""},
		"the channel is not told":    {`null`, `{"settlePay":"0.1","currency":"EUR"}`, "0.1", `"EUR"`, ""},
		"the channel is unread":      {`["sms","call"]`, `{"settlePay":"0.1","currency":"EUR"}`, "0.1", `"EUR"`, ""},
		"the channel is another":     {`"text"`, `{"settlePay":"0.1","currency":"EUR"}`, "0.1", `"EUR"`, ""},
		"the channel has no entry":   {`"call"`, `{"settlePay":"0.1","currency":"EUR"}`, "null", `null`, ""},
		"no channel, two lists":      {`null`, `{"settlePay":"0.1","currency":"EUR"}],"call":[{"settlePay":"0.2","currency":"EUR"}`, "null", `null`, "sms and call"},
		"no channel, no entries":     {`null`, ``, "null", `null`, ""},
		"no channel, an odd entry":   {`null`, `7`, "null", `null`, "sms"},
		"settlePay twice":            {`"sms"`, `{"settlePay":"0.1","settlePay":"0.2","currency":"EUR"}`, "null", `null`, "settle_pay"},
		"an entry that is no object": {`"sms"`, `{"settlePay":"0.1","currency":"EUR"},7`, "null", `null`, "sms[1]"},
		"more than 34 digits, exact": {`"sms"`, `{"settlePay":"0.0000000000000000000000000000000001","currency":"EUR"}`, "0.0000000000000000000000000000000001", `"EUR"`, ""},
	} {
		body := `{"status":"0","data":{"orderId":"1","verifications":{"matched":0,"channel":` + test.channel + `},"sms":[` + test.entries + `]}}`
		o, err := observe(t, 200, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v := orderType(t).Derive(plan.Evidence{Args: target(t, "1").Args, Seen: o.Seen})
		cost, currency, reason := string(providertest.Encode(t, v.GetAttr("cost"))), string(providertest.Encode(t, v.GetAttr("currency"))), v.GetAttr("reason").AsString()
		if v.GetAttr("outcome").AsString() != "succeeded" || cost != test.cost || currency != test.currency || !strings.Contains(reason, test.says) || test.says == "" && reason != "the right code was entered" {
			t.Errorf("%s: cost %s %s, %s", name, cost, currency, reason)
		}
	}
}

// Envelopes and details in other forms cost no result of the check.
func TestEnvelopes(t *testing.T) {
	for _, body := range []string{
		`{"status":["0"],"data":{"orderId":"1","verifications":{"matched":0}}}`,
		`{"status":" 0 ","data":{"orderId":"1","verifications":{"matched":"0"}}}`,
		`{"status":"0","reason":{"a":1},"data":{"orderId":1,"verifications":{"matched":0.0}}}`,
		`{"status":"0","reason":"a","reason":"b","data":{"orderId":"1","verifications":{"matched":[0]}}}`,
		`{"status":"0","data":{"orderId":"1","matched":0}}`,
		`{"status":"0","data":{"orderId":"1","verifications":null,"matched":"0","channel":"sms"}}`,
		`{"status":"0","data":{"orderId":"1","verifications":"","matched":0}}`,
		`{"status":"0","data":[{"orderId":"1","verifications":[{"matched":0}]}]}`,
		`{"status":"0","data":{"orderId":"1","flowId":1,"flowId":2,"verifications":{"matched":0}}}`,
		`{"status":"0","data":{"orderId":"1","flowId":{"a":1},"sms":5,"call":"x","sna":[[]],"verifications":{"matched":0,"verifiedDate":true,"channel":["sms","call"]}}}`,
		`{"status":"0","data":{"orderId":"1","sms":[{"status":"ok","sendTm":"soon","mcc":{}}],"verifications":{"matched":0}}}`,
	} {
		o, err := observe(t, 200, body)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if v := orderType(t).Derive(plan.Evidence{Args: target(t, "1").Args, Seen: o.Seen}); v.GetAttr("outcome").AsString() != "succeeded" {
			t.Errorf("%s: %#v", body, v)
		}
	}
	for body, says := range map[string]string{
		`{"status":"0","status":"-1","data":{"orderId":"1","verifications":{"matched":0}}}`:      "status twice",
		`{"status":false,"data":{"orderId":"1","verifications":{"matched":0}}}`:                  "status",
		`{"status":"0","data":{"orderId":"1","verifications":{"matched":0,"matched":2}}}`:        "matched twice",
		`{"status":"0","data":{"orderId":"1","verifications":[{"matched":0},{"matched":2}]}}`:    "verifications",
		`{"status":"0","data":{"orderId":"1","orderId":"2","verifications":{"matched":0}}}`:      "orderId twice",
		`{"status":"0","data":{"orderId":"1","verifications":{"matched":0},"verifications":{}}}`: "verifications twice",
	} {
		if _, err := observe(t, 200, body); providers.KindOf(err) != providers.WrongContent || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", body, err)
		}
	}
	// A result that is there and cannot be read is no result, and the reason says so.
	for _, matched := range []string{`true`, `"yes"`, `{"a":1}`, `[0,2]`, `1e99999`, `0.5`} {
		o, err := observe(t, 200, `{"status":"0","data":{"orderId":"1","verifications":{"matched":`+matched+`}}}`)
		if err != nil {
			t.Errorf("%s: %v", matched, err)
			continue
		}
		v := orderType(t).Derive(plan.Evidence{Args: target(t, "1").Args, Seen: o.Seen, Now: time.Now()})
		if v.GetAttr("outcome").AsString() != "unknown" || v.GetAttr("settled").True() || !strings.Contains(v.GetAttr("reason").AsString(), "matched") {
			t.Errorf("%s: %#v", matched, v)
		}
	}
}

// Times in the forms that vendors mix, in every field that is a time.
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		`"2022-07-12T13:39:45+08:00"`: `"2022-07-12T13:39:45+08:00"`, `"2022-07-12T13:39:45.123Z"`: `"2022-07-12T13:39:45.123Z"`,
		`"2022-07-12T13:39:45+0800"`: `"2022-07-12T13:39:45+08:00"`, `"2022-07-12 13:39:45+08:00"`: `"2022-07-12T13:39:45+08:00"`,
		`1657604385`: `"2022-07-12T05:39:45Z"`, `"1657604385"`: `"2022-07-12T05:39:45Z"`, `1657604385123`: `"2022-07-12T05:39:45.123Z"`,
		`1.657604385e9`: `"2022-07-12T05:39:45Z"`, `0`: `null`, `"0"`: `null`, `""`: `null`, `null`: `null`, `[]`: `null`, `"soon"`: `null`, `true`: `null`, `-1`: `null`,
	} {
		o, err := observe(t, 200, `{"status":"0","data":{"orderId":"1","verifications":{"matched":0,"verifiedDate":`+text+`}}}`)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := string(providertest.Encode(t, o.Seen.GetAttr("verified_date"))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
