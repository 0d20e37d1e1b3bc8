// Package quiet logs a trouble that goes on as one: at once when it begins, then
// ever more seldom, with how many lines were left out.
//
// It knows nothing of what it logs.
package quiet

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The pauses between two lines of one kind.
const (
	shortest = time.Minute
	longest  = time.Hour
)

// most is how many kinds are told apart; all beyond it are one.
const most = 100

// Log logs troubles by their kind. It may be used by many goroutines.
type Log struct {
	log *slog.Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	said, heard time.Time // last
	pause       time.Duration
	skipped     int
}

// New makes a Log.
func New(log *slog.Logger, now func() time.Time) *Log {
	return &Log{log: log, now: now, kinds: make(map[string]*kind)}
}

// Error logs an error unless one of its kind was logged a short while ago. A kind is
// one of a few: what differs from one time to the next is none.
func (l *Log) Error(kind, message string, args ...any) { l.say(slog.LevelError, kind, message, args) }

// Warn is Error for a warning.
func (l *Log) Warn(kind, message string, args ...any) { l.say(slog.LevelWarn, kind, message, args) }

func (l *Log) say(level slog.Level, kind, message string, args []any) {
	if skipped, due := l.due(kind); due {
		if skipped > 0 {
			args = append(args, "more_unlogged", skipped)
		}
		l.log.Log(context.Background(), level, message, args...)
	}
}

// Over says that the trouble of a kind is over, if there was one.
func (l *Log) Over(kind, message string, args ...any) {
	l.mu.Lock()
	_, had := l.kinds[kind]
	delete(l.kinds, kind)
	l.mu.Unlock()
	if had {
		l.log.Info(message, args...)
	}
}

func (l *Log) due(name string) (skipped int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.kinds[name] == nil && len(l.kinds) >= most {
		name = ""
	}
	k := l.kinds[name]
	if k == nil || now.Sub(k.heard).Abs() > 2*k.pause { // another trouble, or a clock that was set
		k = &kind{pause: shortest}
		l.kinds[name] = k
	} else if k.heard = now; now.Sub(k.said).Abs() < k.pause {
		k.skipped++
		return 0, false
	} else {
		k.pause = min(2*k.pause, longest)
	}
	k.said, k.heard = now, now
	skipped, k.skipped = k.skipped, 0
	return skipped, true
}
