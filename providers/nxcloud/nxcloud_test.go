package nxcloud_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/nxcloud"
	"github.com/waybill-dev/waybill/providers/providertest"
)

const (
	token = "token-0123456789abcdef"
	next  = "another-token-0123456789"
)

func tokens(list ...string) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	values := make([]cty.Value, len(list))
	for i, s := range list {
		values[i] = cty.StringVal(s)
	}
	return cty.ListVal(values)
}

func TestSuite(t *testing.T) {
	providertest.Run(t, providertest.Vendor{
		Definition: nxcloud.Definition(),
		Config:     map[string]cty.Value{"callback.tokens": tokens(token)},
		Secrets:    []string{token},
		Args:       map[string]map[string]cty.Value{"nxcloud_number_check": {"batch_no": cty.StringVal("901946960376")}},
		Good:       providertest.File(t, "testdata/basic.json"),
	})
}

func read(t testing.TB, body string) plan.Record {
	t.Helper()
	page := nxcloud.Definition().Records(providertest.OK([]byte(body)))
	if len(page.Records) != 1 || !page.Whole || page.Err != nil {
		t.Fatalf("%.100s: %+v", body, page)
	}
	return page.Records[0]
}

// The page's own examples.
func TestGolden(t *testing.T) {
	for _, name := range []string{"basic", "hlr", "failure"} {
		r := read(t, string(providertest.File(t, "testdata/"+name+".json")))
		providertest.Golden(t, name+".golden.json", map[string]any{
			"key": r.Key, "identity": r.Identity, "outcome": r.Outcome, "code": r.Code, "amount": r.Amount.Text('f'), "currency": r.Currency,
			"quarantined": r.Quarantined, "attributes": r.Attributes,
		})
	}
}

