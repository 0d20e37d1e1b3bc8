package record

import (
	"cmp"
	"errors"
	"time"

	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// Pace is what the schedule needs to know of an item to say when it is due.
type Pace struct {
	plan.Settings
	floor  time.Duration // the account's min_interval
	jitter float64       // 0 to 1
}

// LongestWait is how long an item may have to wait for its next read or pull at
// most: max_interval, or its interval, or the account's floor.
func LongestWait(s plan.Settings, floor time.Duration) time.Duration {
	return max(s.MaxInterval, s.Interval, floor)
}

// believed is a time until which an item is to wait, or the present where it lies
// beyond the longest wait there is: then it was written by a clock that was ahead, and
// nobody would look at the item until that clock is right.
func believed(until time.Time, s plan.Settings, floor time.Duration, now time.Time) time.Time {
	if until.Sub(now) > LongestWait(s, floor)+schedule.ClockSlack {
		return now
	}
	return until
}

// Due is when a polled item or a policy is read or pulled next, as far as its
// recorded time can be believed; zero: never.
func Due(item *plan.Item, floor time.Duration, now time.Time) time.Time {
	if item.Due.IsZero() {
		return time.Time{}
	}
	return believed(item.Due, item.Settings, floor, now)
}

// FloorEnds is until when an item may not be read again, as far as the recorded time
// of its last read can be believed; zero before the first.
func FloorEnds(item *plan.Item, floor time.Duration, now time.Time) time.Time {
	if item.ReadAt.IsZero() {
		return time.Time{}
	}
	return believed(item.ReadAt.Add(floor), item.Settings, floor, now)
}

// nextRead says when an item is read again after a reading; zero: never.
//
//	settled, suspended           never
//	failed read                  the floor, doubled for each failure in a row; a later Retry-After wins,
//	                             up to the longest wait
//	not found                    max_interval
//	told something new           interval
//	told nothing new             interval, doubled for each such read in a row
//
// all at most max_interval, and no sooner than the floor.
func nextRead(item *plan.Item, r Reading, p Pace) time.Time {
	if item.Settled || p.Suspend {
		return time.Time{}
	}
	var wait time.Duration
	switch {
	case r.Err != nil:
		wait = backoff(cmp.Or(p.floor, time.Second), item.Failures-1, p.MaxInterval)
	case item.NotFound:
		wait = p.MaxInterval
	default:
		wait = backoff(p.Interval, item.Unchanged, p.MaxInterval)
	}
	wait -= time.Duration(p.jitter * float64(wait) / 10) // up to a tenth sooner, never later
	due := r.at.Add(max(wait, p.floor))
	due = later(due, r.at.Add(min(retryAfter(r), LongestWait(p.Settings, p.floor))))
	if giveUp := item.GiveUpAt(); giveUp.After(r.at) && giveUp.Before(due) {
		due = later(giveUp, r.at.Add(p.floor))
	}
	return due
}

// declaredDue is when an item is next looked at after it was declared: a polled
// one at once, or as soon as the floor lets it; a policy at once, or an interval
// after its last pull.
func declaredDue(t *plan.Type, item *plan.Item, p Pace, deadline, now time.Time) time.Time {
	switch {
	case t.Kind == plan.Counted:
		return clockDue(t, item, p, deadline, now)
	case item.Settled || p.Suspend:
		return time.Time{}
	case item.ReadAt.IsZero():
		return now
	case t.Kind == plan.Policy:
		return later(now, believed(item.ReadAt.Add(p.Interval), p.Settings, p.floor, now))
	}
	wait := max(p.floor, min(p.Interval, item.Due.Sub(item.ReadAt)))
	return later(now, believed(item.ReadAt.Add(wait), p.Settings, p.floor, now))
}

// clockDue is when an item that was derived without a read is looked at next: at
// give_up_after or an expectation's deadline, and a polled one when it is its
// turn to be read. Policies keep their turn.
func clockDue(t *plan.Type, item *plan.Item, p Pace, deadline, now time.Time) time.Time {
	if t.Kind == plan.Policy {
		return item.Due
	}
	if item.Settled {
		return time.Time{}
	}
	var due time.Time
	if t.Kind == plan.Polled && !p.Suspend {
		// A floor that was raised meanwhile puts a turn off; it never takes it away.
		due = later(later(Due(item, p.floor, now), now), FloorEnds(item, p.floor, now))
	}
	for _, at := range []time.Time{item.GiveUpAt(), deadline} {
		if at.After(now) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// retryAfter is what the vendor asked for, in the answer's header or its error.
func retryAfter(r Reading) time.Duration {
	wait := r.answer.RetryAfter
	if e, ok := errors.AsType[*providers.Error](r.Err); ok {
		wait = max(wait, e.RetryAfter)
	}
	if r.Err == nil {
		return 0
	}
	return wait
}

// backoff doubles a wait n times, at most to the cap.
func backoff(wait time.Duration, n int, limit time.Duration) time.Duration {
	for ; n > 0 && wait < limit; n-- {
		wait *= 2
	}
	return max(min(wait, limit), 0)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
