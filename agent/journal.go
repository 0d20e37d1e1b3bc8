package agent

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// journal gathers what was done, for a line a minute: what failed by its kind with
// the first few named, and how much of everything there was. An agent of a million
// items says no more than one of three.
type journal struct {
	record.Meter // which is told, too

	mu                              sync.Mutex
	since                           time.Time // when the present minute began
	read, pulled, recorded, settled int
	items, expectations             failures
	judged                          map[judgement]bool // expectations of the present minute
}

// failures are those of one kind: how many, and the first of them.
type failures struct {
	count int
	first []string
}

// judgement is one expectation of one item.
type judgement struct {
	item int64
	name string
}

// named is how many failures of a kind are named.
const named = 3

func (f *failures) add(name string) {
	if f.count++; len(f.first) < named {
		f.first = append(f.first, name)
	}
}

func (f *failures) tell(log *slog.Logger, message string) {
	if f.count == 0 {
		return
	}
	names := strings.Join(f.first, ", ")
	if more := f.count - len(f.first); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	log.Warn(message, "count", f.count, "which", names)
}

func newJournal(meter record.Meter, now time.Time) *journal {
	return &journal{Meter: meter, since: now, judged: make(map[judgement]bool)}
}

// Call implements record.Meter.
func (j *journal) Call(account string, err error, notFound bool, took time.Duration) {
	j.Meter.Call(account, err, notFound, took)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.read++
}

// Pulled implements record.Meter.
func (j *journal) Pulled(account string, n int) {
	j.Meter.Pulled(account, n)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pulled += n
}

// changed is told of an item's differences.
func (j *journal) changed(item *plan.Item, fields []value.Field) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.recorded++
	for _, f := range fields {
		switch {
		case f.Path == "outcome" && string(f.After) == `"failed"`:
			j.items.add(item.Address.String())
		case f.Path == "settled" && string(f.After) == "true":
			j.settled++
		}
	}
}

// stands is told of an item as it was recorded, changed or not.
func (j *journal) stands(item *plan.Item) {
	if len(item.Expectations) == 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range item.Expectations {
		key := judgement{item.ID, e.Name}
		if e.State != plan.ExpectFailed || e.Since.Before(j.since) || j.judged[key] {
			continue
		}
		j.judged[key] = true
		j.expectations.add(fmt.Sprintf("%s of %s", e.Name, item.Address))
	}
}

// tell logs what was done since it was asked last, once a minute is over or now.
func (j *journal) tell(log *slog.Logger, at time.Time, now bool) {
	j.mu.Lock()
	if !now && at.Sub(j.since).Abs() < time.Minute {
		j.mu.Unlock()
		return
	}
	done := journal{read: j.read, pulled: j.pulled, recorded: j.recorded, settled: j.settled, items: j.items, expectations: j.expectations}
	j.since, j.read, j.pulled, j.recorded, j.settled = at, 0, 0, 0, 0
	j.items, j.expectations = failures{}, failures{}
	clear(j.judged)
	j.mu.Unlock()
	done.items.tell(log, "items failed")
	done.expectations.tell(log, "expectations failed")
	if done.read+done.pulled+done.recorded > 0 {
		log.Info("done", "read", done.read, "pulled", done.pulled, "recorded", done.recorded, "settled", done.settled, "failed", done.items.count)
	}
}
