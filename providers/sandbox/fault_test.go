package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// overSockets is a fixture whose requests go through a real connection.
func overSockets(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, Options{AutoCreate: true})
	base, err := f.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	f.client, f.at = &http.Client{Transport: transport}, EndpointsAt(base)
	if f.Endpoints() != f.at {
		t.Errorf("endpoints: %+v, want %+v", f.Endpoints(), f.at)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil { // harmless
			t.Error(err)
		}
	})
	return f
}

// TestFaults shows each trouble that comes with an answer, in memory and over
// sockets, to each vendor: what the client sees and whether UCloud has deleted.
func TestFaults(t *testing.T) {
	broken := func(r reply) bool { return r.err != nil && r.status == 0 }
	cut := func(r reply) bool { return errors.Is(r.err, io.ErrUnexpectedEOF) && r.status == 200 && len(r.body) > 0 }
	for _, c := range []struct {
		fault   Fault
		sees    func(r reply) bool
		deletes bool
	}{
		{Fault{Kind: RateLimit, RetryAfter: Duration(90 * time.Second)}, func(r reply) bool { return r.status == 429 && r.header.Get("Retry-After") == "90" }, false},
		{Fault{Kind: RateLimit}, func(r reply) bool { return r.status == 429 && r.header.Get("Retry-After") == "" }, false},
		{Fault{Kind: ServerError}, func(r reply) bool { return r.status == 500 }, false},
		{Fault{Kind: ServerError, Status: 503, Acted: true}, func(r reply) bool { return r.status == 503 }, true},
		{Fault{Kind: HTML}, func(r reply) bool {
			return r.status == 200 && bytes.HasPrefix(r.body, []byte("<!DOCTYPE html>")) && strings.HasPrefix(r.header.Get("Content-Type"), "text/html")
		}, false},
		{Fault{Kind: HTML, Status: 502, Acted: true}, func(r reply) bool { return r.status == 502 && bytes.Contains(r.body, []byte("<html>")) }, true},
		{Fault{Kind: Truncate}, cut, true},
		{Fault{Kind: Truncate, Fraction: 0.99}, cut, true},
		{Fault{Kind: Truncate, Bytes: new(17)}, func(r reply) bool { return cut(r) && len(r.body) == 17 }, true},
		{Fault{Kind: Truncate, Bytes: new(1 << 20)}, cut, true}, // never the whole
		{Fault{Kind: ResetBefore}, broken, false},
		{Fault{Kind: Unreachable}, broken, false},
		{Fault{Kind: ResetAfter}, broken, true},
		{Fault{Kind: Oversize, Bytes: new(1 << 20)}, func(r reply) bool {
			return r.status == 200 && len(r.body) > 1<<20 && json.Valid(r.body)
		}, true},
		{Fault{Kind: CloseIdle}, func(r reply) bool {
			return r.err == nil && r.status == 200 && json.Valid(r.body) && r.header.Get("Connection") == ""
		}, true},
		{Fault{Kind: Odd}, func(r reply) bool { return r.status == 200 && json.Valid(r.body) }, true},
	} {
		for _, way := range []string{"memory", "sockets"} {
			for _, v := range []Vendor{GlobFax, Itniotech, UCloud} {
				t.Run(fmt.Sprintf("%s/%s/%s", c.fault.Kind, way, v), func(t *testing.T) {
					f := newFixture(t, Options{AutoCreate: true})
					if way == "sockets" {
						f = overSockets(t)
					}
					if err := f.AddSend(Send{SessionNo: "s", Count: 5, SettleAfter: -1}); err != nil {
						t.Fatal(err)
					}
					ask := map[Vendor]func() reply{
						GlobFax:   func() reply { return f.fax("r") },
						Itniotech: func() reply { return f.order("o") },
						UCloud:    func() reply { return f.pull(nil) },
					}[v]
					c.fault.Vendor, c.fault.Next = v, 1
					if _, err := f.AddFault(c.fault); err != nil {
						t.Fatal(err)
					}
					if r := ask(); !c.sees(r) {
						t.Errorf("the client sees %d %v %v: %.300s", r.status, r.err, r.header, r.body)
					}
					next := ask()
					if c.fault.Kind == CloseIdle && next.err != nil {
						next = ask() // it met the closed connection before the client knew: that is the hazard
					}
					if r := next; r.err != nil || r.status != 200 || !json.Valid(r.body) {
						t.Errorf("the next request: %d %v", r.status, r.err)
					}
					a := f.Account()
					if s := a.Faults[0]; s.Struck != 1 || !s.Off || a.Requests[v]["fault "+string(c.fault.Kind)] != 1 {
						t.Errorf("struck %d times, counted %v", s.Struck, a.Requests[v])
					}
					if v != UCloud {
						return
					}
					// Both pulls together took the five; which one says whether the first deleted.
					if len(a.Deleted) != 5 || (a.Pulls[0].Fault == c.fault.Kind) != c.deletes || a.Pulls[0].Returned != 5 {
						t.Errorf("%d deleted, pulls %+v", len(a.Deleted), a.Pulls)
					}
					arrives := c.fault.Kind == Oversize || c.fault.Kind == CloseIdle || c.fault.Kind == Odd
					if c.deletes && a.Pulls[0].Whole != arrives {
						t.Errorf("said to be whole: %v", a.Pulls[0].Whole)
					}
				})
			}
		}
	}
}

