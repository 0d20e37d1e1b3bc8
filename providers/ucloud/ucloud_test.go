package ucloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/providertest"
	"github.com/waybill-dev/waybill/providers/ucloud"
)

const (
	public  = "ucloudsomeone@example.com1296235120854146120"
	private = "46f09bb9fab4f12dfc160dae12273d5332b5debe"
)

var config = map[string]cty.Value{
	"public_key": cty.StringVal(public), "private_key": cty.StringVal(private), "project_id": cty.StringVal("org-34"),
}

func TestSuite(t *testing.T) {
	providertest.Run(t, providertest.Vendor{
		Definition: ucloud.Definition(),
		Config:     map[string]cty.Value{"public_key": config["public_key"], "private_key": config["private_key"]},
		Secrets:    []string{public, private},
		Args:       map[string]map[string]cty.Value{"ucloud_usms_message": {"session_no": cty.StringVal("d0aa6c6e")}},
		Good:       providertest.File(t, "testdata/page.json"),
	})
}

// shown is a record as it is compared.
type shown struct {
	Key, Identity, Code, Quarantined string
	Outcome                          plan.Outcome
	Parts                            int64
	EventTime                        time.Time
	Attributes                       json.RawMessage
}

func show(records []plan.Record) []shown {
	list := make([]shown, len(records))
	for i, r := range records {
		list[i] = shown{r.Key, r.Identity, r.Code, r.Quarantined, r.Outcome, r.Parts, r.EventTime, r.Attributes}
	}
	return list
}

func records(body string) providers.Page {
	return ucloud.Definition().Records(providertest.OK([]byte(body)))
}

// The page's example, its comment taken out, and then with it: a comment costs
// the report it stands in, and no other.
func TestGolden(t *testing.T) {
	page := ucloud.Definition().Records(providertest.OK(providertest.File(t, "testdata/page.json")))
	if !page.Whole || page.Err != nil {
		t.Fatalf("%+v", page)
	}
	providertest.Golden(t, "page.golden.json", show(page.Records))

	page = ucloud.Definition().Records(providertest.OK(providertest.File(t, "testdata/page_with_comment.txt")))
	if page.Whole || page.Err == nil || len(page.Records) != 2 || page.Records[0].Quarantined == "" || page.Records[1].Quarantined != "" {
		t.Errorf("%+v", page)
	}
}

// A page that is cut at any byte gives up exactly the reports that are whole.
func TestCutAnywhere(t *testing.T) {
	for _, file := range []string{"page.json", "page_odd.json"} {
		body := providertest.File(t, "testdata/"+file)
		all := ucloud.Definition().Records(providertest.OK(body))
		var ends []int // where each report ends, found by its last field
		for i := 0; ; {
			j := bytes.Index(body[i:], []byte(`pcm"`))
			if j < 0 {
				break
			}
			i += j
			i += bytes.IndexByte(body[i:], '}') + 1
			ends = append(ends, i)
		}
		if len(ends) != len(all.Records) {
			t.Fatalf("%s: %d ends, %d records", file, len(ends), len(all.Records))
		}
		last := len(bytes.TrimSpace(body))
		for cut := range last {
			whole := 0
			for _, end := range ends {
				if end <= cut {
					whole++
				}
			}
			for _, complete := range []bool{false, true} { // a body without length ends without notice
				page := ucloud.Definition().Records(providers.Answer{Status: 200, Body: body[:cut], Complete: complete, Reached: true})
				if page.Whole || providers.KindOf(page.Err) != providers.WrongContent {
					t.Fatalf("%s cut at %d: whole %v, %v", file, cut, page.Whole, page.Err)
				}
				if len(page.Records) != whole {
					t.Fatalf("%s cut at %d: %d records of %d", file, cut, len(page.Records), whole)
				}
				for i, r := range page.Records {
					if r.Digest != all.Records[i].Digest || r.Key != all.Records[i].Key || r.Quarantined != all.Records[i].Quarantined {
						t.Fatalf("%s cut at %d: record %d is %+v, want %+v", file, cut, i, r, all.Records[i])
					}
				}
			}
		}
	}
}

