package agent

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// turn is one item's place in a queue: 24 bytes, for a million items in memory.
// An item may have old turns in the heap; only the one whose due time is the
// item's own counts.
type turn struct {
	at  int64 // when the queue looks at it, unix nanoseconds
	due int64 // the item's due time as recorded
	id  int64
}

type turns []turn

func (h turns) Len() int           { return len(h) }
func (h turns) Less(i, j int) bool { return h[i].at < h[j].at }
func (h turns) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *turns) Push(x any)        { *h = append(*h, x.(turn)) }
func (h *turns) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// queue is one account's schedule and its workers, so that one account's trouble
// never slows another's. The queue named "" is that of items that only the
// clock and records change.
type queue struct {
	name  string
	rec   *recorder
	log   *slog.Logger
	wake  chan struct{}
	slots chan struct{} // one for each call that may be under way
	room  chan struct{} // one for each turn that may be under way, its recording included

	mu       sync.Mutex
	heap     turns
	inFlight map[int64]bool
	// missed are turns that came while their item was being looked at: one of them
	// may be the item's only valid one.
	missed map[int64][]turn
	// unrecorded is when items were last read whose reading the state did not take:
	// the floor counts from there too.
	unrecorded map[int64]time.Time
	account    *account // nil for the queue ""
	// hold is until when the account is left alone: a vendor's Retry-After, or a
	// pause after refused credentials, or a state that cannot be written.
	hold    time.Time
	refused bool // credentials were refused: after hold, one probe at a time
	lastErr string
}

func newQueue(name string, rec *recorder, a *account) *queue {
	n := 4
	if a != nil {
		n = max(a.Concurrency, 1)
	}
	return &queue{
		name: name, rec: rec, log: rec.log, wake: make(chan struct{}, 1), slots: make(chan struct{}, n), room: make(chan struct{}, n+recording),
		inFlight: make(map[int64]bool), missed: make(map[int64][]turn), unrecorded: make(map[int64]time.Time), account: a,
	}
}

// add puts an item's next turn on the heap.
func (q *queue) add(id int64, at, due time.Time) {
	q.mu.Lock()
	heap.Push(&q.heap, turn{at: at.UnixNano(), due: due.UnixNano(), id: id})
	first := q.heap[0].id == id
	q.mu.Unlock()
	if first {
		q.poke()
	}
}

func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// swap gives the queue a new connection after a reload, and one probe if the
// credentials had been refused.
func (q *queue) swap(a *account) {
	q.mu.Lock()
	q.account = a
	if q.refused {
		q.hold = time.Time{}
	}
	q.mu.Unlock()
	q.poke()
}

// lag is by how much the most overdue item is late.
func (q *queue) lag(now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 || (q.account != nil && q.account.Suspend) {
		return 0
	}
	return max(now.Sub(time.Unix(0, q.heap[0].at)), 0)
}

// up reports whether the account's last call was answered, and what was wrong.
func (q *queue) up() (bool, string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lastErr == "", q.lastErr
}

// run looks at what is due until ctx ends, then waits for what is in flight.
func (q *queue) run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case q.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case q.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		due, wait := q.next(q.rec.now())
		if due == nil {
			<-q.slots
			<-q.room
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
			defer func() { <-q.room }()
			over := sync.OnceFunc(func() { <-q.slots })
			defer over()
			q.look(ctx, *due, over)
		})
	}
}

// next takes the next due turn, or says how long there is none.
func (q *queue) next(now time.Time) (*turn, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		switch {
		case len(q.heap) == 0 || (q.account != nil && q.account.Suspend):
			return nil, time.Hour
		case now.Before(q.hold):
			return nil, q.hold.Sub(now)
		case q.refused && len(q.inFlight) > 0:
			return nil, time.Second // one probe at a time
		}
		first := q.heap[0]
		if wait := time.Unix(0, first.at).Sub(now); wait > 0 {
			return nil, wait
		}
		heap.Pop(&q.heap)
		if q.inFlight[first.id] {
			q.missed[first.id] = append(q.missed[first.id], first)
			continue
		}
		q.inFlight[first.id] = true
		return &first, 0
	}
}

