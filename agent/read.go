package agent

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/value"
)

// reading is what one poll of one item brought.
type reading struct {
	at          time.Time // when the attempt ended; the floor counts from here
	answer      providers.Answer
	digest      []byte
	same        bool // the answer is byte for byte that of the last good read
	observation plan.Observation
	err         error // *providers.Error: no answer, or one that cannot be observed
}

// poll reads one item from its vendor and changes nothing.
func poll(ctx context.Context, t *plan.Type, a *account, item *plan.Item, now func() time.Time) reading {
	args, err := value.Decode(item.Args, t.ArgsType())
	if err != nil {
		return reading{at: now(), err: fmt.Errorf("recorded arguments of %s: %w", item.Address, err)}
	}
	target := providers.Target{Type: t.Name, Identity: item.Identity, Args: args, Config: a.Config}
	answer, err := a.Poller.Poll(ctx, target)
	r := reading{at: now(), answer: answer, err: err}
	if err != nil {
		return r
	}
	r.digest = digestOf(answer)
	if bytes.Equal(r.digest, item.BodyDigest) {
		r.same = true
		return r
	}
	r.observation, r.err = a.vendor.Observe(target, answer)
	return r
}

// digestOf tells answers apart: the status and the body as it came, hashed.
func digestOf(answer providers.Answer) []byte {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, int64(answer.Status)) // a hash never fails
	if answer.Redacted {
		h.Write(answer.Sum[:])
	} else {
		h.Write(answer.Body)
	}
	return h.Sum(nil)[:16]
}

// pace is what the schedule needs to know of an item to say when it is due.
type pace struct {
	plan.Settings
	floor  time.Duration // the account's min_interval
	jitter float64       // 0 to 1
}

// after is the item as it stands after a reading: pure. The fields are its
// differences; expectations are judged by the caller.
func after(t *plan.Type, item *plan.Item, r reading, p pace) (next plan.Item, fields []value.Field, err error) {
	next = *item
	next.ReadAt = r.at
	if r.err != nil {
		next.Failures++
		next.LastError = r.err.Error()
	} else {
		next.Failures, next.LastError = 0, ""
		next.ObservedAt = r.at
		if next.FirstReadAt.IsZero() {
			next.FirstReadAt = r.at
		}
		if !r.same {
			next.BodyDigest = r.digest
			if next.NotFound = r.observation.NotFound; !next.NotFound {
				if next.Seen, err = plan.EncodeSeen(t, r.observation.Seen); err != nil {
					return next, nil, fmt.Errorf("observation of %s: %w", item.Address, err)
				}
			}
		}
	}
	fields, err = rederive(t, &next, plan.Tally{}, r.at)
	if err != nil {
		return next, nil, err
	}
	if r.err == nil {
		if len(fields) > 0 {
			next.Unchanged = 0
		} else {
			next.Unchanged++
		}
	}
	next.Due = nextRead(&next, r, p)
	return next, fields, nil
}

// rederive derives an item's values anew and returns how they differ.
func rederive(t *plan.Type, item *plan.Item, tally plan.Tally, now time.Time) ([]value.Field, error) {
	derived, err := plan.Derive(t, item, tally, now)
	if err != nil {
		return nil, err
	}
	fields, err := plan.Fields(item.Values, derived.Values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", item.Address, err)
	}
	item.Values, item.Outcome, item.Settled = derived.Values, derived.Outcome, derived.Settled
	return fields, nil
}

// nextRead says when an item is read again after a reading; zero: never.
//
//	settled, suspended           never
//	failed read                  the floor, doubled for each failure in a row; a later Retry-After wins
//	not found                    max_interval
//	told something new           interval
//	told nothing new             interval, doubled for each such read in a row
//
// all at most max_interval, and no sooner than the floor.
func nextRead(item *plan.Item, r reading, p pace) time.Time {
	if item.Settled || p.Suspend {
		return time.Time{}
	}
	var wait time.Duration
	switch {
	case r.err != nil:
		wait = backoff(cmp.Or(p.floor, time.Second), item.Failures-1, p.MaxInterval)
	case item.NotFound:
		wait = p.MaxInterval
	default:
		wait = backoff(p.Interval, item.Unchanged, p.MaxInterval)
	}
	wait -= time.Duration(p.jitter * float64(wait) / 10) // up to a tenth sooner, never later
	due := r.at.Add(max(wait, p.floor))
	if retry := retryAfter(r); retry > 0 && r.at.Add(retry).After(due) {
		due = r.at.Add(retry)
	}
	if giveUp := item.GiveUpAt(); giveUp.After(r.at) && giveUp.Before(due) {
		due = later(giveUp, r.at.Add(p.floor))
	}
	return due
}

// retryAfter is what the vendor asked for, in the answer's header or its error.
func retryAfter(r reading) time.Duration {
	wait := r.answer.RetryAfter
	if e, ok := errors.AsType[*providers.Error](r.err); ok {
		wait = max(wait, e.RetryAfter)
	}
	if r.err == nil {
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
