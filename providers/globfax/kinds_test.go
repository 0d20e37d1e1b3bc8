package globfax_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/globfax"
	"github.com/waybill-dev/waybill/providers/providertest"
)

// A delivered fax is one, whatever the form of the envelope around it.
func TestEnvelopes(t *testing.T) {
	data := `{"rcpt_ref":"r","status":"success","charged_amount":1.5}`
	for _, body := range []string{
		string(providertest.File(t, "testdata/success_form_1.json")),
		string(providertest.File(t, "testdata/success_form_2.json")),
		string(providertest.File(t, "testdata/success_form_3.json")),
		`{"success":"1","data":` + data + `}`,
		`{"success":" TRUE ","data":` + data + `}`,
		`{"success":[true],"data":` + data + `}`,
		`{"success":1.0,"data":` + data + `}`,
		`{"success":null,"data":` + data + `}`,
		`{"data":` + data + `}`,
		`{"Success":true,"Data":` + data + `}`,
		`{"success":true,"rcpt_ref":"r","status":"success","charged_amount":"1.5"}`,
		`{"success":true,"data":` + data + `,"message":["a","b"],"errors":false}`,
		`{"success":true,"message":"a","message":"b","data":` + data + `}`,
	} {
		d := globfax.Definition()
		var ref string
		for _, r := range []string{"r1", "r2", "r3", "r"} {
			if ref = r; strings.Contains(body, `"`+r+`"`) {
				break
			}
		}
		target := target(t, ref)
		o, err := d.Observe(target, providertest.OK([]byte(body)))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		v := d.Schema.Types[0].Derive(plan.Evidence{Args: target.Args, Seen: o.Seen})
		if v.GetAttr("outcome").AsString() != "succeeded" || string(providertest.Encode(t, v.GetAttr("cost"))) != "1.5" {
			t.Errorf("%s: %#v", body, v)
		}
	}
	for body, kind := range map[string]providers.Kind{
		`{"success":"false","message":"no","errors":""}`:                                         providers.Rejected,
		`{"success":0,"message":"Failed to fetch recipient"}`:                                    providers.Transient,
		`{"success":"no","message":"no","data":` + data + `}`:                                    providers.Rejected,
		`{"success":true,"data":[` + data + `,` + data + `]}`:                                    providers.WrongContent,
		`{"success":true,"success":false,"data":` + data + `}`:                                   providers.WrongContent,
		`{"success":true,"data":{"rcpt_ref":"r","status":["success","failed"]}}`:                 providers.WrongContent,
		`{"success":true,"data":{"rcpt_ref":"r","rcpt_ref":"s","status":"success"}}`:             providers.WrongContent,
		`{"success":true,"data":{"rcpt_ref":"r","status":"success"},"data":{"status":"failed"}}`: providers.WrongContent,
	} {
		if _, err := globfax.Definition().Observe(target(t, "r"), providertest.OK([]byte(body))); err == nil || providers.KindOf(err) != kind {
			t.Errorf("%s: %v", body, err)
		}
	}
	if o, err := globfax.Definition().Observe(target(t, "r"), providertest.OK([]byte(`{"success":"0","message":"Recipient not found"}`))); err != nil || !o.NotFound {
		t.Errorf("%+v, %v", o, err)
	}
}

