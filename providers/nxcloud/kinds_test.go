package nxcloud_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/providertest"
)

// shown is a record as the golden files hold it.
func shown(r plan.Record) map[string]any {
	amount := ""
	if r.Amount != nil {
		amount = r.Amount.Text('f')
	}
	return map[string]any{
		"key": r.Key, "identity": r.Identity, "outcome": r.Outcome, "code": r.Code, "amount": amount, "currency": r.Currency,
		"quarantined": r.Quarantined, "attributes": r.Attributes,
	}
}

// Forms that are published elsewhere, or were seen: each comes to a result.
func TestOtherForms(t *testing.T) {
	for _, name := range []string{
		"english_form_callback", "list_of_two_callback", "list_of_two_data", "no_price_empty-price", "no_price_zero-no-currency",
	} {
		providertest.Golden(t, name+".golden.json", shown(read(t, string(providertest.File(t, "testdata/"+name+".json")))))
	}
}

// A detail in an odd form never costs the outcome: it is kept under extra, and
// an amount is taken only where it is whole.
func TestDetails(t *testing.T) {
	for name, test := range map[string]struct{ body, amount, currency, extra string }{
		"phone is an object":          {body("phone", `{"a":1}`), "0.002", "CNY", `{"phone":{"a":1}}`},
		"phone is a number":           {body("phone", `8613`), "0.002", "CNY", ``},
		"phone in a list of one":      {body("phone", `["86"]`), "0.002", "CNY", ``},
		"phones":                      {body("phone", `["86","87"]`), "0.002", "CNY", `{"phone":["86","87"]}`},
		"message is a bool":           {body("message", `true`), "0.002", "CNY", `{"message":true}`},
		"data is words":               {body("data", `"x"`), "0.002", "CNY", `{"data":"x"}`},
		"data is a number":            {body("data", `1`), "0.002", "CNY", `{"data":1}`},
		"data is a list of one":       {body("data", `[{"country":"CN"}]`), "0.002", "CNY", ``},
		"data is a list of lists":     {body("data", `[[{"country":"CN"}]]`), "0.002", "CNY", `{"data":[[{"country":"CN"}]]}`},
		"data is blank":               {body("data", `" "`), "0.002", "CNY", ``},
		"a field of data is odd":      {body("data", `{"mcc":{"a":1},"country":"CN"}`), "0.002", "CNY", `{"data.mcc":{"a":1}}`},
		"cost is a number":            {body("cost", `0.002`), "", "", `{"cost":0.002}`},
		"cost is text":                {body("cost", `"0.002 CNY"`), "", "", `{"cost":"0.002 CNY"}`},
		"cost is blank":               {body("cost", `""`), "", "", ``},
		"cost is an empty list":       {body("cost", `[]`), "", "", ``},
		"cost is an empty object":     {body("cost", `{}`), "", "", ``},
		"cost is a list of one":       {body("cost", `[{"price":1,"currency":"CNY"}]`), "1", "CNY", ``},
		"cost is a bool":              {body("cost", `false`), "", "", `{"cost":false}`},
		"price and currency are flat": {body("cost", ``, "price", `"0.5"`, "currency", `"CNY"`), "0.5", "CNY", ``},
		"price is words":              {body("cost", `{"price":"free","currency":"CNY"}`), "", "", `{"cost.price":"free"}`},
		"price is a bool":             {body("cost", `{"price":true,"currency":"CNY"}`), "", "", `{"cost.price":true}`},
		"price is huge":               {body("cost", `{"price":1e99999999,"currency":"CNY"}`), "", "", `{"cost.price":"1e99999999"}`},
		"price is NaN":                {body("cost", `{"price":"NaN","currency":"CNY"}`), "", "", `{"cost.price":"NaN"}`},
		"price is blank":              {body("cost", `{"price":" ","currency":"CNY"}`), "", "", ``},
		"price in spaces":             {body("cost", `{"price":" 1.50 ","currency":" CNY "}`), "1.50", "CNY", ``},
		"price in a list":             {body("cost", `{"price":[1.5],"currency":["CNY"]}`), "1.5", "CNY", ``},
		"two prices":                  {body("cost", `{"price":[1,2],"currency":"CNY"}`), "", "", `{"cost.price":[1,2]}`},
		"zero, a currency":            {body("cost", `{"price":"0.0000","currency":"CNY"}`), "0.0000", "CNY", ``},
		"zero, no currency":           {body("cost", `{"price":"0.0000"}`), "", "", ``},
		"zero, blank currency":        {body("cost", `{"price":0,"currency":""}`), "", "", ``},
		"a price, no currency":        {body("cost", `{"price":1.5}`), "1.5", "", ``},
		"a price, currency is a list": {body("cost", `{"price":1.5,"currency":["CNY","USD"]}`), "1.5", "", `{"cost.currency":["CNY","USD"]}`},
		"currency in small letters":   {body("cost", `{"price":1.5,"currency":"cny"}`), "1.5", "CNY", ``},
		"price twice":                 {`{"requestId":"r-1","batchNo":"9","code":0,"cost":{"price":1,"price":2,"currency":"CNY"}}`, "", "", `{"cost.price":[1,2]}`},
		"cost twice":                  {`{"requestId":"r-1","batchNo":"9","code":0,"cost":{"price":1},"cost":null}`, "", "", `{"cost":[{"price":1},null]}`},
		"message twice":               {`{"requestId":"r-1","batchNo":"9","code":0,"message":"a","message":"b"}`, "", "", `{"message":["a","b"]}`},
		"msg and message":             {body("msg", `"other"`), "0.002", "CNY", `{"msg":"other"}`},
		"messageId beside requestId":  {body("messageId", `"m-9"`), "0.002", "CNY", `{"messageId":"m-9"}`},
		"messageId alone":             {body("requestId", ``, "messageId", `"r-1"`), "0.002", "CNY", ``},
		"requestId is blank":          {body("requestId", `""`, "messageId", `"r-1"`), "0.002", "CNY", ``},
		"names in other letters":      {body("requestId", ``, "request_id", `"r-1"`, "batchNo", ``, "BatchNO", `"901"`), "0.002", "CNY", ``},
		"code is 0.0":                 {body("code", `0.0`), "0.002", "CNY", ``},
		"code in spaces":              {body("code", `" 0 "`), "0.002", "CNY", ``},
		"code in a list":              {body("code", `["0"]`), "0.002", "CNY", ``},
		"the body is a list of one":   {"[" + body() + "]", "0.002", "CNY", ``},
		"English, dial and live":      {body("data", `{"basic":{"preCheck":1},"live":{"roaming":"NO"},"dial":{"answered":true,"odd":1}}`), "0.002", "CNY", `{"data.dial.odd":1}`},
		"English, two of basic":       {body("data", `{"basic":[{"carrier":"a"},{"carrier":"b"}]}`), "0.002", "CNY", `{"data.basic":[{"carrier":"a"},{"carrier":"b"}]}`},
		"English, flat":               {body("data", `{"carrier":"a","numberType":2}`), "0.002", "CNY", ``},
		"deep":                        {body("x", strings.Repeat(`[`, 5000)+strings.Repeat(`]`, 5000)), "0.002", "CNY", `*`},
	} {
		r := read(t, test.body)
		amount := ""
		if r.Amount != nil {
			amount = r.Amount.Text('f')
		}
		if r.Quarantined != "" || r.Outcome != plan.Succeeded || r.Key != "r-1" || amount != test.amount || r.Currency != test.currency {
			t.Errorf("%s: %+v", name, r)
		}
		extra := `"extra":` + test.extra
		if test.extra == "" && strings.Contains(string(r.Attributes), `"extra"`) || test.extra != "*" && test.extra != "" && !strings.Contains(string(r.Attributes), extra) {
			t.Errorf("%s: attributes %s, want %s", name, r.Attributes, extra)
		}
	}
}

