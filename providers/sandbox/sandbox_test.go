package sandbox

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the tests' clocks begin.
var start = time.Date(2025, 2, 22, 10, 0, 0, 0, vendorZone)

// fakeClock is a clock that goes on when it is told to.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a sandbox that is reached in memory, on a clock of the test's.
type fixture struct {
	*Server
	t      *testing.T
	clock  *fakeClock
	client *http.Client
	at     Endpoints
}

func newFixture(t *testing.T, o Options) *fixture {
	t.Helper()
	clock := &fakeClock{now: start}
	o.Now = clock.Now
	s := New(o)
	return &fixture{Server: s, t: t, clock: clock, client: &http.Client{Transport: s.Transport()}, at: s.Endpoints()}
}

// reply is what came back of a request.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of the request or of reading the body
}

func (f *fixture) do(r *http.Request) reply {
	f.t.Helper()
	response, err := f.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, body, err}
}

// fax asks GlobFax for a recipient.
func (f *fixture) fax(ref string) reply {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodGet, f.at.GlobFax+"/api/v2/fax/recipients/"+ref, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("X-API-Key", DefaultCredentials.GlobFaxKey)
	r.Header.Set("X-API-Secret", DefaultCredentials.GlobFaxSecret)
	return f.do(r)
}

// otp asks itniotech for an order, signed at that time.
func (f *fixture) otp(body string, signed time.Time, edit func(http.Header)) reply {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.at.Itniotech+"/verification/orderId/record", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	stamp := strconv.FormatInt(signed.Unix(), 10)
	sum := md5.Sum([]byte(DefaultCredentials.ItniotechKey + DefaultCredentials.ItniotechSecret + stamp))
	r.Header = http.Header{"Content-Type": {"application/json;charset=UTF-8"}, "Sign": {hex.EncodeToString(sum[:])},
		"Timestamp": {stamp}, "Api-Key": {DefaultCredentials.ItniotechKey}}
	if edit != nil {
		edit(r.Header)
	}
	return f.do(r)
}

func (f *fixture) order(id string) reply {
	f.t.Helper()
	return f.otp(`{"appId":"sandbox-app","orderId":"`+id+`"}`, f.clock.Now(), nil)
}

