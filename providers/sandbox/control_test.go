package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (f *fixture) control(method, path, body string) reply {
	f.t.Helper()
	r, err := http.NewRequest(method, MemoryBaseURL+"/control/"+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	return f.do(r)
}

// TestControlSeeds makes one of everything and reads the account.
func TestControlSeeds(t *testing.T) {
	f := newFixture(t, Options{})
	for _, c := range []struct{ path, body, want string }{
		{"recipients", `{"rcpt_ref":"r","status":"failed","unit_price":0.05,"page_count":3,"settle_after":"10s"}`, `{"ok":1}`},
		{"recipients", `[{"rcpt_ref":"r2"},{"rcpt_ref":"r3","sent_at":"2025-02-22T09:00:00+08:00"}]`, `{"ok":2}`},
		{"orders", ` {"order_id":"o","channel":"call","outcome":"never","fallback":true} `, `{"ok":1}`},
		{"sends", `{"session_no":"s","phones":["1","2"],"outcomes":["success","fail"],"settle_after":"-1s"}`, `{"ok":1}`},
		{"batches", `{"batch_no":"b","count":250,"failures":3,"callback_url":"http://127.0.0.1:1/x"}`, `{"ok":1}`},
		{"declare", `{"kind":"ucloud_usms_message","id":"declared","expected":3}`, `{"ok":1}`},
		{"faults", `{"vendor":"ucloud","kind":"delay","next":1,"delay":"1ms"}`, `{"ok":1}`},
		{"clock", `{"advance":"10s"}`, `{"ok":1}`},
	} {
		r := f.control(http.MethodPost, c.path, c.body)
		if r.status != 200 || strings.TrimSpace(string(r.body)) != c.want {
			t.Errorf("%s: %d %s", c.path, r.status, r.body)
		}
	}
	if r := f.fax("r"); !strings.Contains(string(r.body), `"charged_amount":0.15,"status":"failed","failed_code":"BUSY"`) {
		t.Errorf("%s", r.body)
	}
	if got := decode[usmsPage](t, f.pull(nil)); len(got.ReportSet) < 2 {
		t.Errorf("%+v", got)
	}
	a := decode[Account](t, f.control(http.MethodGet, "account", ""))
	if len(a.Reads) != 1 || a.Callbacks.Created != 250 || len(a.Deleted) < 2 || a.Deleted[0].SessionNo != "s" || len(a.Faults) != 1 ||
		a.Faults[0].Struck != 1 || a.Faults[0].Delay != Duration(time.Millisecond) || a.Requests[GlobFax]["ok"] != 1 || !a.At.Equal(start.Add(10*time.Second)) {
		t.Errorf("%+v", a)
	}
	if a := decode[Account](t, f.control(http.MethodGet, "account?reads=false", "")); len(a.Reads) != 0 || len(a.Deleted) < 2 {
		t.Errorf("%+v", a.Reads)
	}
	if got := decode[map[string]time.Time](t, f.control(http.MethodGet, "clock", "")); !got["now"].Equal(start.Add(10 * time.Second)) {
		t.Errorf("clock: %v", got)
	}
	f.control(http.MethodDelete, "faults", "")
	if got := decode[[]Fault](t, f.control(http.MethodGet, "faults", "")); len(got) != 1 || !got[0].Off {
		t.Errorf("faults: %+v", got)
	}
}

func TestControlSettings(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	r := f.control(http.MethodPost, "settings", `{"callback_url":"http://127.0.0.1:8481/callbacks/nxcloud/x"}`)
	if want := `{"callback_url":"http://127.0.0.1:8481/callbacks/nxcloud/x","unknown_order":"null_data","auto_create":true}`; strings.TrimSpace(string(r.body)) != want {
		t.Errorf("%s", r.body)
	}
	f.control(http.MethodPost, "settings", `{"unknown_order":"matched_3","auto_create":false}`)
	if got := f.Settings(); got != (Settings{"http://127.0.0.1:8481/callbacks/nxcloud/x", MatchedNo, false}) {
		t.Errorf("%+v", got)
	}
}

func TestControlCredentials(t *testing.T) {
	f := newFixture(t, Options{})
	got := decode[Access](t, f.control(http.MethodGet, "credentials", ""))
	if got.Credentials != DefaultCredentials || got.Env["UCLOUD_PRIVATE_KEY"] != DefaultCredentials.UCloudPrivateKey || len(got.Env) != 7 {
		t.Errorf("%+v", got)
	}
	if want := (Endpoints{"http://sandbox.invalid/globfax", "http://sandbox.invalid/itniotech/otp", "http://sandbox.invalid/ucloud/"}); got.Endpoints != want {
		t.Errorf("%+v", got.Endpoints)
	}
	for name, v := range got.Env {
		if !strings.HasPrefix(v, "sandbox-") || len(v) < 16 {
			t.Errorf("%s=%s might be taken for a real one, or is too short", name, v)
		}
	}
}

func TestControlMistakes(t *testing.T) {
	f := newFixture(t, Options{})
	for _, c := range []struct{ path, body, want string }{
		{"recipients", `{"rcpt_ref":"r","colour":"red"}`, `object 1: json: unknown field "colour"`},
		{"recipients", `[{"rcpt_ref":"good"},{"rcpt_ref":"a b"}]`, `object 2: rcpt_ref "a b": write 1 to 255 letters, digits, underscores and hyphens`},
		{"recipients", `{`, `object 1: unexpected EOF`},
		{"recipients", ``, `object 1: EOF`},
		{"recipients", `{"rcpt_ref":"r"} {"rcpt_ref":"r"}`, `object 1: there is more after the JSON value`},
		{"orders", `{}`, `object 1: order_id is empty`},
		{"faults", `{"vendor":"ucloud","kind":"delay","delay":"soon"}`, `object 1: time: invalid duration "soon"`},
		{"clock", `{"advance":"-1h"}`, `object 1: advance: write how far the clock is to go on, such as "1h"`},
		{"settings", `{"callback_url":"nowhere"}`, `callback_url is not an http or https URL with a host`},
		{"settings", `{"unknown_order":"shrug"}`, `unknown_order "shrug" is none of null_data, parameter_error and matched_3`},
		{"declare", `{"kind":"pigeon","id":"x"}`, `object 1: the sandbox has no vendor for the resource type "pigeon"`},
	} {
		r := f.control(http.MethodPost, c.path, c.body)
		var got mistake
		if err := json.Unmarshal(r.body, &got); err != nil || r.status != 400 || got.Error != c.want {
			t.Errorf("%s %s: %d %q, want %q", c.path, c.body, r.status, got.Error, c.want)
		}
	}
	if r := f.fax("good"); r.status != 200 {
		t.Error("what stood before the mistake was not taken in")
	}
	if r := f.control(http.MethodGet, "recipients", ""); r.status != http.StatusMethodNotAllowed {
		t.Errorf("GET recipients: %d", r.status)
	}
	if r := f.control(http.MethodGet, "nothing", ""); r.status != http.StatusNotFound {
		t.Errorf("GET nothing: %d", r.status)
	}
}
