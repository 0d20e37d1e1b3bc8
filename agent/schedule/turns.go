package schedule

import "time"

// Turn is one item's place in a queue: 24 bytes, for a million items in memory.
// An item may have old turns in the heap; only the one whose due time is the
// item's own counts.
type Turn struct {
	at  int64 // when the queue looks at it, unix nanoseconds
	due int64 // the item's due time as recorded
	ID  int64 // of the item
}

// Of reports whether the turn is that of an item which is due then.
func (t Turn) Of(due time.Time) bool { return !due.IsZero() && due.UnixNano() == t.due }

// turns is a heap, the earliest first.
type turns []Turn

func (h turns) Len() int           { return len(h) }
func (h turns) Less(i, j int) bool { return h[i].at < h[j].at }
func (h turns) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *turns) Push(x any)        { *h = append(*h, x.(Turn)) }
func (h *turns) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
