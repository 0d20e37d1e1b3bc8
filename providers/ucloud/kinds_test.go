package ucloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/providertest"
	"github.com/waybill-dev/waybill/providers/ucloud"
)

// Forms that sibling pages publish, or that were seen: each comes to a report
// that counts.
func TestOtherForms(t *testing.T) {
	for _, name := range []string{"submit_fail", "no_cost_count", "key_with_slash"} {
		page := ucloud.Definition().Records(providertest.OK(providertest.File(t, "testdata/"+name+".json")))
		if !page.Whole || page.Err != nil {
			t.Fatalf("%s: %+v", name, page)
		}
		providertest.Golden(t, name+".golden.json", show(page.Records))
	}
}

// A detail in an odd form never costs the outcome: it is kept under extra.
func TestDetails(t *testing.T) {
	at := time.Unix(1563867000, 0).UTC()
	for name, test := range map[string]struct {
		report string
		parts  int64
		at     time.Time
		extra  string
	}{
		"CostCount is words":       {report("CostCount", `"two"`), 0, at, `{"CostCount":"two"}`},
		"CostCount is null":        {report("CostCount", "null"), 0, at, ``},
		"CostCount is missing":     {report("CostCount", ""), 0, at, ``},
		"CostCount is blank":       {report("CostCount", `""`), 0, at, ``},
		"CostCount is zero":        {report("CostCount", `"0"`), 0, at, ``},
		"CostCount is negative":    {report("CostCount", "-1"), 0, at, `{"CostCount":-1}`},
		"CostCount is a fraction":  {report("CostCount", "1.5"), 0, at, `{"CostCount":1.5}`},
		"CostCount is huge":        {report("CostCount", "1e999999999"), 0, at, `{"CostCount":"1e999999999"}`},
		"CostCount is whole":       {report("CostCount", "2.0"), 2, at, ``},
		"CostCount in a list":      {report("CostCount", `["2"]`), 2, at, ``},
		"CostCount is a bool":      {report("CostCount", `true`), 0, at, `{"CostCount":true}`},
		"CostCount twice":          {`{"SessionNo":"d0","Phone":"185","CostCount":1,"CostCount":2,"ReceiptTime":1563867000,"ReceiptResult":"Success"}`, 0, at, `{"CostCount":[1,2]}`},
		"ReceiptTime is null":      {report("ReceiptTime", "null"), 2, time.Time{}, ``},
		"ReceiptTime is blank":     {report("ReceiptTime", `" "`), 2, time.Time{}, ``},
		"ReceiptTime is zero":      {report("ReceiptTime", `"0"`), 2, time.Time{}, ``},
		"ReceiptTime in text":      {report("ReceiptTime", `"1563867000"`), 2, at, ``},
		"ReceiptTime in ms":        {report("ReceiptTime", "1563867000000"), 2, at, ``},
		"ReceiptTime in us":        {report("ReceiptTime", `"1563867000000000"`), 2, at, ``},
		"ReceiptTime in RFC 3339":  {report("ReceiptTime", `"2019-07-23T15:30:00+08:00"`), 2, at, ``},
		"ReceiptTime with zone":    {report("ReceiptTime", `"2019-07-23 15:30:00 +0800"`), 2, at, ``},
		"ReceiptTime with no zone": {report("ReceiptTime", `"2019-07-23 15:30:00"`), 2, time.Time{}, `{"ReceiptTime":"2019-07-23 15:30:00"}`},
		"ReceiptTime is a date":    {report("ReceiptTime", `20190723153000`), 2, time.Time{}, `{"ReceiptTime":20190723153000}`},
		"ReceiptTime is huge":      {report("ReceiptTime", "1e99"), 2, time.Time{}, `{"ReceiptTime":"1e99"}`},
		"ReceiptTime is negative":  {report("ReceiptTime", "-5"), 2, time.Time{}, `{"ReceiptTime":-5}`},
		"ReceiptTime is a list":    {report("ReceiptTime", "[1,2]"), 2, time.Time{}, `{"ReceiptTime":[1,2]}`},
		"ReceiptTime is a bool":    {report("ReceiptTime", "false"), 2, time.Time{}, `{"ReceiptTime":false}`},
		"ReceiptCode is an object": {report("ReceiptCode", `{"a":1}`), 2, at, `{"ReceiptCode":{"a":1}}`},
		"ReceiptDesc is a list":    {report("ReceiptDesc", `["a","b"]`), 2, at, `{"ReceiptDesc":["a","b"]}`},
		"UserId is a bool":         {report("UserId", `true`), 2, at, `{"UserId":true}`},
		"deep":                     {report("ReceiptDesc", strings.Repeat(`[`, 5000)+strings.Repeat(`]`, 5000)), 2, at, `*`},
		"names in other letters":   {report("SessionNo", "", "sessionno", `"d0"`, "Phone", "", "phone", `"185"`), 2, at, ``},
		"SessionNo in a list":      {report("SessionNo", `["d0"]`), 2, at, ``},
		"the result in a list":     {report("ReceiptResult", `["SUCCESS"]`), 2, at, ``},
	} {
		p := records(page(report("Phone", `"1"`), test.report))
		if !p.Whole || p.Err != nil || len(p.Records) != 2 {
			t.Errorf("%s: %+v", name, p)
			continue
		}
		r := p.Records[1]
		if r.Quarantined != "" || r.Outcome != plan.Succeeded || r.Key != "d0/185" || r.Parts != test.parts || !r.EventTime.Equal(test.at) {
			t.Errorf("%s: %+v", name, r)
		}
		extra := `"extra":` + test.extra
		if test.extra == "" && strings.Contains(string(r.Attributes), `"extra"`) || test.extra != "*" && test.extra != "" && !strings.Contains(string(r.Attributes), extra) {
			t.Errorf("%s: attributes %s, want %s", name, r.Attributes, extra)
		}
	}
}