// report is a good report with some fields replaced; "" takes one out.
func report(fields ...string) string {
	values := map[string]string{
		"SessionNo": `"d0"`, "Phone": `"185"`, "CostCount": "2", "ReceiptTime": "1563867000", "ReceiptResult": `"Success"`,
		"ReceiptCode": `"0"`, "ReceiptDesc": `"ok"`, "UserId": `"u"`,
	}
	for i := 0; i < len(fields); i += 2 {
		values[fields[i]] = fields[i+1]
	}
	var parts []string
	for name, value := range values {
		if value != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", name, value))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func page(reports ...string) string {
	return `{"RetCode":0,"Action":"PullUSMSReportResponse","ReportSet":[` + strings.Join(reports, ",") + `]}`
}

// One odd report never costs its neighbours: it is quarantined, with what could
// be read of it, and they are understood.
func TestOddReports(t *testing.T) {
	for name, test := range map[string]struct {
		odd, key string
		valid    bool // the page is JSON all the same
	}{
		"null":                   {`null`, "", true},
		"a number":               {`42`, "", true},
		"a string":               {`"nonsense}]["`, "", true},
		"a list":                 {`[{"SessionNo":"x"}]`, "", true},
		"an empty object":        {`{}`, "", true},
		"no SessionNo":           {report("SessionNo", ""), "", true},
		"empty SessionNo":        {report("SessionNo", `""`), "/185", true},
		"SessionNo is an object": {report("SessionNo", `{"a":[1,2]}`), "", true},
		"no Phone":               {report("Phone", ""), "", true},
		"an unknown result":      {report("ReceiptResult", `"delivered"`), "d0/185", true},
		"no result":              {report("ReceiptResult", ""), "d0/185", true},
		"Phone twice":            {`{"SessionNo":"d0","Phone":"1","Phone":"2","CostCount":1,"ReceiptResult":"Success"}`, "", true},
		"too deep for JSON":      {report("ReceiptDesc", strings.Repeat(`[`, 50000)+strings.Repeat(`]`, 50000)), "", false},
		"a bare word":            {`nonsense`, "", false},
		"a raw line end":         {report("ReceiptDesc", "\"a\nb\""), "", false},
		"a number with zeros":    {report("CostCount", "007"), "", false},
		"quotes in pairs":        {report("ReceiptDesc", `"said "no" today"`), "", false},
		"one quote too many":     {report("ReceiptDesc", `"5" disk"`), "", false},
		"one quote missing":      {report("ReceiptDesc", `"ok`), "", false},
		"a comment":              {report("ReceiptResult", "\"Success\" // 通过该字段判断\n"), "", false},
	} {
		for at := range 3 {
			reports := []string{report("Phone", `"1"`), report("Phone", `"2"`)}
			reports = append(reports[:min(at, 2)], append([]string{test.odd}, reports[min(at, 2):]...)...)
			p := records(page(reports...))
			if len(p.Records) != 3 {
				t.Errorf("%s at %d: %d records", name, at, len(p.Records))
				continue
			}
			if p.Whole != test.valid || (p.Err == nil) != test.valid {
				t.Errorf("%s at %d: whole %v, %v", name, at, p.Whole, p.Err)
			}
			for i, r := range p.Records {
				switch {
				case i == at && (r.Quarantined == "" || r.Key != test.key && test.key != "/185" || r.Outcome != plan.Unknown || r.Parts != 0):
					t.Errorf("%s at %d: %+v", name, at, r)
				case i == at && !json.Valid(r.Attributes):
					t.Errorf("%s at %d: attributes %s", name, at, r.Attributes)
				case i != at && (r.Quarantined != "" || r.Outcome != plan.Succeeded || r.Parts != 2):
					t.Errorf("%s at %d: neighbour %+v", name, at, r)
				}
			}
		}
	}
}

func TestReports(t *testing.T) {
	for name, test := range map[string]struct {
		report  string
		outcome plan.Outcome
		key     string
	}{
		"发送成功":               {report("ReceiptResult", `"发送成功"`), plan.Succeeded, "d0/185"},
		"发送失败":               {report("ReceiptResult", `"发送失败"`), plan.Failed, "d0/185"},
		"状态未知":               {report("ReceiptResult", `"状态未知"`), plan.Unknown, "d0/185"},
		"Success":            {report("ReceiptResult", `"Success"`), plan.Succeeded, "d0/185"},
		"Fail":               {report("ReceiptResult", `"Fail"`, "ReceiptCode", `"0"`), plan.Failed, "d0/185"},
		"Unknow":             {report("ReceiptResult", `"Unknow"`), plan.Unknown, "d0/185"},
		"Unknown":            {report("ReceiptResult", `" unknown "`), plan.Unknown, "d0/185"},
		"numbers as text":    {report("CostCount", `"2"`, "ReceiptTime", `"1563867000"`), plan.Succeeded, "d0/185"},
		"text as numbers":    {report("SessionNo", `12`, "Phone", `8613812345678`, "ReceiptCode", `0`), plan.Succeeded, "12/8613812345678"},
		"no time":            {report("ReceiptTime", ``), plan.Succeeded, "d0/185"},
		"unknown fields":     {report("Extra", `{"a":1.10}`, "Phone", `"185"`), plan.Succeeded, "d0/185"},
		"Phone twice, alike": {`{"SessionNo":"d0","Phone":"185","Phone":"185","CostCount":2,"ReceiptResult":"Success"}`, plan.Succeeded, "d0/185"},
	} {
		p := records(page(test.report))
		if !p.Whole || p.Err != nil || len(p.Records) != 1 {
			t.Errorf("%s: %+v", name, p)
			continue
		}
		r := p.Records[0]
		if r.Quarantined != "" || r.Outcome != test.outcome || r.Key != test.key || r.Parts != 2 || r.Amount != nil {
			t.Errorf("%s: %+v", name, r)
		}
		if name == "unknown fields" && !bytes.Contains(r.Attributes, []byte(`"extra":{"Extra":{"a":1.10}}`)) {
			t.Errorf("%s: %s", name, r.Attributes)
		}
		if (name == "no time") != r.EventTime.IsZero() && name != "Phone twice, alike" {
			t.Errorf("%s: %s", name, r.EventTime)
		}
	}
}

// Spacing and the order of fields make no other content; any digit does.
func TestDigest(t *testing.T) {
	digest := func(report string) [16]byte { return records(page(report)).Records[0].Digest }
	a := digest(`{"SessionNo":"d0","Phone":"1","CostCount":2}`)
	if digest(` { "CostCount" : 2 , "Phone":"1",  "SessionNo":"d0" } `) != a {
		t.Error("order or spacing made another content")
	}
	for _, other := range []string{
		`{"SessionNo":"d0","Phone":"1","CostCount":2.0}`, `{"SessionNo":"d0","Phone":"1","CostCount":"2"}`,
		`{"SessionNo":"d0","Phone":"1","CostCount":2,"x":null}`, `{"SessionNo":"d0","Phone":"2","CostCount":2}`,
	} {
		if digest(other) == a {
			t.Errorf("%s is the same content", other)
		}
	}
}

func TestPages(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		body    string
		whole   bool
		kind    providers.Kind // of the error
		records int
	}{
		"no reports":               {200, `{"RetCode":0,"ReportSet":[]}`, true, 255, 0},
		"null":                     {200, `{"RetCode":0,"ReportSet":null}`, true, 255, 0},
		"empty text":               {200, `{"RetCode":0,"ReportSet":""}`, true, 255, 0},
		"missing":                  {200, `{"RetCode":0}`, true, 255, 0},
		"RetCode is text":          {200, `{"RetCode":"0","ReportSet":[` + report() + `]}`, true, 255, 1},
		"one without its list":     {200, `{"RetCode":0,"ReportSet":` + report() + `}`, true, 255, 1},
		"RetCode last":             {200, `{"ReportSet":[` + report() + `],"RetCode":0}`, true, 255, 1},
		"ReportSet is words":       {200, `{"RetCode":0,"ReportSet":"many"}`, true, 255, 1},
		"two lists":                {200, `{"RetCode":0,"ReportSet":[` + report() + `],"ReportSet":[` + report() + `]}`, true, 255, 2},
		"escaped names":            {200, `{"RetCode":0,"Report\u0053et":[` + report() + `]}`, true, 255, 1},
		"no RetCode":               {200, `{"ReportSet":[` + report() + `]}`, false, providers.WrongContent, 1},
		"RetCode is null":          {200, `{"RetCode":null,"ReportSet":[` + report() + `]}`, false, providers.WrongContent, 1},
		"two RetCodes":             {200, `{"RetCode":0,"RetCode":171,"ReportSet":[` + report() + `]}`, false, providers.WrongContent, 1},
		"more text":                {200, page(report()) + "x", false, providers.WrongContent, 1},
		"throttled":                {200, `{"RetCode":153,"Message":"slow down"}`, true, providers.Throttled, 0},
		"temporary":                {200, `{"RetCode":"150","Message":"service unavailable"}`, true, providers.Transient, 0},
		"service error":            {200, `{"RetCode":18004,"Message":"x"}`, true, providers.Transient, 0},
		"signature":                {200, `{"RetCode":171,"Message":"Signature VerifyAC Error"}`, true, providers.Credentials, 0},
		"permission":               {200, `{"RetCode":299,"Message":"IAM permission error"}`, true, providers.Permission, 0},
		"action":                   {200, `{"RetCode":160,"Message":"Missing Action"}`, true, providers.Rejected, 0},
		"parameter":                {200, `{"RetCode":18001,"Message":"bad"}`, true, providers.Rejected, 0},
		"not listed":               {200, `{"RetCode":99999,"Message":"not enabled"}`, true, providers.Rejected, 0},
		"refused with HTTP 403":    {403, `{"RetCode":171,"Message":"Signature"}`, true, providers.Credentials, 0},
		"HTTP 500 with reports":    {500, page(report()), false, providers.Transient, 1},
		"HTTP 201 with reports":    {201, page(report()), false, providers.WrongContent, 1},
		"refused, with reports":    {200, `{"RetCode":150,"ReportSet":[` + report() + `]}`, true, providers.Transient, 1},
		"many quotes that confuse": {200, `{"RetCode":0,"ReportSet":[` + strings.Repeat(`{"a"b":1},`, 5000) + `{}]}`, false, providers.WrongContent, 1},
	} {
		p := ucloud.Definition().Records(providers.Answer{Status: test.status, Body: []byte(test.body), Complete: true, Reached: true})
		if p.Whole != test.whole || (p.Err == nil) != (test.kind == 255) || p.Err != nil && providers.KindOf(p.Err) != test.kind {
			t.Errorf("%s: whole %v, %v", name, p.Whole, p.Err)
		}
		if len(p.Records) != test.records && (name != "many quotes that confuse" || len(p.Records) == 0) {
			t.Errorf("%s: %d records", name, len(p.Records))
		}
	}
}

