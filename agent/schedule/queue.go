// Package schedule says when, and how many at once, and changes nothing: one queue
// an account, so that one account's trouble never slows another's, and the limits
// of what may be under way.
//
// It touches neither the state nor a vendor: what is done when an item's turn has
// come is its caller's.
package schedule

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/agent/quiet"
	"github.com/waybill-dev/waybill/providers"
)

// Work does what an item's turn is for. It is not cut off by ctx: what is in flight
// finishes. answered is called when the next may begin, if that is before it
// returns. account is nil in the queue that has none.
type Work func(ctx context.Context, account *providers.Account, turn Turn, answered func()) Outcome

// Outcome is how a turn ended.
type Outcome struct {
	// Err is the vendor's, nil after a good answer, ErrNoCall when none was asked.
	Err error
	// Pause is for how long the account is left alone should Err say that the
	// credentials were refused.
	Pause time.Duration
	// Fatal: the state could not be read or written. The turn comes again.
	Fatal error
}

// ErrNoCall says that a turn made no call, so that it tells nothing of the account.
var ErrNoCall = errors.New("no call was made")

// Queue is one account's schedule and its workers. A queue without an account is
// that of items that only the clock and records change.
type Queue struct {
	name   string
	now    func() time.Time
	log    *slog.Logger
	quiet  *quiet.Log
	work   Work
	limits *Limits
	wake   chan struct{}

	mu       sync.Mutex
	heap     turns
	inFlight map[int64]bool
	// missed are turns that came while their item was being looked at: one of them
	// may be the item's only valid one.
	missed map[int64][]Turn
	// unrecorded is when items were last read whose reading the state did not take:
	// the floor counts from there too.
	unrecorded map[int64]time.Time
	account    *providers.Account
	standing
}

// New makes a queue; account may be nil.
func New(name string, account *providers.Account, work Work, now func() time.Time, log *slog.Logger) *Queue {
	n := 4
	if account != nil {
		n = account.Concurrency
	}
	return &Queue{
		name: name, now: now, log: log, quiet: quiet.New(log, now), work: work, limits: NewLimits(n), wake: make(chan struct{}, 1),
		inFlight: make(map[int64]bool), missed: make(map[int64][]Turn), unrecorded: make(map[int64]time.Time), account: account,
	}
}

// Name is the account's name.
func (q *Queue) Name() string { return q.name }

// Account is the account as it is now; nil: the queue has none.
func (q *Queue) Account() *providers.Account {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.account
}

// Add puts an item's next turn on the heap: when it is looked at, and the due time
// that is recorded of it.
func (q *Queue) Add(id int64, at, due time.Time) {
	q.mu.Lock()
	heap.Push(&q.heap, Turn{at: at.UnixNano(), due: due.UnixNano(), ID: id})
	first := q.heap[0].ID == id
	q.mu.Unlock()
	if first {
		q.poke()
	}
}

func (q *Queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Swap gives the queue a new connection after a reload, and one probe if the
// credentials had been refused.
func (q *Queue) Swap(account *providers.Account) {
	q.mu.Lock()
	q.account = account
	if q.refused {
		q.hold = time.Time{}
	}
	q.mu.Unlock()
	q.poke()
}

// Lag is by how much the most overdue item is late.
func (q *Queue) Lag(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 || (q.account != nil && q.account.Suspend) {
		return 0
	}
	return max(now.Sub(time.Unix(0, q.heap[0].at)), 0)
}

// Run looks at what is due until ctx ends, then waits for what is in flight.
func (q *Queue) Run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		answered, done, err := q.limits.Enter(ctx)
		if err != nil {
			return
		}
		due, wait := q.next(q.now())
		if due == nil {
			done()
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-q.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		calls.Go(func() {
			defer done()
			q.look(ctx, *due, answered)
		})
	}
}

// next takes the next due turn, or says how long there is none.
func (q *Queue) next(now time.Time) (*Turn, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case len(q.heap) == 0 || (q.account != nil && q.account.Suspend):
			return nil, time.Hour
		case q.held(now):
			return nil, q.hold.Sub(now)
		case q.refused && len(q.inFlight) > 0:
			return nil, time.Second // one probe at a time
		}
		first := q.heap[0]
		if wait := time.Unix(0, first.at).Sub(now); wait > 0 {
			return nil, wait
		}
		heap.Pop(&q.heap)
		if q.inFlight[first.ID] {
			q.missed[first.ID] = append(q.missed[first.ID], first)
			continue
		}
		if at := q.unrecorded[first.ID]; !at.IsZero() && q.account != nil && now.Before(at.Add(q.account.MinInterval)) && at.Sub(now) <= q.account.MinInterval+ClockSlack {
			first.at = at.Add(q.account.MinInterval).UnixNano()
			heap.Push(&q.heap, first)
			continue
		}
		q.inFlight[first.ID] = true
		return &first, 0
	}
}

// look has one item looked at whose turn it is.
func (q *Queue) look(ctx context.Context, due Turn, answered func()) {
	outcome := q.work(ctx, q.Account(), due, answered)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.inFlight, due.ID)
	for _, t := range q.missed[due.ID] {
		heap.Push(&q.heap, t)
	}
	delete(q.missed, due.ID)
	now := q.now()
	called := !errors.Is(outcome.Err, ErrNoCall)
	if outcome.Fatal != nil && ctx.Err() == nil {
		q.quiet.Error("state", "the state cannot be used; trying again", "account", q.name, "error", outcome.Fatal)
		q.holdFor(now, 5*time.Second)
		again := q.hold
		if called && q.account != nil {
			q.unrecorded[due.ID] = now
			if floor := now.Add(q.account.MinInterval); floor.After(again) {
				again = floor
			}
		}
		heap.Push(&q.heap, Turn{at: again.UnixNano(), due: due.due, ID: due.ID})
	} else if called {
		delete(q.unrecorded, due.ID)
	}
	if called && q.account != nil {
		q.heard(q.name, outcome, now, q.log, q.quiet)
	}
	q.poke()
}