// usmsForm is a signed form of PullUSMSReport.
func usmsForm(change map[string]string) url.Values {
	form := url.Values{"Action": {"PullUSMSReport"}, "PublicKey": {DefaultCredentials.UCloudPublicKey}}
	for k, v := range change {
		form.Set(k, v)
	}
	if form.Has("Signature") {
		return form
	}
	var keys []string
	for k := range form {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	text := ""
	for _, k := range keys {
		text += k + form.Get(k)
	}
	sum := sha1.Sum([]byte(text + DefaultCredentials.UCloudPrivateKey))
	form.Set("Signature", hex.EncodeToString(sum[:]))
	return form
}

// pull asks UCloud for a page.
func (f *fixture) pull(change map[string]string) reply {
	f.t.Helper()
	r, err := http.NewRequest(http.MethodPost, f.at.UCloud, strings.NewReader(usmsForm(change).Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return f.do(r)
}

// usmsPage is a decoded answer of UCloud.
type usmsPage struct {
	RetCode   int
	Action    string
	Message   string
	ReqUUID   string `json:"ReqUuid"`
	ReportSet []json.RawMessage
}

func decode[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if r.err != nil {
		t.Fatalf("no whole answer: %v", r.err)
	}
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("answer is not JSON: %v\n%s", err, r.body)
	}
	return v
}

// wants fails unless an answer has a status and, compacted, the JSON of a text.
func (r reply) wants(t *testing.T, status int, want string) {
	t.Helper()
	if r.err != nil || r.status != status || string(r.body) != compact(t, []byte(want)) {
		t.Errorf("got %d %s (error %v)\nwant %d %s", r.status, r.body, r.err, status, compact(t, []byte(want)))
	}
}

func compact(t *testing.T, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shape is JSON reduced to its fields, in order, and their types.
func shape(t *testing.T, raw []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var b strings.Builder
	var value func()
	next := func() json.Token {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		return token
	}
	value = func() {
		switch v := next().(type) {
		case json.Delim:
			b.WriteString(v.String())
			for d.More() {
				if v == '{' {
					fmt.Fprintf(&b, "%s:", next())
				}
				value()
				b.WriteString(" ")
			}
			b.WriteString(next().(json.Delim).String())
		case json.Number:
			b.WriteString("number")
		case string:
			b.WriteString("string")
		case bool:
			b.WriteString("bool")
		case nil:
			b.WriteString("null")
		}
	}
	value()
	return b.String()
}

func TestDeclareMakesPlausibleThings(t *testing.T) {
	f := newFixture(t, Options{})
	for _, d := range []struct {
		kind, id string
		expected int
	}{
		{"globfax_recipient", "rcpt_ok", 1},
		{"globfax_recipient", "rcpt_fail", 1},
		{"globfax_recipient", "rcpt_never", 1},
		{"globfax_recipient", "rcpt_missing", 1},
		{"itniotech_otp_order", "order-never", 1},
		{"ucloud_usms_message", "send-fail", 2},
		{"ucloud_usms_message", "send-part", 6},
		{"ucloud_usms_message", "send-never", 2},
		{"nxcloud_number_check", "batch", 250},
		{"ucloud_usms_report_pull", "main", 0},
	} {
		for range 2 { // the second time changes nothing
			if err := f.Declare(d.kind, d.id, d.expected, "http://receiver.invalid/", time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Declare("fax_machine", "x", 1, "", time.Time{}); err == nil {
		t.Error("an unknown resource type was declared")
	}
	f.clock.add(DefaultSpeed.Latest)
	for ref, want := range map[string]string{"rcpt_fail": "failed", "rcpt_never": "sending"} {
		got := decode[struct{ Data struct{ Status string } }](t, f.fax(ref))
		if got.Data.Status != want {
			t.Errorf("%s is %q, want %q", ref, got.Data.Status, want)
		}
	}
	if r := f.fax("rcpt_missing"); r.status != http.StatusNotFound {
		t.Errorf("the missing one answers %d", r.status)
	}
	order := decode[struct {
		Data struct{ Verifications struct{ Matched int } }
	}](t, f.order("order-never"))
	if order.Data.Verifications.Matched != -1 {
		t.Errorf("order-never has matched %d, want -1", order.Data.Verifications.Matched)
	}
	count := make(map[string]int)
	for _, raw := range decode[usmsPage](t, f.pull(nil)).ReportSet {
		var r usmsReport
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		result := "fail"
		if r.ReceiptResult == "发送成功" || r.ReceiptResult == "Success" {
			result = "success"
		}
		count[r.SessionNo+" "+result]++
	}
	if count["send-fail fail"] != 2 || count["send-fail success"] != 0 || count["send-part fail"] < 2 || count["send-part success"] < 1 ||
		count["send-never fail"]+count["send-never success"] != 0 {
		t.Errorf("reports: %v", count)
	}
	if c := f.Account().Callbacks; c.Created != 250 || c.Pending != 250 {
		t.Errorf("callbacks: %+v", c)
	}
}

// TestSeedDecides holds equal seeds to equal answers and another seed to others.
func TestSeedDecides(t *testing.T) {
	told := func(seed uint64) string {
		f := newFixture(t, Options{Seed: seed, AutoCreate: true})
		var b strings.Builder
		for step := range 3 {
			for i := range 40 {
				b.Write(f.fax(fmt.Sprintf("rcpt_%d", i)).body)
				b.Write(f.order(fmt.Sprintf("order-%d", i)).body)
			}
			f.clock.add(time.Duration(step+1) * 13 * time.Second)
		}
		return b.String()
	}
	if once, again := told(1), told(1); once != again {
		t.Error("the same seed told different things")
	}
	if told(1) == told(2) {
		t.Error("another seed told the same")
	}
}

// TestEverythingSettlesWithinAMinute is what the quickstart counts on.
func TestEverythingSettlesWithinAMinute(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	states := make(map[string]int)
	for step, after := range []time.Duration{0, time.Minute} {
		f.clock.add(after)
		for i := range 100 {
			fax := decode[struct{ Data struct{ Status string } }](t, f.fax(fmt.Sprintf("rcpt_%d", i)))
			states[fmt.Sprintf("%d %s", step, fax.Data.Status)]++
		}
	}
	if states["0 queued"] != 100 || states["1 success"] < 60 || states["1 success"]+states["1 failed"] != 100 || states["1 failed"] == 0 {
		t.Errorf("statuses: %v", states)
	}
}