// A detail in an odd form costs itself, never the status.
func TestDetails(t *testing.T) {
	for _, test := range []struct{ field, value, want, extra string }{
		{"unit_price", `""`, `null`, `null`},
		{"unit_price", `" 0.5 "`, `0.5`, `null`},
		{"unit_price", `[0.5]`, `0.5`, `null`},
		{"unit_price", `[0.5,0.6]`, `null`, `{"unit_price":[0.5,0.6]}`},
		{"page_count", `true`, `null`, `{"page_count":true}`},
		{"charged_amount", `"CNY 1.5"`, `null`, `{"charged_amount":"CNY 1.5"}`},
		{"charged_amount", `{"amount":1.5}`, `null`, `{"charged_amount":{"amount":1.5}}`},
		{"phone_number", `8613812345678`, `"8613812345678"`, `null`},
		{"failed_code", `["BUSY"]`, `"BUSY"`, `null`},
		{"failed_reason", `{"en":"busy"}`, `null`, `{"failed_reason":{"en":"busy"}}`},
		{"completed_at", `1740205880`, `"2025-02-22T14:31:20+08:00"`, `null`},
		{"completed_at", `"1740205880000"`, `"2025-02-22T14:31:20+08:00"`, `null`},
		{"completed_at", `"2025-02-22T14:31:20"`, `"2025-02-22T14:31:20+08:00"`, `null`},
		{"completed_at", `"2025-02-22 14:31:20.5"`, `"2025-02-22T14:31:20.5+08:00"`, `null`},
		{"completed_at", `"2025-02-22T06:31:20.000Z"`, `"2025-02-22T06:31:20.000Z"`, `null`},
		{"completed_at", `"2025-02-22T14:31:20+0800"`, `"2025-02-22T14:31:20+08:00"`, `null`},
		{"completed_at", `20250222143120`, `null`, `{"completed_at":20250222143120}`},
		{"completed_at", `false`, `null`, `{"completed_at":false}`},
		{"completed_at", `0`, `null`, `null`},
	} {
		seen := observed(t, test.field, test.value, providertest.Config(globfax.Definition().Schema, nil).GetAttr("time_zone"))
		for attribute, want := range map[string]string{test.field: test.want, "extra": test.extra, "status": `"success"`} {
			if got := string(providertest.Encode(t, seen.GetAttr(attribute))); got != want {
				t.Errorf("%s = %s: %s is %s, want %s", test.field, test.value, attribute, got, want)
			}
		}
	}
	// Told twice with different values: neither counts, both are kept.
	body := `{"success":true,"data":{"rcpt_ref":"r","status":"success","page_count":1,"page_count":2}}`
	o, err := globfax.Definition().Observe(target(t, "r"), providertest.OK([]byte(body)))
	if err != nil || string(providertest.Encode(t, o.Seen.GetAttr("extra"))) != `{"page_count":[1,2]}` || !o.Seen.GetAttr("page_count").IsNull() {
		t.Errorf("%#v, %v", o.Seen, err)
	}
}

// A charge that cannot be read is told as missing; the outcome stands without it.
func TestUnreadCharge(t *testing.T) {
	const delivered = "the fax was delivered"
	for _, test := range []struct{ field, value, reason string }{
		{"status", `["success"]`, delivered},
		{"charged_amount", `[1.5,2]`, delivered + "; the cost is not told, for charged_amount cannot be read: see extra"},
		{"charged_amount", `"CNY 1.5"`, delivered + "; the cost is not told, for charged_amount cannot be read: see extra"},
		{"charged_amount", `{"a":1}`, delivered + "; the cost is not told, for charged_amount cannot be read: see extra"},
		{"charged_amount", `null`, delivered},
		{"charged_amount", `""`, delivered},
		{"page_count", `[1,2]`, delivered},
	} {
		d := globfax.Definition()
		seen := observed(t, test.field, test.value, providertest.Config(d.Schema, nil).GetAttr("time_zone"))
		v := d.Schema.Types[0].Derive(plan.Evidence{Args: target(t, "r").Args, Seen: seen})
		if v.GetAttr("outcome").AsString() != "succeeded" || !v.GetAttr("settled").True() || v.GetAttr("reason").AsString() != test.reason {
			t.Errorf("%s = %s: %s, %s", test.field, test.value, v.GetAttr("outcome").AsString(), v.GetAttr("reason").AsString())
		}
	}
}

// No error shows a phone number, however the vendor writes it.
func TestErrorsWithoutNumbers(t *testing.T) {
	for _, number := range []string{"8613812345678", "+86 138 1234 5678", "+86-138-1234-5678", "(0138) 1234-5678", "138****5678", "86xxx12345678"} {
		for _, body := range []string{
			`{"success":false,"message":"no such ` + number + `"}`,
			`{"success":false,"message":"Failed to fetch recipient","errors":"` + number + ` is busy"}`,
			`{"success":false,"message":"x","errors":{"` + number + `":["` + number + `"]}}`,
		} {
			_, err := globfax.Definition().Observe(target(t, "r"), providertest.OK([]byte(body)))
			if err == nil || strings.Contains(err.Error(), "5678") {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
}