// TestCutPagesAtEveryByte holds what arrives to the account's exact bytes.
func TestCutPagesAtEveryByte(t *testing.T) {
	length := 1
	for at := 0; at < length; at++ {
		f := newFixture(t, Options{})
		if err := f.AddSend(Send{SessionNo: "s", Count: 3, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.AddFault(Fault{Vendor: UCloud, Kind: Truncate, Bytes: new(at), Next: 1}); err != nil {
			t.Fatal(err)
		}
		r := f.pull(nil)
		if len(r.body) != at || !errors.Is(r.err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %d bytes arrived, %v", at, len(r.body), r.err)
		}
		whole := 0
		for _, d := range f.Account().Deleted {
			if bytes.Contains(r.body, d.Report) {
				whole++
			}
		}
		if at == 0 {
			length = len(encode(usmsAnswer{Action: "PullUSMSReportResponse", Message: "pull success", ReqUUID: f.Account().Pulls[0].ReqUUID,
				ReportSet: []json.RawMessage{f.Account().Deleted[0].Report, f.Account().Deleted[1].Report, f.Account().Deleted[2].Report}}))
		}
		if at == length-1 && whole != 3 || at == 0 && whole != 0 {
			t.Errorf("cut at %d of %d: %d whole reports", at, length, whole)
		}
	}
	if length < 100 {
		t.Errorf("the page had %d bytes", length)
	}
}

func TestResetIsOne(t *testing.T) {
	f := overSockets(t)
	if _, err := f.AddFault(Fault{Vendor: GlobFax, Kind: ResetAfter, Next: 1}); err != nil {
		t.Fatal(err)
	}
	if r := f.fax("r"); !errors.Is(r.err, syscall.ECONNRESET) && !errors.Is(r.err, io.EOF) {
		t.Errorf("got %v", r.err)
	}
	m := newFixture(t, Options{AutoCreate: true})
	if _, err := m.AddFault(Fault{Vendor: GlobFax, Kind: Unreachable, Next: 1}); err != nil {
		t.Fatal(err)
	}
	r := m.fax("r")
	if op, ok := errors.AsType[*net.OpError](r.err); !ok || op.Op != "dial" || len(m.Account().Reads) != 0 {
		t.Errorf("got %v", r.err)
	}
}

// TestClosedWithoutAWord has a client's next POST meet a connection that is no
// more: the vendor has acted once.
func TestClosedWithoutAWord(t *testing.T) {
	f := overSockets(t)
	if _, err := f.AddFault(Fault{Vendor: UCloud, Kind: CloseIdle, Next: 1}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r := f.pull(nil); r.err != nil {
			// The client may find out too late; then it is an error, never a second pull.
			continue
		}
	}
	if n := len(f.Account().Pulls); n > 2 {
		t.Errorf("%d pulls of two requests", n)
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, Options{})
		f.opts.Now = time.Now
		if err := f.AddSend(Send{SessionNo: "s", Count: 2, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.AddFault(Fault{Vendor: UCloud, Kind: Delay, Delay: Duration(30 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if r := f.pull(nil); r.err != nil || time.Since(begun) != 30*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), r.err)
		}
		// A client that does not wait loses what was deleted.
		if err := f.AddSend(Send{SessionNo: "t", Count: 2, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		f.client.Timeout = 20 * time.Second
		if r := f.pull(nil); !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("got %v", r.err)
		}
		synctest.Wait()
		a := f.Account()
		if len(a.Deleted) != 4 || !a.Pulls[0].Whole || a.Pulls[1].Whole {
			t.Errorf("%d deleted, %+v", len(a.Deleted), a.Pulls)
		}
	})
}

func TestRefuse(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	for _, x := range []Fault{{Vendor: Itniotech, Kind: Refuse, Code: "-18", Next: 1}, {Vendor: UCloud, Kind: Refuse, Code: "153", Next: 1}} {
		if _, err := f.AddFault(x); err != nil {
			t.Fatal(err)
		}
	}
	f.order("o").wants(t, 200, `{"status":"-18","reason":"系统异常","data":null}`)
	if got := decode[usmsPage](t, f.pull(nil)); got.RetCode != 153 || len(f.Account().Pulls) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSkew(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	for _, skew := range []time.Duration{time.Hour, -time.Hour, 4 * time.Minute} {
		if _, err := f.AddFault(Fault{Vendor: Itniotech, Kind: Skew, Skew: Duration(skew), Next: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"-16", "-16", "0", "0"} {
		if got := decode[struct{ Status string }](t, f.order("o")); got.Status != want {
			t.Errorf("request %d: status %q, want %q", i, got.Status, want)
		}
	}
	// Moving the sandbox's time on is not a skew.
	f.Advance(48 * time.Hour)
	if got := decode[struct{ Status string }](t, f.order("o")); got.Status != "0" {
		t.Errorf("after Advance: %q", got.Status)
	}
}

func TestWrongID(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	for _, v := range []Vendor{GlobFax, Itniotech} {
		if _, err := f.AddFault(Fault{Vendor: v, Kind: WrongID, Next: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		fax, order := f.fax("r1"), f.order("o1")
		right := bytes.Contains(fax.body, []byte(`"rcpt_ref":"r1"`)) && bytes.Contains(order.body, []byte(`{"orderId":"o1"`)) && bytes.Contains(order.body, []byte(`"orderId":"o1"}`))
		if struck := f.Faults()[0].Struck == 1; !struck {
			t.Error("did not strike")
		}
		if first := f.Account().Reads[0].Count == 1; right == first {
			t.Errorf("%s\n%s", fax.body, order.body)
		}
	}
}

func TestOddReportAmongGoodOnes(t *testing.T) {
	for variant := 1; variant <= oddVariants; variant++ {
		f := newFixture(t, Options{})
		if _, err := f.AddFault(Fault{Vendor: UCloud, Kind: Odd, Next: 1, Variant: variant}); err != nil {
			t.Fatal(err)
		}
		if got := decode[usmsPage](t, f.pull(nil)); len(got.ReportSet) != 0 || f.Faults()[0].Struck != 0 {
			t.Error("an empty page was struck")
		}
		if err := f.AddSend(Send{SessionNo: "s", Count: 10, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		page := decode[usmsPage](t, f.pull(nil))
		a := f.Account()
		if len(page.ReportSet) != 10 || len(a.Deleted) != 10 {
			t.Fatalf("%d of %d", len(page.ReportSet), len(a.Deleted))
		}
		odd := 0
		for i, raw := range page.ReportSet {
			if string(raw) != string(a.Deleted[i].Report) {
				t.Errorf("report %d: %s in the page, %s in the account", i, raw, a.Deleted[i].Report)
			}
			var r usmsReport
			err := json.Unmarshal(raw, &r)
			fits := err == nil && r.SessionNo == "s" && r.Phone == a.Deleted[i].Phone && r.ReceiptTime > 0
			if fits == a.Deleted[i].Odd {
				t.Errorf("variant %d: odd is %v of %s", variant, a.Deleted[i].Odd, raw)
			}
			if !fits {
				odd++
			}
		}
		if odd != 1 {
			t.Errorf("variant %d: %d odd ones", variant, odd)
		}
	}
}

func TestFaultsStrikeByProbabilityAndSeed(t *testing.T) {
	pattern := func(seed uint64) string {
		f := newFixture(t, Options{Seed: seed, AutoCreate: true})
		if _, err := f.AddFault(Fault{Vendor: GlobFax, Kind: ServerError, Probability: 0.3}); err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for range 300 {
			fmt.Fprint(&b, f.fax("r").status, " ")
		}
		if n := strings.Count(b.String(), "500"); n < 50 || n > 130 || f.Faults()[0].Struck != int64(n) {
			t.Errorf("struck %d times of 300, counted %d", n, f.Faults()[0].Struck)
		}
		f.ClearFaults()
		if r := f.fax("r"); r.status != 200 {
			t.Error("struck after it was taken off")
		}
		return b.String()
	}
	if once, again := pattern(1), pattern(1); once != again || once == pattern(2) {
		t.Error("the seed does not decide")
	}
}

func TestFaultMistakes(t *testing.T) {
	f := newFixture(t, Options{})
	for _, x := range []Fault{
		{Vendor: GlobFax, Kind: "boom"}, {Vendor: NXCloud, Kind: HTML}, {Vendor: UCloud, Kind: WrongID}, {Vendor: "fedex", Kind: Delay},
		{Vendor: GlobFax, Kind: HTML, Next: -1}, {Vendor: GlobFax, Kind: HTML, Probability: 1.5}, {Vendor: GlobFax, Kind: Truncate, Fraction: 1},
		{Vendor: GlobFax, Kind: Truncate, Bytes: new(-1)}, {Vendor: GlobFax, Kind: HTML, Status: 99}, {Vendor: UCloud, Kind: Refuse},
		{Vendor: UCloud, Kind: Refuse, Code: "0"}, {Vendor: UCloud, Kind: Refuse, Code: "no"},
	} {
		if _, err := f.AddFault(x); err == nil {
			t.Errorf("taken in: %+v", x)
		}
	}
}
