package agent

import (
	"context"
	"errors"
	"time"
)

// configure takes configurations, one after the other, and evaluates again what
// depends on what was recorded since, until ctx ends. However long one takes,
// nothing else waits for it.
func (a *Agent) configure(ctx context.Context) {
	compare := time.NewTicker(10 * time.Second)
	defer compare.Stop()
	evaluate := time.NewTimer(time.Hour)
	evaluate.Stop()
	defer evaluate.Stop()
	defer a.retry.Stop()
	waiting := false
	pause := time.Second
	a.judgeFirst(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.opts.Reload:
			a.reloaded(ctx, "signal")
		case answer := <-a.asked:
			answer <- a.reloaded(ctx, "request")
		case <-a.opts.Source.Woken():
			if a.opts.Source.Changed() {
				a.reloaded(ctx, "a file changed")
			}
		case <-a.setBack:
			a.log.Warn("the clock was set back: the schedule is made anew")
			if err := a.fill(ctx); err != nil && ctx.Err() == nil {
				a.quiet.Error("schedule", "the schedule cannot be read; trying again", "error", err)
				a.clockSetBack()
			}
		case <-a.retry.C:
			a.again(ctx)
		case <-compare.C:
			if a.opts.Source.Changed() {
				a.reloaded(ctx, "a file changed")
			}
		case <-a.changed:
			if !waiting {
				waiting = true
				evaluate.Reset(pause)
			}
		case <-evaluate.C:
			waiting = false
			if a.unrecorded() {
				continue // the reload that is tried again evaluates everything
			}
			started := time.Now()
			err := a.evaluateAgain(ctx)
			a.evaluated(err)
			pause = max(time.Second, 10*time.Since(started))
			if waiting = err != nil && !errors.Is(err, errNotTaken); waiting {
				evaluate.Reset(max(pause, 5*time.Second)) // the state's trouble passes
			}
		}
	}
}

// unrecorded reports whether a reload is tried again. What ran before stays in
// force meanwhile, and declares nothing: a part of the reload may be recorded.
func (a *Agent) unrecorded() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reload.unrecorded
}

// evaluateSoon asks for another evaluation of what runs.
func (a *Agent) evaluateSoon() {
	select {
	case a.changed <- struct{}{}:
	default: // one is asked for already
	}
}

// judgeFirst judges what was taken at the start.
func (a *Agent) judgeFirst(ctx context.Context) {
	err := a.rejudge(ctx)
	if err != nil && ctx.Err() == nil {
		a.quiet.Error("judging", "expectations could not be judged; trying again", "error", err)
		a.retry.after(err)
	}
}

// again tries once more what could not be written: a reload, or the copy of the
// configuration that runs.
func (a *Agent) again(ctx context.Context) {
	a.mu.Lock()
	reload := a.reload
	a.mu.Unlock()
	switch {
	case reload.unrecorded:
		_ = a.reloaded(ctx, "again") // which has told
	case a.unjudged != nil:
		a.judgeFirst(ctx)
	case reload.unkept != nil:
		a.keep()
	}
}

// retry is a timer that backs off.
type retry struct {
	*time.Timer
	wait time.Duration
}

// The least and the longest time between two tries.
const (
	leastRetry   = time.Second
	longestRetry = time.Minute
)

func newRetry() *retry {
	r := &retry{Timer: time.NewTimer(time.Hour)}
	r.Stop()
	return r
}

// after sets the timer after a try that ended with err; nil: there is nothing to
// try again.
func (r *retry) after(err error) {
	if err == nil {
		r.Stop()
		r.wait = 0
		return
	}
	r.wait = min(max(2*r.wait, leastRetry), longestRetry)
	r.Reset(r.wait)
}
