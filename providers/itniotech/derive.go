package itniotech

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
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
	var trouble string
	if v.Cost, v.Currency, trouble = cost(e.Seen); trouble != "" {
		v.Reason += "; " + trouble
	}
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
	case !ok && len(unread(e.Seen, "matched")) > 0:
		return providers.Verdict{Outcome: plan.Unknown, Reason: "itniotech's result of the check (matched) is in an unexpected form: see extra"}
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
		Reason: fmt.Sprintf("not verified within %s after %s: %s", plan.FormatDuration(validFor), what, words),
	}
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
// when nothing is stated, and when not all of it can be summed in one currency:
// then trouble says why. What cost nothing takes nothing away, whatever currency
// it names.
func cost(seen cty.Value) (sum *apd.Decimal, currency, trouble string) {
	active, trouble := activeChannel(seen)
	if active == "" {
		return nil, "", trouble
	}
	if paths := unread(seen, active, "settlePay", "settleCurrency", "currency"); len(paths) > 0 {
		return nil, "", "the cost is not summed, for not all of settle_pay can be read: see extra, " + strings.Join(paths, ", ")
	}
	var free *apd.Decimal // what cost nothing
	freeIn := ""
	sums := make(map[string]*apd.Decimal)
	for i, entry := range entries(seen, active) {
		text, ok := providers.Text(entry, "settle_pay")
		if text = strings.TrimSpace(text); !ok || text == "" {
			continue
		}
		pay, err := providers.DecimalOf(text)
		if err != nil {
			return nil, "", fmt.Sprintf("the cost is not summed, for settle_pay of %s[%d] is no amount", active, i)
		}
		in, _ := providers.Text(entry, "settle_currency")
		if in = providers.Currency(in); !pay.IsZero() {
			sums[in] = value.Add(sums[in], pay)
		} else if free = pay; in != "" {
			freeIn = in
		}
	}
	switch {
	case len(sums) == 0:
		return free, freeIn, ""
	case len(sums) > 1:
		var parts []string
		for _, in := range slices.Sorted(maps.Keys(sums)) {
			parts = append(parts, strings.TrimSpace(value.FormatDecimal(sums[in])+" "+cmp.Or(in, "in no currency")))
		}
		return nil, "", "the cost is not summed: " + strings.Join(parts, " and ")
	}
	for currency, sum = range sums {
	}
	if currency == "" {
		trouble = "the cost names no currency"
	}
	return sum, currency, trouble
}

// activeChannel is the channel whose list the cost is summed of: the one that is
// told, else the only one whose list holds anything. Where several do, trouble says
// that their prices are left out.
func activeChannel(seen cty.Value) (active, trouble string) {
	told, _ := providers.Text(seen, "channel")
	told = strings.ToLower(strings.TrimSpace(told))
	var used []string
	for _, c := range channels {
		if c.name == told {
			return told, ""
		}
		if len(entries(seen, c.name)) > 0 || len(unread(seen, c.name)) > 0 {
			used = append(used, c.name)
		}
	}
	switch len(used) {
	case 0:
		return "", ""
	case 1:
		return used[0], ""
	}
	return "", "the cost is not summed, for it is not told which channel was active: " + strings.Join(used, " and ") + " hold entries"
}

// unread are the paths under extra of what was told and could not be taken: an
// attribute or list of that name as a whole, an entry of it, and the fields of
// its entries that are named.
func unread(seen cty.Value, name string, fields ...string) (paths []string) {
	extra := providers.Attribute(seen, "extra", cty.DynamicPseudoType)
	if extra.IsNull() || !extra.IsKnown() || !extra.Type().IsObjectType() {
		return nil
	}
	for _, path := range slices.Sorted(maps.Keys(extra.Type().AttributeTypes())) {
		list, entry, inList := strings.Cut(strings.TrimPrefix(path, "verifications."), "[")
		_, field, inEntry := strings.Cut(entry, "].")
		if list == name && (!inList || !inEntry || slices.Contains(fields, field)) {
			paths = append(paths, path)
		}
	}
	return paths
}

// entries are the objects of a channel's list.
func entries(seen cty.Value, name string) []cty.Value {
	list := providers.Attribute(seen, name, cty.DynamicPseudoType)
	if list.IsNull() || !list.IsKnown() || !list.CanIterateElements() {
		return nil
	}
	return list.AsValueSlice()
}
