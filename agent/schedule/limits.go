package schedule

import (
	"context"
	"sync"
)

// recording is how many answers may wait for the disk beside the calls that are
// under way: the more wait, the more share one fsync.
const recording = 512

// Limits bound what is under way at once: calls, and beside them answers that wait
// to be recorded.
type Limits struct {
	calls chan struct{} // one for each call that may be under way
	room  chan struct{} // one for each turn that may be under way, its recording included
}

// NewLimits makes room for n calls at once, at least one.
func NewLimits(n int) *Limits {
	n = max(n, 1)
	return &Limits{calls: make(chan struct{}, n), room: make(chan struct{}, n+recording)}
}

// Enter waits until one more may begin. answered is to be called once its call has
// ended, so that the next may begin, and done once it has ended altogether; done
// alone will do. The error is that of ctx.
func (l *Limits) Enter(ctx context.Context) (answered, done func(), err error) {
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	select {
	case l.calls <- struct{}{}:
	case <-ctx.Done():
		<-l.room
		return nil, nil, ctx.Err()
	}
	answered = sync.OnceFunc(func() { <-l.calls })
	done = sync.OnceFunc(func() {
		answered()
		<-l.room
	})
	return answered, done, nil
}
