package plan

import "time"

// Verdict is what an expect block's condition says of an item right now.
type Verdict struct {
	Name string
	// Known is false while the condition depends on something not read yet; Holds
	// is then meaningless.
	Known   bool
	Holds   bool
	Within  time.Duration // zero: none
	Message string        // the evaluated error_message; never holds a sensitive value
}

// Judge is the state machine of an expectation:
//
//	holds, in time or no within, and never failed   met
//	holds after it failed, or after within           met late
//	does not hold, no within                         failed
//	does not hold, within has passed or settled      failed
//	does not hold otherwise, or not known            pending
//
// A met expectation stays met: it was kept. prev is the zero value at first.
func Judge(prev Expectation, v Verdict, trackedAt time.Time, settled bool, now time.Time) Expectation {
	next := Expectation{Name: v.Name, State: ExpectPending}
	deadline := v.Within > 0 && !now.Before(trackedAt.Add(v.Within))
	switch {
	case prev.State == ExpectMet || prev.State == ExpectMetLate:
		return prev
	case v.Known && v.Holds && (deadline || prev.State == ExpectFailed):
		next.State = ExpectMetLate
	case v.Known && v.Holds:
		next.State = ExpectMet
	case deadline, v.Known && (v.Within == 0 || settled):
		next.State, next.Message = ExpectFailed, v.Message
	}
	if prev.State == next.State {
		next.Since = prev.Since
	} else {
		next.Since = now
	}
	return next
}
