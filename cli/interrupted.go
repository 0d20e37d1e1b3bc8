package cli

import (
	"context"
	"fmt"
	"sync"

	"github.com/waybill-dev/waybill/agent"
)

// underway is what an apply is about, for whoever interrupts it.
type underway struct {
	mu       sync.Mutex
	applying bool
	pulling  *agent.Pulling // nil: no pull is under way
}

// begin says that what was approved is carried out.
func (u *underway) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.applying = true
}

// pull says that a pull is under way until over is called.
func (u *underway) pull(p agent.Pulling) (over func()) {
	set := func(p *agent.Pulling) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.pulling = p
	}
	set(&p)
	return func() { set(nil) }
}

// tell is what whoever interrupts must know at once: what is awaited, and what a
// second interrupt costs. It is empty before anything is carried out.
func (u *underway) tell() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case !u.applying:
		return ""
	case u.pulling == nil:
		return "Interrupted. What is under way is recorded first, which takes a moment. A second interrupt ends at once: what is not recorded by then is read again by the next apply."
	}
	lost := "its reports"
	if u.pulling.Limit > 0 {
		lost = fmt.Sprintf("up to %d reports", u.pulling.Limit)
	}
	return fmt.Sprintf("Interrupted. The pull of %s (%s) is under way, and its answer is awaited for %s at most: the vendor deletes what it answers, and it is kept here. "+
		"A second interrupt ends at once: %s may be lost then, and the next start records a loss window for them.",
		u.pulling.Address, u.pulling.Account, u.pulling.Longest, lost)
}

// watch tells it when ctx ends, until stop is called.
func (u *underway) watch(ctx context.Context, note func(format string, args ...any)) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		if text := u.tell(); text != "" {
			note("\n%s", text)
		}
	})
}
