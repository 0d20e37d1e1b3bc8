package itniotech

import (
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/value"
)

// The values of matched.
const (
	matchedUnchecked = -1
	matchedRight     = 0
	matchedSending   = 1
	matchedWrong     = 2
	matchedNone      = 3
)

const defaultValidFor = 10 * time.Minute

// channel is what differs between sms, call and sna.
type channel struct {
	name, sentAt, status, reason string
}

var channels = [...]channel{
	{"sms", "send_tm", "status", "reason"},
	{"call", "call_time", "termination_code", "termination_reason"},
	{"sna", "post_verification_time", "status", "reason"},
}

// derive decides an order's outcome by matched and, while nobody has entered
// the right code, by the time for which the code is valid.
func derive(attributes []plan.Attribute, e plan.Evidence) cty.Value {
	attrs := providers.SeenAttributes(attributes, e.Seen)
	v := judge(e).GiveUp(e)
	v.Cost, v.Currency = cost(e.Seen)
	v.Put(attrs)
	return cty.ObjectVal(attrs)
}

func judge(e plan.Evidence) providers.Verdict {
	if e.NotFound {
		return providers.Verdict{
			Outcome: plan.Unknown,
			Reason:  "itniotech tells nothing of this order (no data, or parameter error -22): check order_id and app_id",
		}
	}
	if e.Seen == cty.NilVal || e.Seen.IsNull() {
		return providers.NotReadYet()
	}
	matched, ok := providers.Integer(e.Seen, "matched")
	switch {
	case !ok:
		return providers.Verdict{Outcome: plan.Unknown, Reason: "itniotech has no result of the check for this order"}
	case matched == matchedRight:
		return providers.Verdict{Outcome: plan.Succeeded, Settled: true, Reason: "the right code was entered"}
	case matched == matchedNone:
		return providers.Verdict{Outcome: plan.Unknown, Reason: "itniotech knows no such verification (matched 3): check order_id and app_id"}
	case matched != matchedUnchecked && matched != matchedSending && matched != matchedWrong:
		return providers.Verdict{Outcome: plan.Unknown, Reason: fmt.Sprintf("itniotech reports matched %d, which its page does not list", matched)}
	}
	return open(e, matched)
}

// open judges an order that may yet be verified: until valid_for after the
// earliest send time, else after the first read.
func open(e plan.Evidence, matched int64) providers.Verdict {
	words := map[int64]string{
		matchedUnchecked: "no code was entered",
		matchedSending:   "the code is being sent",
		matchedWrong:     "a wrong code was entered",
	}[matched]
	words += troubles(e.Seen)
	validFor := providers.Duration(e.Args, "valid_for", defaultValidFor)
	since, what := e.FirstReadAt, "the first read"
	if sent, ok := earliestSend(e.Seen); ok {
		since, what = sent, "it was sent"
	}
	if since.IsZero() {
		return providers.Verdict{Outcome: plan.Pending, Reason: words}
	}
	if until := since.Add(validFor); e.Now.Before(until) {
		return providers.Verdict{Outcome: plan.Pending, Reason: fmt.Sprintf("%s; valid until %s", words, until.UTC().Format(time.RFC3339))}
	}
	return providers.Verdict{
		Outcome: plan.Failed, Settled: true,
		Reason: fmt.Sprintf("not verified within %s after %s: %s", shortDuration(validFor), what, words),
	}
}

// shortDuration writes 10m0s as 10m, as a user would.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func earliestSend(seen cty.Value) (earliest time.Time, ok bool) {
	for _, c := range channels {
		for _, entry := range entries(seen, c.name) {
			text, _ := providers.Text(entry, c.sentAt)
			t, err := time.Parse(time.RFC3339, text)
			if err == nil && (!ok || t.Before(earliest)) {
				earliest, ok = t, true
			}
		}
	}
	return earliest, ok
}

// troubles tells what the vendor says of sendings that went wrong.
func troubles(seen cty.Value) string {
	var b strings.Builder
	for _, c := range channels {
		for _, entry := range entries(seen, c.name) {
			code, ok := providers.Integer(entry, c.status)
			if !ok || code == 0 || code == -1 {
				continue
			}
			reason, _ := providers.Text(entry, c.reason)
			fmt.Fprintf(&b, "; %s: %s (%d)", c.name, strings.TrimSpace(reason), code)
		}
	}
	return b.String()
}

// cost is the sum of settle_pay in the active channel's list, as stated; nil
// when nothing is stated, or not in one currency.
func cost(seen cty.Value) (sum *apd.Decimal, currency string) {
	active, ok := providers.Text(seen, "channel")
	if !ok {
		return nil, ""
	}
	for _, entry := range entries(seen, strings.ToLower(active)) {
		text, ok := providers.Text(entry, "settle_pay")
		if !ok || text == "" {
			continue
		}
		pay, err := providers.DecimalOf(text)
		if err != nil {
			return nil, ""
		}
		in, _ := providers.Text(entry, "settle_currency")
		if sum != nil && in != currency {
			return nil, ""
		}
		sum, currency = value.Add(sum, pay), in
	}
	return sum, currency
}

// entries are the objects of a channel's list.
func entries(seen cty.Value, name string) []cty.Value {
	list := providers.Attribute(seen, name, cty.DynamicPseudoType)
	if list.IsNull() || !list.IsKnown() || !list.CanIterateElements() {
		return nil
	}
	return list.AsValueSlice()
}
