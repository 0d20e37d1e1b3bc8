package simulation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// thing is something at a vendor that the configuration may declare.
type thing struct {
	key, identity string
	expected      int
	declared      bool
}

// declaration is what the configuration says, by resource type.
type declaration struct {
	faxes, orders, sends, batches []*thing
	noPolicy                      bool
	extra                         string
}

// render writes the configuration.
func (w *world) render() string {
	e, c, d := w.vendors.Endpoints(), w.vendors.Credentials(), &w.declare
	var b strings.Builder
	fmt.Fprintf(&b, `
agent {
  max_forget = "100%%"
}
provider "globfax" {
  endpoint   = %q
  api_key    = %q
  api_secret = %q
}
provider "itniotech" {
  endpoint   = %q
  api_key    = %q
  api_secret = %q
}
provider "ucloud" {
  endpoint    = %q
  public_key  = %q
  private_key = %q
}
provider "nxcloud" {
  callback {
    tokens = [%q]
  }
}
`, e.GlobFax, c.GlobFaxKey, c.GlobFaxSecret, e.Itniotech, c.ItniotechKey, c.ItniotechSecret,
		e.UCloud, c.UCloudPublicKey, c.UCloudPrivateKey, c.NXCloudToken)
	const poll = `
  poll {
    interval      = "1m"
    max_interval  = "8m"
    give_up_after = "200h"
  }
`
	fmt.Fprintf(&b, `
resource "globfax_recipient" "fax" {
  for_each = %s
  rcpt_ref = each.value
%s
  expect "delivered" {
    condition     = self.status == "success"
    within        = "90m"
    error_message = "fax ${each.key}: ${coalesce(self.failed_reason, "no result yet")}"
  }
}
resource "globfax_recipient" "again" {
  for_each = { for k, r in globfax_recipient.fax : k => "again_${r.rcpt_ref}" if r.outcome == "failed" }
  rcpt_ref = each.value
%s
}
resource "itniotech_otp_order" "login" {
  for_each = %s
  order_id = each.value
  app_id   = "app"
%s
}
output "fax_cost" {
  value = sum([for r in globfax_recipient.fax : r.charged_amount if r.charged_amount != null])
}
check "no_fax_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.fax : r.outcome != "failed"])
    error_message = "some faxes failed"
  }
}
`, identities(d.faxes), poll, poll, identities(d.orders), poll)
	if !d.noPolicy {
		b.WriteString("resource \"ucloud_usms_report_pull\" \"main\" {\n  interval = \"2m\"\n  limit = 40\n}\n")
	}
	counted(&b, "ucloud_usms_message", "promo", "session_no", d.sends)
	counted(&b, "nxcloud_number_check", "batch", "batch_no", d.batches)
	b.WriteString(d.extra)
	return b.String()
}

