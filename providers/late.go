package providers

import (
	"context"
	"errors"
	"io"
	"time"
)

// How a call goes on when its time is up. It is counted in ticks that were lived
// through, for a pause may come again: at most two seconds, of the five that the
// end of the program may take beyond the longest time-out.
const (
	lateTick  = 25 * time.Millisecond
	lateIdle  = 20 // ticks in a row without a byte: nothing is left that could be read at once
	lateTicks = 80 // in all
)

// limited bounds a call by its time-out. What can be read at once after that is
// still taken: a process that was paused (a signal, a virtual machine that moves)
// wakes up with its time over and the answer in its socket, and what a pull
// brought is nowhere else any more. end must be called.
func (c *call) limited(ctx context.Context, timeout time.Duration) (limited context.Context, end func()) {
	limited, cancel := context.WithCancelCause(context.WithValue(ctx, callKey{}, c))
	timer := time.AfterFunc(timeout, func() {
		c.late.Store(true)
		c.linger(limited)
		cancel(context.DeadlineExceeded)
	})
	return limited, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}

// linger returns once nothing more can be read at once, or ctx is over.
func (c *call) linger(ctx context.Context) {
	tick := time.NewTicker(lateTick)
	defer tick.Stop()
	before, idle := c.progress.Load(), 0
	for range lateTicks {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := c.progress.Load(); now != before {
			before, idle = now, 0
		} else if idle++; idle == lateIdle {
			return
		}
	}
}

// whyEnded is err, or that the time was up where that is what ended the call: the
// transport may say only that the call was cancelled.
func whyEnded(limited context.Context, err error) error {
	if errors.Is(context.Cause(limited), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

// arriving is an answer's body, and notes on the call that it goes on.
type arriving struct {
	io.Reader
	call *call
}

// Read implements io.Reader.
func (a arriving) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n > 0 {
		a.call.progress.Add(1)
	}
	return n, err
}