// Each word for an outcome, however it is spelt.
func TestResults(t *testing.T) {
	for word, want := range map[string]plan.Outcome{
		"SubmitFail": plan.Failed, "submit_fail": plan.Failed, "Submit Fail": plan.Failed, "SUBMITFAIL": plan.Failed, "提交失败": plan.Failed,
		"FAIL": plan.Failed, "Failed": plan.Failed, " 发送失败 ": plan.Failed, "Unknow": plan.Unknown, "UNKNOWN": plan.Unknown,
	} {
		p := records(page(report("ReceiptResult", `"`+word+`"`)))
		if r := p.Records[0]; r.Quarantined != "" || r.Outcome != want {
			t.Errorf("%q: %+v", word, r)
		}
	}
	if r := records(page(report("ReceiptResult", `"Rejected by +86 138-1234-5678"`))).Records[0]; !strings.Contains(r.Quarantined, "Rejected") || strings.Contains(r.Quarantined, "1234") {
		t.Errorf("%q", r.Quarantined)
	}
}

// No two pairs of session and phone have one key.
func TestKeysAreUnique(t *testing.T) {
	parts := []string{"a", "b", "/", "a/", "/a", "a/b", "%", "%2F", "%2f", "a%2Fb", "%25", "%252F", "%2", "2F"}
	keys := make(map[string]string)
	for _, session := range parts {
		for _, phone := range parts {
			r := records(page(report("SessionNo", `"`+session+`"`, "Phone", `"`+phone+`"`))).Records[0]
			if before, twice := keys[r.Key]; twice || r.Quarantined != "" {
				t.Errorf("%q and %q: key %q, which is also that of %s (%s)", session, phone, r.Key, before, r.Quarantined)
			}
			keys[r.Key] = session + " and " + phone
			if !strings.ContainsAny(session, "/%") && r.Key != session+"/"+phone {
				t.Errorf("%q and %q: key %q", session, phone, r.Key)
			}
		}
	}
}