func TestDeriveMessage(t *testing.T) {
	ty := providertest.TypeOf(t, ucloud.Definition().Schema, "ucloud_usms_message")
	args := providertest.Args(ty, map[string]cty.Value{"session_no": cty.StringVal("d0"), "expected": cty.NumberIntVal(3), "give_up_after": cty.StringVal("72h")})
	tally := func(succeeded, failed, unknown int64) plan.Tally {
		t := plan.Tally{Received: succeeded + failed + unknown, Succeeded: succeeded, Failed: failed, Unknown: unknown, Parts: 7}
		if failed > 0 {
			t.FailedCodes = map[string]int64{"MSBLACK": failed}
		}
		return t
	}
	for name, test := range map[string]struct {
		tally   plan.Tally
		gaveUp  bool
		outcome plan.Outcome
		settled bool
		reason  string
	}{
		"none":            {tally(0, 0, 0), false, plan.Pending, false, "0 of 3 reports arrived"},
		"some":            {tally(2, 0, 0), false, plan.Pending, false, "2 of 3 reports arrived"},
		"all succeeded":   {tally(3, 0, 0), false, plan.Succeeded, true, "3 reports: 3 succeeded, 0 failed"},
		"all failed":      {tally(0, 3, 0), false, plan.Failed, true, "3 reports: 0 succeeded, 3 failed; 3 failed with code MSBLACK"},
		"all unknown":     {tally(0, 0, 3), false, plan.Unknown, true, "3 reports: 0 succeeded, 0 failed, 3 unknown"},
		"mixed":           {tally(1, 1, 1), false, plan.Partial, true, "3 reports: 1 succeeded, 1 failed, 1 unknown; 1 failed with code MSBLACK"},
		"more":            {tally(4, 0, 0), false, plan.Succeeded, true, "4 reports: 4 succeeded, 0 failed"},
		"gave up empty":   {tally(0, 0, 0), true, plan.Unknown, true, "gave up after 72h: 0 of 3 reports arrived"},
		"gave up halfway": {tally(0, 2, 0), true, plan.Failed, true, "gave up after 72h: 2 of 3 reports arrived; 2 failed with code MSBLACK"},
		"gave up mixed":   {tally(1, 1, 0), true, plan.Partial, true, "gave up after 72h: 2 of 3 reports arrived; 1 failed with code MSBLACK"},
	} {
		got := ty.Derive(plan.Evidence{Args: args, Tally: test.tally, GaveUp: test.gaveUp})
		if o := got.GetAttr("outcome").AsString(); o != string(test.outcome) || got.GetAttr("settled").True() != test.settled {
			t.Errorf("%s: %s, settled %v", name, o, got.GetAttr("settled").True())
		}
		if r := got.GetAttr("reason").AsString(); r != test.reason {
			t.Errorf("%s: %s", name, r)
		}
		if n := got.GetAttr("cost_count").AsBigFloat(); n.String() != "7" && !got.GetAttr("cost").IsNull() {
			t.Errorf("%s: cost_count %s", name, n)
		}
	}
}

