package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// Verdict is what a type's Derive decides beside the vendor's own attributes.
type Verdict struct {
	Outcome  plan.Outcome
	Reason   string
	Settled  bool
	Cost     *apd.Decimal // nil: the vendor does not tell
	Currency string       // "": not told
}

// Put writes the verdict into an item's observed values. The time of the last
// observation is the caller's to fill: it is no difference.
func (v Verdict) Put(attrs map[string]cty.Value) {
	attrs["outcome"] = cty.StringVal(string(v.Outcome))
	attrs["reason"] = StringValue(v.Reason, v.Reason != "")
	attrs["settled"] = cty.BoolVal(v.Settled)
	attrs["cost"] = cty.NullVal(cty.Number)
	if v.Cost != nil {
		attrs["cost"] = value.FromDecimal(v.Cost)
	}
	attrs["currency"] = StringValue(v.Currency, v.Currency != "")
	attrs["observed_at"] = cty.NullVal(cty.String)
}

// SeenAttributes begins an item's observed values: the vendor's attributes as
// they were last seen, null where nothing was seen.
func SeenAttributes(attributes []plan.Attribute, seen cty.Value) map[string]cty.Value {
	attrs := make(map[string]cty.Value, len(attributes)+6)
	for _, a := range attributes {
		attrs[a.Name] = Attribute(seen, a.Name, a.Type)
	}
	return attrs
}

// GiveUp settles a polled item whose verdict is open when its time is over.
func (v Verdict) GiveUp(e plan.Evidence) Verdict {
	if v.Settled || !e.GaveUp {
		return v
	}
	v.Settled = true
	if v.Outcome == plan.Pending {
		v.Outcome = plan.Unknown
	}
	v.Reason = "gave up after " + giveUpAfter(e.Args) + "; last known: " + v.Reason
	return v
}

func giveUpAfter(args cty.Value) string {
	if text, ok := Text(args, "give_up_after"); ok {
		return text
	}
	return "give_up_after"
}

// NotReadYet is the verdict on a polled item before its first good answer.
func NotReadYet() Verdict {
	return Verdict{Outcome: plan.Pending, Reason: "not read yet"}
}

// CountVerdict judges a counted item by its tally: pending below what is
// expected, then what all of it came to. The noun is what is counted
// ("reports"); the remedy of a vendor's code may be "".
func CountVerdict(e plan.Evidence, noun string, remedy func(code string) string) Verdict {
	t := e.Tally
	expected, ok := Integer(e.Args, "expected")
	if !ok {
		expected = 1
	}
	progress := fmt.Sprintf("%d of %d %s arrived", t.Received, expected, noun)
	if t.Received < expected && !e.GaveUp {
		return Verdict{Outcome: plan.Pending, Reason: progress + failures(t, remedy)}
	}
	v := Verdict{Settled: true}
	switch t.Received {
	case 0:
		v.Outcome = plan.Unknown
	case t.Succeeded:
		v.Outcome = plan.Succeeded
	case t.Failed:
		v.Outcome = plan.Failed
	case t.Unknown:
		v.Outcome = plan.Unknown
	default:
		v.Outcome = plan.Partial
	}
	if t.Received < expected {
		v.Reason = "gave up after " + giveUpAfter(e.Args) + ": " + progress
	} else {
		v.Reason = fmt.Sprintf("%d %s: %d succeeded, %d failed", t.Received, noun, t.Succeeded, t.Failed)
		if t.Unknown > 0 {
			v.Reason += fmt.Sprintf(", %d unknown", t.Unknown)
		}
	}
	v.Reason += failures(t, remedy)
	return v
}

// maxCodes bounds how many codes a reason explains.
const maxCodes = 5

// failures explains the most frequent codes of what failed.
func failures(t plan.Tally, remedy func(string) string) string {
	codes := slices.Collect(maps.Keys(t.FailedCodes))
	slices.SortFunc(codes, func(a, b string) int {
		if d := t.FailedCodes[b] - t.FailedCodes[a]; d != 0 {
			return int(d)
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for i, code := range codes {
		if i == maxCodes {
			fmt.Fprintf(&b, "; and %d more codes", len(codes)-i)
			break
		}
		name := code
		if name == "" {
			name = "(none)"
		}
		fmt.Fprintf(&b, "; %d failed with code %s", t.FailedCodes[code], name)
		if r := remedy(code); r != "" {
			b.WriteString(": " + r)
		}
	}
	return b.String()
}

// CountAttributes are the observed values that counted types share.
func CountAttributes(t plan.Tally) map[string]cty.Value {
	return map[string]cty.Value{
		"received":     cty.NumberIntVal(t.Received),
		"succeeded":    cty.NumberIntVal(t.Succeeded),
		"failed":       cty.NumberIntVal(t.Failed),
		"failed_codes": numberMap(t.FailedCodes, cty.NumberIntVal),
	}
}

// CostMap is the exact sum per currency as a map.
func CostMap(costs map[string]*apd.Decimal) cty.Value {
	return numberMap(costs, value.FromDecimal)
}

func numberMap[V any](m map[string]V, value func(V) cty.Value) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.Number)
	}
	values := make(map[string]cty.Value, len(m))
	for key, v := range m {
		values[key] = value(v)
	}
	return cty.MapVal(values)
}

// TimeValue is a time of our own in RFC 3339 and UTC, null when it is zero.
func TimeValue(t time.Time) cty.Value {
	if t.IsZero() {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(t.UTC().Format(time.RFC3339Nano))
}
