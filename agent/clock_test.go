package agent_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// A clock that was ahead for seconds keeps nothing from being read and pulled
// once it is right: what was due later than anything may be due is not believed, by
// the process that wrote it, by the next one, and after a reload.
func TestClockThatWasAhead(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"a day": 24 * time.Hour, "a year": 365 * 24 * time.Hour} {
		for _, then := range []string{"goes on", "restart", "reload"} {
			t.Run(name+"/"+then, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBubble(t)
					var skew atomic.Int64
					b.runner.Now = func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
					b.write("main.wb.hcl", b.providersText()+`
resource "globfax_recipient" "f" {
  rcpt_ref      = "r1"
  give_up_after = "100000h"
}
resource "ucloud_usms_report_pull" "main" {}
`)
					b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: "r1", Status: "sending", SettleAfter: -1}))
					b.must(b.start())
					defer func() { b.end() }()
					time.Sleep(53 * time.Second)
					skew.Store(int64(ahead))
					time.Sleep(9 * time.Second) // both have their turn in these
					reads := func() (n int) {
						for _, r := range b.vendors.Account().Reads {
							n += int(r.Count)
						}
						return n
					}
					before := reads()
					if before < 2 {
						t.Fatalf("%d reads: the clock did nothing", before)
					}
					pulled := b.item("ucloud_usms_report_pull.main").ReadAt
					if !pulled.After(time.Now().Add(time.Hour)) {
						t.Fatalf("pulled at %v: the clock did nothing", pulled)
					}
					switch then {
					case "goes on":
						skew.Store(0)
					case "restart":
						b.end()
						skew.Store(0)
						b.must(b.start())
					case "reload":
						skew.Store(0)
						if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
							t.Fatalf("reload: %d", status)
						}
					}
					time.Sleep(2 * time.Minute)
					if n := reads(); n <= before {
						t.Errorf("%d reads, as before", n)
					}
					if at := b.item("ucloud_usms_report_pull.main").ReadAt; at.After(time.Now()) {
						t.Errorf("nothing was pulled since %v", at)
					}
				})
			})
		}
	}
}

// An apply, too, reads what was last read at a time that cannot have been.
func TestApplyAfterAClockThatWasAhead(t *testing.T) {
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+`
resource "globfax_recipient" "f" {
  rcpt_ref = "r1"
}
`)
	if err := w.vendors.AddRecipient(sandbox.Recipient{Ref: "r1", Status: "sending", SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	w.clock.advance(24 * time.Hour)
	w.apply()
	w.clock.advance(-24 * time.Hour)
	if r := w.apply(); r.Reads != 1 {
		t.Errorf("%d reads", r.Reads)
	}
	if r := w.apply(); r.Reads != 0 {
		t.Errorf("%d reads within the floor", r.Reads)
	}
}