func TestDerivePull(t *testing.T) {
	ty := providertest.TypeOf(t, ucloud.Definition().Schema, "ucloud_usms_report_pull")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	first := ty.Derive(plan.Evidence{Args: providertest.Args(ty, nil)})
	got := ty.Derive(plan.Evidence{Args: providertest.Args(ty, nil), Pulls: plan.PullTally{LastSuccessAt: at, PulledTotal: 450, LossWindows: 2}})
	later := ty.Derive(plan.Evidence{Args: providertest.Args(ty, nil), Pulls: plan.PullTally{LastSuccessAt: at.Add(time.Hour), PulledTotal: 450, LossWindows: 2}})
	if !first.GetAttr("last_success_at").IsNull() || !first.GetAttr("retention_deadline").IsNull() {
		t.Errorf("%#v", first)
	}
	if got.GetAttr("last_success_at").AsString() != "2026-01-02T03:04:05Z" || got.GetAttr("retention_deadline").AsString() != "2026-01-05T03:04:05Z" {
		t.Errorf("%#v", got)
	}
	if !got.GetAttr("reason").RawEquals(later.GetAttr("reason")) {
		t.Error("every pull would be a difference")
	}
}

func TestChecks(t *testing.T) {
	schema := ucloud.Definition().Schema
	pull := providertest.TypeOf(t, schema, "ucloud_usms_report_pull")
	for name, values := range map[string]map[string]cty.Value{
		"limit":      {"limit": cty.NumberIntVal(201)},
		"limit 0":    {"limit": cty.Zero},
		"interval":   {"interval": cty.StringVal("0s")},
		"project_id": {"project_id": cty.StringVal("")},
	} {
		if problems := pull.Check(providertest.Args(pull, values)); len(problems) != 1 {
			t.Errorf("%s: %v", name, problems)
		}
	}
	queue := func(values map[string]cty.Value) string {
		all := map[string]cty.Value{"public_key": cty.StringVal(public)}
		for k, v := range values {
			all[k] = v
		}
		return schema.Queue(providertest.Config(schema, all))
	}
	if q := queue(nil); strings.Contains(q, public) || q != queue(map[string]cty.Value{"endpoint": cty.StringVal("https://API.ucloud.cn")}) {
		t.Error(q)
	}
	if queue(nil) == queue(map[string]cty.Value{"public_key": cty.StringVal("x")}) || queue(nil) == queue(map[string]cty.Value{"endpoint": cty.StringVal("https://api.sms.ucloud.cn")}) {
		t.Error("different queues have one name")
	}
}