// body is a good callback with some fields replaced; "" takes one out.
func body(fields ...string) string {
	values := map[string]string{
		"requestId": `"r-1"`, "code": "0", "message": `"ok"`, "batchNo": `"901"`, "phone": `"86xxx"`,
		"data": `{"country":"CN"}`, "cost": `{"price":0.002,"currency":"CNY"}`,
	}
	for i := 0; i < len(fields); i += 2 {
		values[fields[i]] = fields[i+1]
	}
	var parts []string
	for name, value := range values {
		if value != "" {
			parts = append(parts, `"`+name+`":`+value)
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func TestUnderstood(t *testing.T) {
	for name, test := range map[string]struct {
		body, code, amount, currency string
		outcome                      plan.Outcome
	}{
		"code is an int":        {body(), "0", "0.002", "CNY", plan.Succeeded},
		"code is a string":      {body("code", `"0"`), "0", "0.002", "CNY", plan.Succeeded},
		"code is a failure":     {body("code", `"266"`, "data", "null"), "266", "0.002", "CNY", plan.Failed},
		"code -1":               {body("code", `-1`), "-1", "0.002", "CNY", plan.Failed},
		"message of the table":  {body("message", `"Success"`), "0", "0.002", "CNY", plan.Succeeded},
		"message says failure":  {body("message", `"failed"`), "0", "0.002", "CNY", plan.Succeeded},
		"price to the digit":    {body("cost", `{"price":0.00210000000000000000001,"currency":"EUR"}`), "0", "0.00210000000000000000001", "EUR", plan.Succeeded},
		"price is a string":     {body("cost", `{"price":"0.0020","currency":"CNY"}`), "0", "0.0020", "CNY", plan.Succeeded},
		"price with exponent":   {body("cost", `{"price":2e-3,"currency":"CNY"}`), "0", "0.002", "CNY", plan.Succeeded},
		"no cost":               {body("cost", "null"), "0", "", "", plan.Succeeded},
		"cost is missing":       {body("cost", ""), "0", "", "", plan.Succeeded},
		"no price":              {body("cost", `{"price":null,"currency":"CNY"}`), "0", "", "", plan.Succeeded},
		"no data":               {body("data", ""), "0", "0.002", "CNY", plan.Succeeded},
		"an empty list of data": {body("data", "[]"), "0", "0.002", "CNY", plan.Succeeded},
		"unknown fields":        {body("new", `{"a":[1]}`, "data", `{"country":"CN","carried":true}`), "0", "0.002", "CNY", plan.Succeeded},
		"batchNo is a number":   {body("batchNo", "901946960376"), "0", "0.002", "CNY", plan.Succeeded},
		"64 characters":         {body("requestId", `"`+strings.Repeat("é", 64)+`"`), "0", "0.002", "CNY", plan.Succeeded},
	} {
		r := read(t, test.body)
		amount := ""
		if r.Amount != nil {
			amount = r.Amount.Text('f')
		}
		if r.Quarantined != "" || r.Outcome != test.outcome || r.Code != test.code || amount != test.amount || r.Currency != test.currency || r.Key == "" || r.Identity == "" {
			t.Errorf("%s: %+v", name, r)
		}
		if name == "unknown fields" && !bytes.Contains(r.Attributes, []byte(`"extra":{"data.carried":true,"new":{"a":[1]}}`)) {
			t.Errorf("%s: %s", name, r.Attributes)
		}
	}
}

// Whatever was pushed is one record, with the key that could be read.
func TestQuarantined(t *testing.T) {
	for name, test := range map[string]struct{ body, key, says string }{
		"no body":                {"", "", "no body"},
		"cut":                    {body()[:40], "", "not a JSON object"},
		"form":                   {"requestId=r-1&code=0", "", "not a JSON object"},
		"no requestId":           {body("requestId", ""), "", "requestId"},
		"requestId is an object": {body("requestId", "{}"), "", "requestId"},
		"requestId too long":     {body("requestId", `"`+strings.Repeat("a", 65)+`"`), strings.Repeat("a", 65), "64"},
		"no batchNo":             {body("batchNo", ""), "r-1", "batchNo"},
		"no code":                {body("code", "null"), "r-1", "code"},
		"code is words":          {body("code", `"ok"`), "r-1", "code"},
		"code is a fraction":     {body("code", `0.5`), "r-1", "code"},
		"code is huge":           {body("code", `1e99999999`), "r-1", "code"},
		"code twice":             {`{"requestId":"r-1","batchNo":"9","code":266,"code":0}`, "r-1", "code twice"},
	} {
		r := read(t, test.body)
		if r.Quarantined == "" || !strings.Contains(r.Quarantined, test.says) || r.Key != test.key || r.Amount != nil || r.Outcome != plan.Unknown || !json.Valid(r.Attributes) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A retry of NXCLOUD's is the same record, whatever its spacing; another price
// is not.
func TestDigest(t *testing.T) {
	a := read(t, `{"requestId":"r","code":0,"cost":{"price":0.002,"currency":"CNY"},"batchNo":"1"}`)
	b := read(t, "{ \"batchNo\" : \"1\",\n\"code\":0, \"cost\":{\"currency\":\"CNY\",\"price\":0.002},\"requestId\":\"r\"}")
	c := read(t, `{"requestId":"r","code":0,"cost":{"price":0.003,"currency":"CNY"},"batchNo":"1"}`)
	if a.Digest != b.Digest || a.Digest == c.Digest {
		t.Errorf("%x %x %x", a.Digest, b.Digest, c.Digest)
	}
}

func TestDerive(t *testing.T) {
	ty := nxcloud.Definition().Schema.Types[0]
	args := providertest.Args(ty, map[string]cty.Value{"batch_no": cty.StringVal("901"), "expected": cty.NumberIntVal(2)})
	price, _, _ := apd.NewFromString("0.0040")
	e := plan.Evidence{Args: args, Tally: plan.Tally{
		Received: 2, Succeeded: 1, Failed: 1, FailedCodes: map[string]int64{"266": 1},
		Costs: map[string]*apd.Decimal{"CNY": price}, LastAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
	}}
	got := string(providertest.Encode(t, ty.Derive(e)))
	want := `{"cost":0.004,"costs":{"CNY":0.004},"currency":"CNY","failed":1,"failed_codes":{"266":1},"last_received_at":"2026-01-02T02:04:05Z","observed_at":null,"outcome":"partial",` +
		`"reason":"2 results: 1 succeeded, 1 failed; 1 failed with code 266: subBalance failed; the balance is too low: top up the account","received":2,"settled":true,"succeeded":1}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e.Tally.Costs["EUR"] = apd.New(1, 0)
	if v := ty.Derive(e); !v.GetAttr("cost").IsNull() || !v.GetAttr("currency").IsNull() || v.GetAttr("costs").LengthInt() != 2 {
		t.Errorf("two currencies: %#v", v)
	}
	for _, code := range []string{"-1", "261", "262", "263", "264", "265", "266", "267", "268"} {
		e.Tally.FailedCodes = map[string]int64{code: 2}
		if reason := ty.Derive(e).GetAttr("reason").AsString(); !strings.Contains(reason, "2 failed with code "+code+": ") {
			t.Errorf("code %s is not explained: %s", code, reason)
		}
	}
}

func TestGate(t *testing.T) {
	schema := nxcloud.Definition().Schema
	gate := func(cidrs ...string) providers.Gate {
		connection, err := nxcloud.Definition().Connect(providertest.Config(schema, map[string]cty.Value{
			"callback.tokens": tokens(token, next), "callback.allowed_cidrs": tokens(cidrs...),
		}), providers.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return connection.Gate
	}
	open, closed := gate(), gate("203.0.113.0/24", "2001:db8::/32")
	for _, test := range []struct {
		token, from  string
		open, closed bool
	}{
		{token, "203.0.113.9", true, true},
		{next, "203.0.113.9", true, true},
		{token, "::ffff:203.0.113.9", true, true},
		{token, "2001:db8::1", true, true},
		{token, "203.0.114.1", true, false},
		{token, "fe80::1%eth0", true, false},
		{token + "x", "203.0.113.9", false, false},
		{token[:len(token)-1], "203.0.113.9", false, false},
		{strings.ToUpper(token), "203.0.113.9", false, false},
		{"", "203.0.113.9", false, false},
	} {
		from := netip.MustParseAddr(test.from)
		if open.Admit(test.token, from) != test.open || closed.Admit(test.token, from) != test.closed {
			t.Errorf("%q from %s", test.token, from)
		}
	}
}

func TestProviderBlock(t *testing.T) {
	schema := nxcloud.Definition().Schema
	for name, test := range map[string]struct {
		values   map[string]cty.Value
		argument string
	}{
		"short token":  {map[string]cty.Value{"callback.tokens": tokens("short")}, "callback.tokens"},
		"slash":        {map[string]cty.Value{"callback.tokens": tokens("abcdefgh/ijklmnopq")}, "callback.tokens"},
		"no tokens":    {map[string]cty.Value{"callback.tokens": tokens()}, "callback.tokens"},
		"null":         {nil, "callback.tokens"},
		"second short": {map[string]cty.Value{"callback.tokens": tokens(token, "short")}, "callback.tokens"},
		"CIDR":         {map[string]cty.Value{"callback.tokens": tokens(token), "callback.allowed_cidrs": tokens("10.0.0.1")}, "callback.allowed_cidrs"},
		"mapped CIDR":  {map[string]cty.Value{"callback.tokens": tokens(token), "callback.allowed_cidrs": tokens("::ffff:10.0.0.0/104")}, "callback.allowed_cidrs"},
	} {
		config := providertest.Config(schema, test.values)
		problems := schema.Check(config)
		if len(problems) != 1 || problems[0].Argument != test.argument {
			t.Errorf("%s: %v", name, problems)
		}
		if _, err := nxcloud.Definition().Connect(config, providers.Options{}); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	if problems := schema.Check(cty.ObjectVal(map[string]cty.Value{"callback": cty.NullVal(cty.DynamicPseudoType)})); len(problems) != 1 {
		t.Errorf("no callback block: %v", problems)
	}
	partly := cty.ListVal([]cty.Value{cty.UnknownVal(cty.String), cty.StringVal(next).Mark("sensitive")})
	if problems := schema.Check(providertest.Config(schema, map[string]cty.Value{"callback.tokens": partly})); len(problems) > 0 {
		t.Errorf("partly unknown: %v", problems)
	}
}

// A price that names no currency is summed apart, and the reason tells it.
func TestCostWithoutCurrency(t *testing.T) {
	ty := nxcloud.Definition().Schema.Types[0]
	v := ty.Derive(plan.Evidence{
		Args:  providertest.Args(ty, map[string]cty.Value{"batch_no": cty.StringVal("901"), "expected": cty.NumberIntVal(2)}),
		Tally: plan.Tally{Received: 2, Succeeded: 2, Costs: map[string]*apd.Decimal{"": apd.New(15, -1), "CNY": apd.New(2, -3)}},
	})
	if reason := v.GetAttr("reason").AsString(); !strings.Contains(reason, "1.5 of the cost names no currency") || !v.GetAttr("cost").IsNull() {
		t.Errorf("%s, cost %#v", reason, v.GetAttr("cost"))
	}
}

func FuzzRecords(f *testing.F) {
	for _, name := range []string{"basic", "hlr", "failure"} {
		f.Add(providertest.File(f, "testdata/"+name+".json"))
	}
	f.Add([]byte(`{"requestId":"r","requestId":"s","code":"0"}`))
	f.Add([]byte(`{"cost":{"price":1e64}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := read(t, string(body))
		if !json.Valid(r.Attributes) || r.Type == "" || r.Digest == [16]byte{} {
			t.Fatalf("%+v", r)
		}
		if r.Quarantined == "" && (r.Key == "" || r.Identity == "" || r.Amount != nil && r.Amount.IsZero() && r.Currency == "") { // a cost of nothing in no currency is none
			t.Fatalf("%+v", r)
		}
	})
}
