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

// Judge is the state machine of an expectation, judged again at each
// observation and when the clock makes a difference:
//
//	holds, in time, and had not failed              met
//	holds after it failed, or first after within    met late
//	does not hold, no within                        failed
//	does not hold, within has passed or settled     failed
//	not known, and within has passed                failed
//	otherwise                                       as it was met, else pending
//
// prev is the zero value at first.
func Judge(prev Expectation, v Verdict, trackedAt time.Time, settled bool, now time.Time) Expectation {
	wasMet := prev.State == ExpectMet || prev.State == ExpectMetLate
	late := v.Within > 0 && !now.Before(trackedAt.Add(v.Within))
	next := Expectation{Name: v.Name, State: ExpectPending}
	switch {
	case wasMet && (v.Holds || !v.Known):
		next.State = prev.State
	case v.Known && v.Holds && (late || prev.State == ExpectFailed):
		next.State = ExpectMetLate
	case v.Known && v.Holds:
		next.State = ExpectMet
	case late, v.Known && (v.Within == 0 || settled):
		next.State, next.Message = ExpectFailed, v.Message
	}
	next.Since = now
	if prev.State == next.State {
		next.Since = prev.Since
	}
	return next
}