// What UCloud is asked, as its page and its SDK have it.
func TestRequest(t *testing.T) {
	var forms []url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if !r.Close {
			t.Error("a pull must have a connection of its own")
		}
		forms = append(forms, r.PostForm)
		_, _ = w.Write([]byte(`{"RetCode":0,"ReportSet":[]}`))
	}))
	defer server.Close()
	schema := ucloud.Definition().Schema
	connection, err := ucloud.Definition().Connect(providertest.Config(schema, map[string]cty.Value{
		"public_key": config["public_key"], "private_key": config["private_key"], "endpoint": cty.StringVal(server.URL),
	}), providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, project := range []string{"org-abc", ""} {
		if _, err := connection.Puller.Pull(context.Background(), providers.PullRequest{Project: project, Limit: 100}); err != nil {
			t.Fatal(err)
		}
	}
	want := url.Values{
		"Action": {"PullUSMSReport"}, "Limit": {"100"}, "ProjectId": {"org-abc"}, "PublicKey": {public},
		"Signature": {"d41dc6595386ebc4298e6c0675dd26938d1caa53"},
	}
	if forms[0].Encode() != want.Encode() {
		t.Errorf("%s", forms[0].Encode())
	}
	if _, ok := forms[1]["ProjectId"]; ok {
		t.Error("an empty ProjectId was sent")
	}
	if connection.Timeout != 20*time.Second {
		t.Error(connection.Timeout)
	}
}

