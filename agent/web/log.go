package web

import (
	"log/slog"
	"strings"
	"sync"
	"time"
)

// serverLog is where net/http tells of handshakes that failed and the like, once
// a second, in one line, whoever causes them.
type serverLog struct {
	log   *slog.Logger
	quiet limiter
	now   func() time.Time
}

// Write implements io.Writer.
func (l *serverLog) Write(text []byte) (int, error) {
	if n, ok := l.quiet.allow(l.now()); ok {
		line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		l.log.Warn("a connection went wrong", "why", line, "more_unlogged", n)
	}
	return len(text), nil
}

// limiter lets one line a second through and counts the rest.
type limiter struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (l *limiter) allow(now time.Time) (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) < time.Second {
		l.skipped++
		return 0, false
	}
	skipped, l.skipped, l.last = l.skipped, 0, now
	return skipped, true
}