// What tells the record or its outcome in no form that can be read is
// quarantined, and the reason says which field, and how.
func TestEssentials(t *testing.T) {
	for name, test := range map[string]struct{ body, says string }{
		"no requestId":            {body("requestId", ""), "no requestId"},
		"requestId is null":       {body("requestId", "null"), "no requestId"},
		"requestId is blank":      {body("requestId", `" "`), "no requestId"},
		"requestId is an object":  {body("requestId", `{"a":1}`), "requestId in an unexpected form"},
		"two of requestId":        {body("requestId", `["a","b"]`), "requestId in an unexpected form"},
		"requestId twice":         {`{"requestId":"a","requestId":"b","batchNo":"9","code":0}`, "requestId twice"},
		"batchNo is a bool":       {body("batchNo", `true`), "batchNo in an unexpected form"},
		"no code":                 {body("code", ``), "no code"},
		"code is blank":           {body("code", `""`), "no code"},
		"code is a bool":          {body("code", `false`), "code in an unexpected form"},
		"two codes":               {body("code", `[0,266]`), "code in an unexpected form"},
		"brotli":                  {"\x0b\x02\x80hello\x03\xff", "gzip or deflate"},
		"code twice":              {`{"requestId":"r-1","batchNo":"9","code":266,"code":0}`, "code twice"},
		"the body is two objects": {"[" + body() + "," + body() + "]", "a list of 2"},
	} {
		r := read(t, test.body)
		if !strings.Contains(r.Quarantined, test.says) || r.Outcome != plan.Unknown || r.Amount != nil {
			t.Errorf("%s: %q %+v", name, r.Quarantined, r)
		}
	}
}
