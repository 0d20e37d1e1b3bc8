package replay

import (
	"math"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// sameRecord reports whether a record is told as before.
func sameRecord(a, b *plan.Record) bool {
	amounts := (a.Amount == nil) == (b.Amount == nil) && (a.Amount == nil || a.Amount.String() == b.Amount.String())
	return amounts && a.Type == b.Type && a.Key == b.Key && a.Identity == b.Identity && a.Outcome == b.Outcome && a.Code == b.Code &&
		a.Currency == b.Currency && a.Parts == b.Parts && sameTime(a.EventTime, b.EventTime) && string(a.Attributes) == string(b.Attributes) &&
		a.Digest == b.Digest && a.Quarantined == b.Quarantined
}

// sameTime compares times as a state keeps them: in nanoseconds, and what these
// cannot tell as the nearest that they can.
func sameTime(a, b time.Time) bool {
	within := func(t time.Time) time.Time {
		if first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64); t.Before(first) {
			return first
		} else if t.After(last) {
			return last
		}
		return t
	}
	return a.IsZero() == b.IsZero() && (a.IsZero() || within(a).Equal(within(b)))
}

// pairRecords puts records of one raw side by side: those with equal content, then
// of one key, then of one digest, then in the order in which they stand. What
// has no other stands beside nil.
func pairRecords(before []*plan.Record, now []plan.Record) (was, is []*plan.Record) {
	taken := make([]bool, len(now))
	rest := before
	for _, alike := range []func(a, b *plan.Record) bool{
		func(a, b *plan.Record) bool { return a.Key == b.Key && a.Digest == b.Digest },
		func(a, b *plan.Record) bool { return a.Key != "" && a.Key == b.Key },
		func(a, b *plan.Record) bool { return a.Digest == b.Digest },
	} {
		var over []*plan.Record
		for _, old := range rest {
			found := false
			for i := range now {
				if !taken[i] && alike(old, &now[i]) {
					was, is, taken[i], found = append(was, old), append(is, &now[i]), true, true
					break
				}
			}
			if !found {
				over = append(over, old)
			}
		}
		rest = over
	}
	for i := range now {
		if taken[i] {
			continue
		}
		// Only one that was not understood may become something altogether different.
		var old *plan.Record
		if len(rest) > 0 && rest[0].Quarantined != "" {
			old, rest = rest[0], rest[1:]
		}
		was, is = append(was, old), append(is, &now[i])
	}
	for _, old := range rest {
		was, is = append(was, old), append(is, nil)
	}
	return was, is
}
