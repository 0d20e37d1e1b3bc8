package agent_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// The log tells how the agent began, what a reload changed, and each minute what was
// done and what failed: one line a kind, however many there are.
func TestAgentLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		log := &lines{}
		b.runner.Log = log.logger()
		faxes := func(n int) string {
			return fmt.Sprintf(`
resource "globfax_recipient" "invoice" {
  count    = %d
  rcpt_ref = "rcpt_${count.index}"
  expect "delivered" {
    condition     = self.status == "success"
    error_message = "fax to +8613800000000: ${coalesce(self.failed_reason, "no result yet")}"
  }
}
resource "nxcloud_number_check" "january" {
  batch_no = "b1"
}
`, n)
		}
		b.write("main.wb.hcl", b.providersText()+faxes(8))
		for i := range 12 {
			b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: fmt.Sprintf("rcpt_%d", i), Status: "failed", FailedCode: "BUSY", FailedReason: "busy at +8613800000001", SettleAfter: -1}))
		}
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		one := func(words ...string) {
			t.Helper()
			found := log.with(words[0])
			if len(found) != 1 {
				t.Fatalf("%d lines with %q:\n%s", len(found), words[0], strings.Join(log.with(""), ""))
			}
			for _, word := range words[1:] {
				if !strings.Contains(found[0], word) {
					t.Errorf("%q lacks %q", found[0], word)
				}
			}
		}
		one("the agent runs", "admin=127.0.0.1:8480", "receiver=127.0.0.1:8481", "configuration="+b.dir, "revision=", "items=9", "accounts=4",
			"callbacks=http://127.0.0.1:8481/callbacks/nxcloud/TOKEN")
		time.Sleep(61 * time.Second)
		one("items failed", "level=WARN", "count=8", `globfax_recipient.invoice[`, "and 5 more")
		one("expectations failed", "count=8", "delivered of globfax_recipient.invoice[", "and 5 more")
		one("msg=done", "read=8", "recorded=8", "settled=8", "failed=8")
		log.clear()
		time.Sleep(10 * time.Minute)
		if found := log.with(""); len(found) != 0 {
			t.Errorf("nothing was done, and it said %q", found)
		}
		b.must(os.WriteFile(filepath.Join(b.dir, "main.wb.hcl"), []byte(b.providersText()+strings.Replace(faxes(10), `resource "nxcloud_number_check" "january"`, `resource "nxcloud_number_check" "february"`, 1)), 0o600))
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Fatalf("reload: %d", status)
		}
		one("msg=reloaded", "tracked=2", "changed=1", "forgotten=0", "revision=")
		log.clear()
		b.must(os.WriteFile(filepath.Join(b.dir, "main.wb.hcl"), []byte(b.providersText()+faxes(9)), 0o600))
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Fatalf("reload: %d", status)
		}
		one("msg=reloaded", "forgotten=1")
		b.end()
		if found := log.with("8613800000"); len(found) != 0 {
			t.Errorf("a phone number is in the log: %q", found)
		}
	})
}
