package schedule

import (
	"bytes"
	"errors"
	"fmt"
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
	hear := func(err error) { q.heard("globfax", Outcome{Err: err, Pause: pause}, now, log, q.quiet) }
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
	hear(throttled)
	now = now.Add(-10 * time.Millisecond) // a clock that is put right a little
	if due() {
		t.Error("a hold is dropped for a clock that was put right by 10 ms")
	}
	now = now.Add(365 * 24 * time.Hour)
	hear(throttled)
	now = now.Add(-365 * 24 * time.Hour)
	if !due() {
		t.Error("a hold by a clock that was a year ahead stands")
	}
	now = now.Add(365 * 24 * time.Hour)
	if !due() {
		t.Error("a hold by a clock that was a year ahead stands once that year is over")
	}
}

// Many failures of one cause are one line, also where others were answered between
// them; another cause is another line.
func TestOneCauseIsOneLine(t *testing.T) {
	now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	q := New("globfax", &providers.Account{Connection: &providers.Connection{Concurrency: 1}}, nil, func() time.Time { return now }, log)
	for i := range 138 {
		for _, err := range []error{
			fmt.Errorf("read tcp 127.0.0.1:%d->127.0.0.1:80: connection reset by peer", 40000+i),
			&providers.Error{Kind: providers.Rejected, Err: fmt.Errorf("no record %q", strings.Repeat("x", i))},
			nil,
		} {
			q.heard("globfax", Outcome{Err: err}, now, log, q.quiet)
		}
		now = now.Add(100 * time.Millisecond)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%.1000s", n, out.String())
	}
	now = now.Add(time.Minute)
	q.heard("globfax", Outcome{Err: errors.New("read tcp 127.0.0.1:9->127.0.0.1:80: connection reset by peer")}, now, log, q.quiet)
	if !strings.Contains(out.String(), "more_unlogged=137") {
		t.Errorf("how many were left out is not told:\n%s", out.String())
	}
}
