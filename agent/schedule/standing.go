package schedule

import (
	"errors"
	"log/slog"
	"time"

	"github.com/waybill-dev/waybill/providers"
)

// standing is how an account stands with its vendor, by what its calls came to.
type standing struct {
	// hold is until when the account is left alone: a vendor's Retry-After, a pause
	// after refused credentials, or a state that cannot be written.
	hold    time.Time
	refused bool // credentials were refused: after hold, one probe at a time
	lastErr string
}

// Up reports whether the account's last call was answered, and what was wrong.
func (q *Queue) Up() (ok bool, why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lastErr == "", q.lastErr
}

// heard draws from a call's end what it says of the account: refused credentials
// pause it, with one probe per max_interval; a Retry-After holds it.
func (s *standing) heard(account string, outcome Outcome, now time.Time, log *slog.Logger) {
	if outcome.Err == nil {
		if s.refused {
			log.Info("the vendor accepts the credentials again", "account", account)
		}
		s.refused, s.lastErr = false, ""
		return
	}
	kind := providers.KindOf(outcome.Err)
	if text := outcome.Err.Error(); text != s.lastErr {
		log.Warn("the vendor did not answer as it should", "account", account, "kind", kind.String(), "error", text)
		s.lastErr = text
	}
	switch kind {
	case providers.Credentials, providers.Permission:
		if !s.refused {
			log.Error("the vendor refuses the credentials: the account is paused; correct them and reload", "account", account, "error", outcome.Err)
		}
		s.refused = true
		s.hold = now.Add(outcome.Pause)
	case providers.Throttled:
		wait := time.Second
		if e, ok := errors.AsType[*providers.Error](outcome.Err); ok {
			wait = max(wait, e.RetryAfter)
		}
		if until := now.Add(wait); until.After(s.hold) {
			s.hold = until
		}
	case providers.WrongContent, providers.Rejected:
		s.lastErr = "" // one item's trouble, not the account's
	}
}
