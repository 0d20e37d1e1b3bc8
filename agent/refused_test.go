package agent_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
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
