package schedule

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers"
)

// A vendor's Retry-After of a day leaves an account alone for max_interval at most;
// until when is told, and no good answer that was under way hides it. A hold of a
// clock that was ahead is none.
func TestHold(t *testing.T) {
	now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	q := New("globfax", &providers.Account{Connection: &providers.Connection{Concurrency: 1}}, nil, func() time.Time { return now }, log)
	throttled := &providers.Error{Kind: providers.Throttled, RetryAfter: 24 * time.Hour, Err: errors.New("too many requests")}
	refused := &providers.Error{Kind: providers.Credentials, Err: errors.New("wrong key")}
	const pause = 15 * time.Minute
	hear := func(err error) { q.heard("globfax", Outcome{Err: err, Pause: pause}, now, log) }
	due := func() bool {
		q.Add(1, now.Add(-time.Second), now)
		turn, _ := q.next(now)
		if turn != nil {
			delete(q.inFlight, turn.ID)
		}
		return turn != nil
	}
	for _, trouble := range []error{throttled, refused} {
		out.Reset()
		hear(trouble)
		until := now.Add(pause).Format(time.RFC3339)
		for _, later := range []error{nil, &providers.Error{Kind: providers.Rejected, Err: errors.New("no")}, errors.New("lost")} {
			hear(later)
			if ok, why := q.Up(); ok || !strings.Contains(why, trouble.Error()) || !strings.Contains(why, until) {
				t.Errorf("after %v, then %v: up %t, %q, want it to tell of %s", trouble, later, ok, why, until)
			}
		}
		if !strings.Contains(out.String(), until) {
			t.Errorf("the log does not say until when: %s", out.String())
		}
		if due() {
			t.Errorf("%v does not hold", trouble)
		}
		now = now.Add(pause)
		if !due() {
			t.Errorf("%v: the account is not probed after max_interval", trouble)
		}
		hear(nil)
		if ok, why := q.Up(); !ok {
			t.Errorf("a good answer to the probe is not believed: %s", why)
		}
	}
	now = now.Add(365 * 24 * time.Hour)
	hear(throttled)
	now = now.Add(-365 * 24 * time.Hour)
	if !due() {
		t.Error("a hold by a clock that was a year ahead stands")
	}
}