func FuzzRecords(f *testing.F) {
	body := providertest.File(f, "testdata/page.json")
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Add(providertest.File(f, "testdata/page_with_comment.txt"))
	f.Add(providertest.File(f, "testdata/page_odd.json"))
	f.Add([]byte(`{"RetCode":171,"Message":"no"}`))
	f.Add([]byte(page(report("ReceiptDesc", `"said "no" today"`), report())))
	f.Fuzz(func(t *testing.T, body []byte) {
		p := ucloud.Definition().Records(providertest.OK(body))
		if !p.Whole && p.Err == nil || p.Whole && !json.Valid(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))) {
			t.Fatalf("%+v", p)
		}
		for _, r := range p.Records {
			if !json.Valid(r.Attributes) || r.Quarantined == "" && (r.Key == "" || r.Identity == "") {
				t.Fatalf("%+v", r)
			}
		}
		// What was salvaged of a page does not change when the page goes on.
		for _, cut := range []int{len(body) / 3, len(body) / 2, len(body) - 1} {
			if cut < 0 {
				continue
			}
			part := ucloud.Definition().Records(providers.Answer{Status: 200, Body: body[:cut], Reached: true})
			if part.Whole && part.Err == nil {
				t.Fatalf("cut at %d: whole", cut)
			}
		}
	})
}
