package agent_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
)

type answering struct {
	status int
	body   string
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

// What went wrong is told again by whatever pass comes before the floor is over: an
// apply that may not ask again is no success.
func TestTheLastFailureIsToldAgain(t *testing.T) {
	for _, c := range []struct {
		status      int
		credentials bool
	}{{401, true}, {403, true}, {400, false}} {
		w := newWorld(t)
		w.write("main.wb.hcl", w.providersText()+`
resource "globfax_recipient" "f" {
  count    = 3
  rcpt_ref = "r${count.index}"
}
`)
		w.runner.Transport = answering{c.status, `{"success":false,"message":"no"}`}
		if r := w.apply(); r.CredentialsFailed != c.credentials {
			t.Fatalf("%d: credentials failed %t", c.status, r.CredentialsFailed)
		}
		w.clock.advance(2 * time.Second)
		again := w.apply()
		told := ""
		for _, warning := range again.Warnings {
			told += warning.Err.Error() + "\n"
		}
		if again.CredentialsFailed != c.credentials || !strings.Contains(told, "not tried again before 2026-03-01T08:00:30Z") {
			t.Errorf("%d: credentials failed %t, told %q", c.status, again.CredentialsFailed, told)
		}
		if planned := w.plan(); planned.CredentialsFailed != c.credentials {
			t.Errorf("%d: a plan says credentials failed %t", c.status, planned.CredentialsFailed)
		}
	}
}

// Credentials that were corrected count at once, though the item that was refused
// may not be asked again yet.
func TestCorrectedCredentialsAreTriedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+`
resource "globfax_recipient" "f" {
  count    = 3
  rcpt_ref = "r${count.index}"
}
`)
	vendor := w.runner.Transport
	w.runner.Transport = answering{401, `{"success":false,"message":"no"}`}
	w.runner.Parallelism = 1
	if r := w.apply(); !r.CredentialsFailed {
		t.Fatal("the credentials are not refused")
	}
	w.clock.advance(2 * time.Second)
	w.runner.Transport = vendor
	if r := w.apply(); r.CredentialsFailed || r.Reads != 2 {
		t.Errorf("credentials failed %t, %d reads", r.CredentialsFailed, r.Reads)
	}
}

// numbered is a transport that fails in other words each time.
type numbered struct{ n atomic.Int64 }

func (f *numbered) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("read tcp 127.0.0.1:%d->127.0.0.1:80: connection reset by peer", 40000+f.n.Add(1))
}

// Failures of many items for one cause are one warning, though each names its port.
func TestOneCauseIsOneWarning(t *testing.T) {
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+`
resource "globfax_recipient" "f" {
  count    = 138
  rcpt_ref = "r${count.index}"
}
`)
	w.runner.Transport = &numbered{}
	first := w.apply()
	w.clock.advance(2 * time.Second)
	for name, r := range map[string]*plan.Result{"apply": first, "the next apply": w.apply(), "plan": w.plan()} {
		if len(r.Warnings) != 1 || r.Warnings[0].Count != 138 || !strings.Contains(r.Warnings[0].Err.Error(), "connection reset") {
			t.Errorf("%s: %d warnings, want one for 138 items: %+v", name, len(r.Warnings), r.Warnings[:min(len(r.Warnings), 2)])
		}
	}
}

// Refused credentials are told until some are accepted: by the body of /-/ready and
// by the log of each start and reload, also before the account is asked again.
func TestRefusedCredentialsAreToldUntilAccepted(t *testing.T) {
	for name, resource := range map[string]string{
		"globfax": "resource \"globfax_recipient\" \"f\" {\n  rcpt_ref = \"r1\"\n}\n",
		"ucloud":  "resource \"ucloud_usms_report_pull\" \"main\" {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				out := &lines{}
				b.runner.Log = out.logger()
				b.write("main.wb.hcl", b.providersText()+resource)
				b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "r1", Status: "sending", SettleAfter: -1}))
				vendor := b.runner.Transport
				refusing := answering{401, `{"success":false,"message":"no","RetCode":171}`}
				b.runner.Transport = refusing
				since := time.Now().UTC().Format("2006-01-02T15:04")
				b.must(b.start())
				defer func() { b.end() }()
				time.Sleep(time.Minute)
				told := func(when string, want bool) {
					t.Helper()
					status, body := b.get(adminURL + "/-/ready")
					all := status == http.StatusOK
					for _, part := range []string{name + ": ", "credentials refused since " + since, "last tried at ", "asked again at "} {
						all = all && strings.Contains(body, part) == want
					}
					if !all {
						t.Errorf("%s: %d, told should be %t: %s", when, status, want, body)
					}
					if n := len(out.with("the vendor refused the credentials when they were tried last")); (n > 0) != want && when != "refused" {
						t.Errorf("%s: %d lines of it in the log", when, n)
					}
					out.clear()
				}
				told("refused", true)
				b.end()
				b.must(b.start())
				told("started again", true)
				if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
					t.Errorf("reload: %d", status)
				}
				told("reloaded", true)
				b.end()
				b.runner.Transport = vendor
				b.must(b.start())
				told("started with credentials that are accepted, before they are tried", true)
				time.Sleep(2 * time.Hour)
				told("accepted", false)
				b.end()
				b.must(b.start())
				told("started after that", false)
			})
		})
	}
}
