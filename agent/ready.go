package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/agent/web"
	"github.com/waybill-dev/waybill/plan"
)

// healthy reports whether callbacks can be stored and the loop turns.
func (a *Agent) healthy() bool {
	return a.rec.CanStore() && a.runner.Now().Sub(time.Unix(0, a.turned.Load())) < time.Minute
}

// Readiness says how the agent does: ready as long as callbacks can be stored and
// the loop turns. A vendor's trouble, lateness and a refused reload are notes.
func (a *Agent) Readiness() web.Readiness {
	canStore := a.rec.CanStore()
	r := web.Readiness{Conditions: []web.Condition{
		{Met: a.declared.Load(), Good: "the declaration is recorded", Bad: "the declaration is not recorded yet"},
		{Met: a.listening.Load(), Good: "the receiver listens", Bad: "the receiver does not listen yet"},
		{Met: canStore, Good: "callbacks can be stored", Bad: "callbacks cannot be stored: see the log for what the state says"},
		{Met: a.healthy() || !canStore, Good: "the loop turns", Bad: "the loop does not turn"},
	}}
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }
	a.mu.Lock()
	reload := a.reload
	a.mu.Unlock()
	switch {
	case reload.err == nil:
	case reload.unrecorded:
		note("the reload at %s could not be recorded and is tried again, what ran before runs on: %s", plan.FormatTime(reload.at), reload.err)
	default:
		note("the reload at %s was refused, the last good configuration runs: %s", plan.FormatTime(reload.at), reload.err)
	}
	if reload.unkept != nil {
		note("the configuration that runs could not be kept for a later start, which is tried again: %s", reload.unkept)
	}
	if reload.dependents != nil {
		note("what depends on observed values was not evaluated again, the declaration stays as it was: %s", reload.dependents)
	}
	if reload.restart != "" {
		note("%s changed and needs a restart", reload.restart)
	}
	now := a.runner.Now()
	for _, q := range a.allQueues() {
		if ok, why := q.Up(); !ok {
			note("%s: %s", q.Name(), why)
		}
		if lag := q.Lag(now); lag > time.Minute {
			note("%s is %s late", q.Name(), lag.Round(time.Second))
		}
	}
	return r
}

// Reload asks the loop to take the configuration anew, and waits until it has.
func (a *Agent) Reload(ctx context.Context) (restart string, err error) {
	answer := make(chan error, 1)
	select {
	case a.asked <- answer:
	case <-a.ending:
		return "", web.ErrEnding
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if err := <-answer; err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reload.restart, nil
}
