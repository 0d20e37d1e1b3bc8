package agent

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// makeQueues makes a queue for each account that has none, and for "", where what
// only the clock and records change is. They take turns, and begin none yet.
func (a *Agent) makeQueues(accounts map[string]*providers.Account) (fresh []*schedule.Queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	add := func(name string, account *providers.Account) {
		if a.queues[name] == nil {
			a.queues[name] = schedule.New(name, account, a.attend, a.runner.Now, a.log)
			fresh = append(fresh, a.queues[name])
		}
	}
	add("", nil)
	for name, account := range accounts {
		add(name, account)
	}
	return fresh
}

// dropQueues takes back queues that did not begin.
func (a *Agent) dropQueues(fresh []*schedule.Queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range fresh {
		delete(a.queues, q.Name())
	}
}

// connectQueues gives each queue the connection of its account, lets the fresh
// ones begin, and ends those of accounts that are no more.
func (a *Agent) connectQueues(ctx context.Context, accounts map[string]*providers.Account, fresh []*schedule.Queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, q := range a.queues {
		switch account, ok := accounts[name]; {
		case slices.Contains(fresh, q):
			work, stop := context.WithCancel(ctx)
			a.stops[name] = stop
			a.running.Go(func() { q.Run(work) })
		case ok:
			q.Swap(account)
		case name != "":
			a.stops[name]()
			delete(a.queues, name)
			delete(a.stops, name)
		}
	}
}

// fill puts every tracked item that is due some time on its queue. What is overdue
// is spread, so that a restart does not stampede the vendors.
func (a *Agent) fill(ctx context.Context) error {
	now := a.runner.Now()
	var overdue []state.Slot
	late := make(map[string]int)
	for slot, err := range a.store.Schedule(ctx) {
		switch {
		case err != nil:
			return fmt.Errorf("read the schedule: %w", err)
		case slot.Due.IsZero():
		case slot.Due.Before(now), slot.Due.Sub(now) > a.longestWait(slot):
			overdue = append(overdue, slot)
			late[slot.Account]++
		default:
			a.queueOf(slot.Type, slot.Account).Add(slot.ItemID, slot.Due, slot.Due)
		}
	}
	for _, slot := range overdue {
		a.queueOf(slot.Type, slot.Account).Add(slot.ItemID, now.Add(schedule.Spread(late[slot.Account])), slot.Due)
	}
	return nil
}

// longestWait is how long an item in a slot may have to wait at most, as far as its
// account tells: what is due later is looked at now, and judged by its own arguments.
func (a *Agent) longestWait(slot state.Slot) time.Duration {
	if t := a.catalog.Types[slot.Type]; t == nil || t.Kind == plan.Counted {
		return math.MaxInt64 // it waits for records, and for its own deadlines
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(a.longest[slot.Account], plan.DefaultMaxInterval)
}

// waits notes how long items of each account may have to wait at most.
func (a *Agent) waits(desired []plan.Desired, accounts map[string]*providers.Account) {
	longest := make(map[string]time.Duration, len(accounts))
	for name, account := range accounts {
		longest[name] = account.MinInterval
	}
	for i := range desired {
		d := &desired[i]
		longest[d.Account] = max(longest[d.Account], record.LongestWait(d.Settings, 0))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.longest = longest
}

// queueOf is the queue of items of a type in an account.
func (a *Agent) queueOf(typ, account string) *schedule.Queue {
	name := account
	if t := a.catalog.Types[typ]; t == nil || t.Kind == plan.Counted {
		name = ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if q, ok := a.queues[name]; ok {
		return q
	}
	return a.queues[""]
}

func (a *Agent) allQueues() []*schedule.Queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	queues := make([]*schedule.Queue, 0, len(a.queues))
	for _, q := range a.queues {
		queues = append(queues, q)
	}
	slices.SortFunc(queues, func(x, y *schedule.Queue) int {
		return cmp.Compare(x.Name(), y.Name())
	})
	return queues
}
