package agent_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// echoing is a network in which every vendor tells our credentials again.
type echoing struct {
	reply func(r *http.Request) (int, string)
}

func (e echoing) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := e.reply(r)
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Location": {"https://elsewhere/?" + body}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// noTrace fails where a file of the state, or a text, shows a secret.
func (w *world) noTrace(when string, secrets []string, texts ...string) {
	w.t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(w.path + suffix)
		if err == nil {
			texts = append(texts, string(content))
		}
	}
	for _, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))[:12]} {
			for _, text := range texts {
				if i := strings.Index(text, form); i >= 0 {
					w.t.Errorf("%s: a secret shows: %.80q", when, text[max(0, i-30):])
				}
			}
		}
	}
}

func pack(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Credentials that a vendor tells again, in an error or in an answer that is
// understood, are nowhere: not in the log, not in what was recorded, not in
// the raw, which says so and knows the digest of what came.
func TestEchoedCredentialsLeaveNoTrace(t *testing.T) {
	w := newWorld(t)
	log := &lineLog{}
	w.runner.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.write("main.wb.hcl", w.providersText()+`
resource "globfax_recipient" "fax" {
  rcpt_ref = "r1"
}
resource "itniotech_otp_order" "otp" {
  order_id = "o1"
}
resource "ucloud_usms_report_pull" "main" {}
resource "ucloud_usms_message" "sms" {
  session_no = "s1"
}
`)
	c := w.vendors.Credentials()
	all := []string{c.GlobFaxKey, c.GlobFaxSecret, c.ItniotechKey, c.ItniotechSecret, c.UCloudPublicKey, c.UCloudPrivateKey}
	// heard is what a vendor may tell again: the account's own secrets, in some forms, and the request.
	heard := func(r *http.Request) string {
		own := all[4:]
		if r.Header.Get("X-Api-Key") != "" {
			own = all[:2]
		} else if r.Header.Get("Api-Key") != "" {
			own = all[2:4]
		}
		body, _ := io.ReadAll(r.Body)
		text := fmt.Sprint(r.Header, string(body))
		for _, secret := range own {
			text += " " + secret + " " + url.QueryEscape("k="+secret) + " " + base64.StdEncoding.EncodeToString([]byte("u:"+secret))
		}
		return strings.NewReplacer("\n", " ", `"`, " ", "\\", " ").Replace(text)
	}
	var mu sync.Mutex // vendors are asked side by side
	came := make(map[[32]byte]bool)
	understood := func(said, phone string) string {
		return `{"RetCode":0,"Message":"` + said + `","ReportSet":[{"SessionNo":"s1","Phone":"` + phone + `","ReceiptResult":"Success","UserId":"` + said + `"}],
			"status":"0","reason":"` + said + `","success":true,"data":{"orderId":"o1","rcpt_ref":"r1","status":"sending","x":"` + said + `","y":` + phone + `}}`
	}
	for _, step := range []struct {
		name  string
		reply func(said string) (int, string)
	}{
		{"redirect", func(said string) (int, string) { return 302, said }},
		{"page", func(said string) (int, string) { return 200, "<html>" + said }},
		{"vendor's error", func(said string) (int, string) {
			return 200, `{"RetCode":150,"status":"-18","success":false,"Message":"` + said + `","reason":"` + said + `","message":"` + said + `"}`
		}},
		{"understood", func(said string) (int, string) { return 200, understood(said, "1") }},
		{"understood, packed", func(said string) (int, string) { return 200, pack(t, understood(said, "2")) }},
		{"refused", func(said string) (int, string) {
			return 401, `{"message":"` + said + `","reason":"` + said + `","Message":"` + said + `"}`
		}},
	} {
		w.runner.Transport = echoing{func(r *http.Request) (int, string) {
			status, body := step.reply(heard(r))
			mu.Lock()
			defer mu.Unlock()
			came[sha256.Sum256([]byte(body))] = true
			return status, body
		}}
		w.clock.advance(20 * time.Minute)
		result := w.apply()
		texts := append([]string{fmt.Sprintf("%+v", result)}, log.lines...)
		for _, address := range []string{"globfax_recipient.fax", "itniotech_otp_order.otp", "ucloud_usms_report_pull.main", "ucloud_usms_message.sms"} {
			texts = append(texts, fmt.Sprintf("%+v %s %s", w.item(address), w.item(address).Values, w.item(address).Seen))
		}
		w.noTrace(step.name, all, texts...)
	}
	if v := string(w.item("ucloud_usms_message.sms").Values); !strings.Contains(v, `"received":2`) {
		t.Errorf("reports were lost: %s", v)
	}
	reader := w.reader()
	defer reader.Close()
	raws := 0
	for raw, err := range reader.Raws(context.Background(), state.RawFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		raws++
		w.noTrace("raw", all, string(raw.Body))
		if !raw.Redacted || !came[raw.Digest] || !bytes.Contains(raw.Body, []byte("****")) {
			t.Errorf("raw %d of %s: redacted %v, digest known %v: %.200q", raw.ID, raw.Account, raw.Redacted, came[raw.Digest], raw.Body)
		}
	}
	if raws < 8 {
		t.Errorf("%d raws", raws)
	}
}

// A callback that repeats the token of its URL is stored without it, plain or
// packed, and its record is what it would have been.
func TestEchoedTokenLeavesNoTrace(t *testing.T) {
	f := newFort(t)
	plain := `{"requestId":"q1","batchNo":"b1","code":0,"drUrl":"https://us/callbacks/nxcloud/` + f.token + `"}`
	for n, body := range []string{plain, plain, pack(t, strings.Replace(plain, "q1", "q2", 1)), pack(t, `{"requestId":"q3","batchNo":"b1","code":0}`)} {
		answer, err := http.Post("http://"+f.receiver+f.path200(), "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != 200 {
			t.Fatalf("callback %d: %d", n, answer.StatusCode)
		}
	}
	f.noTrace("callbacks", []string{f.token}, f.log.lines...)
	reader := f.reader()
	defer reader.Close()
	records, redacted := 0, 0
	for r, err := range reader.Records(context.Background(), state.RecordFilter{}) {
		if err != nil || r.Quarantined != "" {
			t.Fatalf("%+v, %v", r, err)
		}
		records++
	}
	for raw, err := range reader.Raws(context.Background(), state.RawFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		f.noTrace("raw", []string{f.token}, string(raw.Body))
		if raw.Redacted {
			redacted++
		} else if sha := sha256.Sum256(raw.Body); sha != sha256.Sum256([]byte(pack(t, `{"requestId":"q3","batchNo":"b1","code":0}`))) {
			t.Errorf("not as it came: %q", raw.Body)
		}
	}
	if records != 3 || redacted < 2 {
		t.Errorf("%d records, %d redacted raws", records, redacted)
	}
}

// A page that a proxy compressed is read, landed as it came, and no loss.
func TestPackedPage(t *testing.T) {
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+`
resource "ucloud_usms_report_pull" "main" {}
resource "ucloud_usms_message" "sms" {
  session_no = "s1"
}
`)
	body := pack(t, `{"RetCode":0,"ReportSet":[{"SessionNo":"s1","Phone":"1","CostCount":1,"ReceiptResult":"Success"}]}`)
	w.runner.Transport = echoing{func(*http.Request) (int, string) { return 200, body }}
	w.apply()
	if v := string(w.item("ucloud_usms_message.sms").Values); !strings.Contains(v, `"outcome":"succeeded"`) || len(w.losses()) != 0 {
		t.Errorf("%s, %+v", v, w.losses())
	}
	// A page that an older version could not read is mended by replay.
	definition := w.with("ucloud", func(d *providers.Definition) {
		d.Records = func(providers.Answer) providers.Page { return providers.Page{Err: errors.New("binary")} }
	})
	w.clock.advance(time.Hour)
	body = pack(t, `{"RetCode":0,"ReportSet":[{"SessionNo":"s1","Phone":"2","CostCount":1,"ReceiptResult":"Success"}]}`)
	w.apply()
	definition()
	if n := w.stored(); n != 1 {
		t.Fatalf("%d records", n)
	}
	w.replay(agent.ReplayOptions{All: true})
	if n := w.stored(); n != 2 {
		t.Errorf("%d records after the replay", n)
	}
}
