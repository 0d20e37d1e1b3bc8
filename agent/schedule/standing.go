package schedule

import (
	"errors"
	"fmt"
	"log/slog"
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
	lastErr string
}

// held reports whether the account is to be left alone. A hold that lies further
// ahead than it was set for is that of a clock that was ahead.
func (s *standing) held(now time.Time) bool {
	return now.Before(s.hold) && s.hold.Sub(now) <= s.wait
}

func (s *standing) holdFor(now time.Time, wait time.Duration) {
	s.hold, s.wait = now.Add(wait), wait
}

// Up reports whether the account's last call was answered, and what was wrong, with
// until when it is left alone for that.
func (q *Queue) Up() (ok bool, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if why = q.lastErr; why != "" && q.held(q.now()) {
		why = fmt.Sprintf("%s (asked again at %s)", why, q.hold.UTC().Format(time.RFC3339))
	}
	return q.lastErr == "", why
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
		s.refused = true
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
	s.lastErr = outcome.Err.Error()
	args := []any{"account", account, "kind", kind.String(), "error", s.lastErr}
	if s.held(now) {
		args = append(args, "asked_again", s.hold.UTC().Format(time.RFC3339))
	}
	repeated.Warn("call "+providers.Cause(outcome.Err), "the vendor did not answer as it should", args...)
	if kind == providers.WrongContent || kind == providers.Rejected {
		s.lastErr = "" // one item's trouble, not the account's
	}
}
