package schedule

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/agent/quiet"
	"github.com/waybill-dev/waybill/providers"
)

// standing is how an account stands with its vendor, by what its calls came to.
type standing struct {
	// hold is until when the account is left alone: a vendor's Retry-After, a pause
	// after refused credentials, or a state that cannot be written.
	hold    time.Time
	wait    time.Duration // for how long hold was when it was set
	refused bool          // credentials were refused: after hold, one probe at a time
	// since and tried are when they were refused first and last.
	since, tried time.Time
	lastErr      string
}

// ClockSlack is by how much a clock may be corrected without being taken for one
// that was ahead: floors and holds stand while a clock is put right by milliseconds.
const ClockSlack = time.Second

// held reports whether the account is to be left alone. A hold that lies further
// ahead than it was set for is that of a clock that was ahead: it is dropped, or it
// would hold once its time comes.
func (s *standing) held(now time.Time) bool {
	if s.hold.Sub(now) > s.wait+ClockSlack {
		s.hold = time.Time{}
	}
	return now.Before(s.hold)
}

func (s *standing) holdFor(now time.Time, wait time.Duration) {
	s.hold, s.wait = now.Add(wait), wait
}

// Up reports whether the account's last call was answered, and what was wrong, with
// until when it is left alone for that. Credentials that were refused are told, with
// since when and when they are tried next, until they are accepted.
func (q *Queue) Up() (ok bool, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	why = q.lastErr
	var notes []string
	if q.refused {
		notes = append(notes, "credentials refused since "+second(q.since), "last tried at "+second(q.tried))
	}
	switch {
	case why != "" && q.held(q.now()):
		notes = append(notes, "asked again at "+second(q.hold))
	case q.refused && len(q.heap) > 0:
		notes = append(notes, "asked again at "+second(time.Unix(0, q.heap[0].at)))
	}
	if len(notes) > 0 {
		why = fmt.Sprintf("%s (%s)", why, strings.Join(notes, ", "))
	}
	return q.lastErr == "", why
}

func second(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// Recall tells the queue that another process found the credentials refused, since
// when, and when it tried them last. They are probed when the first item is due.
func (q *Queue) Recall(words string, since, tried time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused, q.lastErr, q.since, q.tried = true, words, since, tried
}

// Refused reports whether the account's credentials were refused when tried last.
func (q *Queue) Refused() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refused
}

// heard draws from a call's end what it says of the account: refused credentials
// pause it, with one probe per max_interval; a Retry-After holds it. Failures of one
// cause are one line, however their texts differ and whatever is answered between.
func (s *standing) heard(account string, outcome Outcome, now time.Time, log *slog.Logger, repeated *quiet.Log) {
	if outcome.Err == nil {
		if s.held(now) && s.lastErr != "" {
			return // it was under way before, and says nothing of what holds now
		}
		if s.refused {
			log.Info("the vendor accepts the credentials again", "account", account)
		}
		s.refused, s.lastErr = false, ""
		return
	}
	kind := providers.KindOf(outcome.Err)
	if s.held(now) && s.lastErr != "" && kind != providers.Credentials && kind != providers.Permission && kind != providers.Throttled {
		return // likewise
	}
	switch kind {
	case providers.Credentials, providers.Permission:
		if !s.refused {
			log.Error("the vendor refuses the credentials: the account is paused; correct them and reload", "account", account, "error", outcome.Err)
		}
		if !s.refused {
			s.since = now
		}
		s.refused, s.tried = true, now
		s.holdFor(now, outcome.Pause)
	case providers.Throttled:
		wait := time.Second
		if e, ok := errors.AsType[*providers.Error](outcome.Err); ok {
			wait = max(wait, e.RetryAfter)
		}
		if outcome.Pause > 0 {
			wait = min(wait, outcome.Pause) // it is probed that often at least
		}
		if !s.held(now) || now.Add(wait).After(s.hold) {
			s.holdFor(now, wait)
		}
	}
	before := s.lastErr
	s.lastErr = outcome.Err.Error()
	args := []any{"account", account, "kind", kind.String(), "error", s.lastErr}
	if s.held(now) {
		args = append(args, "asked_again", second(s.hold))
	}
	repeated.Warn("call "+providers.Cause(outcome.Err), "the vendor did not answer as it should", args...)
	if kind == providers.WrongContent || kind == providers.Rejected {
		s.lastErr = "" // one item's trouble, not the account's
		if s.refused {
			s.lastErr = before
		}
	}
}