func identities(things []*thing) string {
	var parts []string
	for _, t := range things {
		if t.declared {
			parts = append(parts, fmt.Sprintf("%s = %q", t.key, t.identity))
		}
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

func counted(b *strings.Builder, typ, name, identity string, things []*thing) {
	var parts []string
	for _, t := range things {
		if t.declared {
			parts = append(parts, fmt.Sprintf("%s = { id = %q, n = %d }", t.key, t.identity, t.expected))
		}
	}
	fmt.Fprintf(b, "resource %q %q {\n  for_each = { %s }\n  %s = each.value.id\n  expected = each.value.n\n  give_up_after = \"200h\"\n}\n",
		typ, name, strings.Join(parts, ", "), identity)
}

// write puts a configuration in place, whole, as a checkout does.
func (w *world) write(text string) {
	name := filepath.Join(w.config, "main.wb.hcl")
	w.must(os.WriteFile(name+".new", []byte(text), 0o600), os.Rename(name+".new", name))
}

// upTo draws a time between least and most.
func (w *world) upTo(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rnd.Int64N(int64(most-least)+1))
}

func (w *world) chance(percent int) bool { return w.rnd.IntN(100) < percent }

// populate makes n things of each kind, of which most are declared, and which
// come to their end some time within the span.
func (w *world) populate(n int, within time.Duration) {
	d := &w.declare
	after := func() sandbox.Duration { return sandbox.Duration(w.upTo(time.Second, within)) }
	for range n {
		i := len(d.faxes)
		ref := fmt.Sprintf("rcpt_%d", i)
		switch w.rnd.IntN(8) {
		case 0:
			ref = fmt.Sprintf("never_%d", i)
		case 1:
			ref = fmt.Sprintf("missing_%d", i)
		case 2:
			ref = fmt.Sprintf("fail_%d", i)
		}
		if !strings.HasPrefix(ref, "missing") {
			w.must(w.vendors.AddRecipient(sandbox.Recipient{Ref: ref, SettleAfter: after()}), w.vendors.AddRecipient(sandbox.Recipient{Ref: "again_" + ref, SettleAfter: after()}))
		}
		d.faxes = append(d.faxes, &thing{key: fmt.Sprintf("f%d", i), identity: ref, declared: w.chance(85)})

		outcomes := []string{"verified", "verified", "wrong_code", "never", "undelivered", "nonexistent"}
		order := sandbox.Order{ID: fmt.Sprintf("o%d", i), Outcome: outcomes[w.rnd.IntN(len(outcomes))], SettleAfter: after()}
		w.must(w.vendors.AddOrder(order))
		d.orders = append(d.orders, &thing{key: order.ID, identity: order.ID, declared: w.chance(85)})
	}
	for range 2 {
		w.send(w.upTo(time.Second, within))
		w.batch(w.upTo(time.Second, within))
	}
}

// send lets UCloud report on a send, in several parts of which each has its time.
func (w *world) send(within time.Duration) {
	i := len(w.declare.sends)
	id := fmt.Sprintf("s%d", i)
	total := 0
	for part := range 1 + w.rnd.IntN(3) {
		n := 1 + w.rnd.IntN(60)
		s := sandbox.Send{SessionNo: id, SettleAfter: sandbox.Duration(w.upTo(time.Second, within))}
		if w.chance(50) {
			s.SettleAfter = 0
		}
		for p := range n {
			s.Phones = append(s.Phones, fmt.Sprintf("138%02d%02d%04d", i, part, p))
			s.Outcomes = append(s.Outcomes, []string{"success", "success", "fail", "unknown"}[w.rnd.IntN(4)])
		}
		s.Twice = w.chance(30)
		if w.chance(20) {
			s.Then = "fail"
		}
		total += n
		w.must(w.vendors.AddSend(s))
	}
	if w.chance(20) {
		total += 5 // never all of them
	}
	w.declare.sends = append(w.declare.sends, &thing{key: id, identity: id, expected: total, declared: w.chance(70)})
}

// batch lets NXCLOUD push the results of a batch.
func (w *world) batch(within time.Duration) {
	i := len(w.declare.batches)
	b := sandbox.Batch{
		BatchNo: fmt.Sprintf("b%d", i), Count: 1 + w.rnd.IntN(40), Failures: w.rnd.IntN(5), Currency: []string{"CNY", "USD"}[w.rnd.IntN(2)],
		CallbackURL: receiverURL + "/callbacks/nxcloud/" + w.vendors.Credentials().NXCloudToken, SettleAfter: sandbox.Duration(w.upTo(time.Second, within)),
	}
	w.must(w.vendors.AddBatch(b))
	w.declare.batches = append(w.declare.batches, &thing{key: b.BatchNo, identity: b.BatchNo, expected: b.Count, declared: w.chance(70)})
}

// all is every thing that may be declared.
func (d *declaration) all() []*thing {
	return slices.Concat(d.faxes, d.orders, d.sends, d.batches)
}