// look reads, pulls or derives one item whose turn it is. answered is called when
// the next may begin, if that is before look returns.
func (q *queue) look(ctx context.Context, due turn, answered func()) {
	vendorErr, pause, fatal := q.attend(ctx, due, answered)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.inFlight, due.id)
	for _, t := range q.missed[due.id] {
		heap.Push(&q.heap, t)
	}
	delete(q.missed, due.id)
	now := q.rec.now()
	called := !errors.Is(vendorErr, errNoCall)
	if fatal != nil && ctx.Err() == nil {
		q.log.Error("the state cannot be used; trying again", "account", q.name, "error", fatal)
		q.hold = now.Add(5 * time.Second)
		again := q.hold
		if called && q.account != nil {
			q.unrecorded[due.id] = now
			again = later(again, now.Add(q.account.MinInterval))
		}
		heap.Push(&q.heap, turn{at: again.UnixNano(), due: due.due, id: due.id})
	} else if called {
		delete(q.unrecorded, due.id)
	}
	q.judgeAccount(vendorErr, pause, now)
	q.poke()
}

// attend does the work of one turn. It is not cut off by ctx: what is in flight
// finishes. pause is for how long the account is left alone should the vendor
// have refused the credentials.
func (q *queue) attend(ctx context.Context, due turn, answered func()) (vendorErr error, pause time.Duration, fatal error) {
	epoch := q.rec.snapshot()
	work := context.WithoutCancel(ctx)
	items, err := q.rec.store.ItemsByID(work, []int64{due.id})
	if err != nil {
		return errNoCall, 0, err
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() || items[0].Due.UnixNano() != due.due || items[0].Due.IsZero() {
		return errNoCall, 0, nil
	}
	item := items[0]
	t, err := q.rec.catalog.typeOf(item.Address.Type())
	if err != nil {
		return errNoCall, 0, err
	}
	q.mu.Lock()
	a, unrecorded := q.account, q.unrecorded[due.id]
	q.mu.Unlock()
	now := q.rec.now()
	switch {
	case a == nil || item.Settings.Suspend:
	case t.Kind == plan.Policy:
		vendorErr, fatal = q.drain(ctx, item, a)
		return vendorErr, max(item.Settings.MaxInterval, item.Settings.Interval), fatal
	case t.Kind == plan.Polled && !unrecorded.IsZero() && now.Before(unrecorded.Add(a.MinInterval)):
		q.add(due.id, unrecorded.Add(a.MinInterval), time.Unix(0, due.due))
		return errNoCall, 0, nil
	case t.Kind == plan.Polled && (item.ReadAt.IsZero() || !now.Before(item.ReadAt.Add(a.MinInterval))):
		vendorErr, fatal = q.rec.read(work, item, epoch, a, answered)
		return vendorErr, item.Settings.MaxInterval, fatal
	}
	return errNoCall, 0, q.rec.fold(work, item.ID)
}

// errNoCall says that a turn made no call, so that it tells nothing of the account.
var errNoCall = errors.New("no call was made")

// drain pulls page after page while they come full, and stops after one when the
// process is to end.
func (q *queue) drain(ctx context.Context, item *plan.Item, a *account) (vendorErr, fatal error) {
	for {
		page, err := q.rec.pull(context.WithoutCancel(ctx), item, a)
		if err != nil {
			return errNoCall, err
		}
		if page.err != nil || !page.full || ctx.Err() != nil || !drains(q.rec.catalog, item) {
			return page.err, nil
		}
	}
}

// judgeAccount draws from a call's end what it says of the account: refused
// credentials pause it, with one probe per max_interval; a Retry-After holds it.
// The caller holds mu.
func (q *queue) judgeAccount(vendorErr error, pause time.Duration, now time.Time) {
	if errors.Is(vendorErr, errNoCall) || q.account == nil {
		return
	}
	if vendorErr == nil {
		if q.refused {
			q.log.Info("the vendor accepts the credentials again", "account", q.name)
		}
		q.refused, q.lastErr = false, ""
		return
	}
	kind := providers.KindOf(vendorErr)
	if text := vendorErr.Error(); text != q.lastErr {
		q.log.Warn("the vendor did not answer as it should", "account", q.name, "kind", kind.String(), "error", text)
		q.lastErr = text
	}
	switch kind {
	case providers.Credentials, providers.Permission:
		if !q.refused {
			q.log.Error("the vendor refuses the credentials: the account is paused; correct them and reload", "account", q.name, "error", vendorErr)
		}
		q.refused = true
		q.hold = now.Add(pause)
	case providers.Throttled:
		q.hold = later(q.hold, now.Add(max(providerRetryAfter(vendorErr), time.Second)))
	case providers.WrongContent, providers.Rejected:
		q.lastErr = "" // one item's trouble, not the account's
	}
}

// spreadOver is over how long n overdue items are spread after a restart: the
// vendors shall not be stampeded.
func spreadOver(n int) time.Duration {
	return min(time.Duration(n)*20*time.Millisecond, 5*time.Minute)
}

// spread is a random part of a duration.
func spread(over time.Duration) time.Duration {
	if over <= 0 {
		return 0
	}
	return rand.N(over)
}
