package sandbox

import (
	"maps"
	"slices"
	"time"
)

// Account is the sandbox's own account of what it did, against which a program's
// state is compared. It always holds that
//
//	Reports.Reported = len(Deleted) + len(Expired) + Reports.Waiting
//	Callbacks.Created = len(Accepted) + len(Dropped) + Callbacks.Pending
type Account struct {
	At time.Time `json:"at"` // the sandbox's time
	// Requests counts answers (NXCLOUD: pushes) by vendor and result; a fault
	// counts once more as "fault <kind>".
	Requests map[Vendor]map[string]int64 `json:"requests"`
	// Reads are those of each recipient and order that was asked for at least once,
	// by vendor and identity.
	Reads []ItemReads `json:"reads,omitempty"`

	Reports Reports    `json:"reports"`
	Pulls   []Pull     `json:"pulls"`
	Deleted []Deletion `json:"deleted"` // in the order of deletion
	Expired []Expiry   `json:"expired"`

	Callbacks Callbacks `json:"callbacks"`
	// Accepted are the callbacks that were answered exactly 200, in that order.
	Accepted []Callback `json:"accepted"`
	// Dropped are those given up after 60 minutes.
	Dropped []Callback `json:"dropped"`

	Faults []Fault `json:"faults"`
}

// Reports counts UCloud's reports.
type Reports struct {
	Reported int64 `json:"reported"` // became readable, ever
	Waiting  int64 `json:"waiting"`  // readable now
	Coming   int64 `json:"coming"`   // not readable yet
}

// Callbacks counts NXCLOUD's callbacks.
type Callbacks struct {
	Created  int64 `json:"created"`
	Pending  int64 `json:"pending"` // not due yet, being retried or under way
	Attempts int64 `json:"attempts"`
}

// ItemReads is the account of one item's reads: requests with right credentials
// that the vendor acted on, whether or not the answer arrived.
type ItemReads struct {
	Vendor Vendor    `json:"vendor"`
	ID     string    `json:"id"`
	Count  int64     `json:"count"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	// ShortestGap is the shortest time between two reads; zero where there was one.
	ShortestGap Duration `json:"shortest_gap,omitzero"`
	// FinalAt is when a whole answer first told the end of it: success or failed at
	// GlobFax, matched 0 at itniotech.
	FinalAt time.Time `json:"final_at,omitzero"`
	// AfterFinal counts the reads since.
	AfterFinal int64 `json:"after_final"`
	// Times are those of the first reads, as many as Options.ReadsKept says.
	Times []time.Time `json:"times,omitempty"`
}

// Account is the account up to now.
func (s *Server) Account() Account { return s.account(true) }

func (s *Server) account(withReads bool) Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.ucloud.settle(now)
	u, p := &s.ucloud, &s.pushes
	a := Account{
		At:       now,
		Requests: make(map[Vendor]map[string]int64, len(s.requests)),
		Reports:  Reports{Reported: u.reported, Waiting: int64(len(u.waiting)), Coming: int64(len(u.coming))},
		Pulls:    list(u.pulls),
		Deleted:  list(u.deleted),
		Expired:  list(u.expired),
		Callbacks: Callbacks{
			Created: p.created, Pending: int64(len(p.due) + len(p.held) + p.underWay), Attempts: p.attempts,
		},
		Accepted: list(p.accepted),
		Dropped:  list(p.dropped),
		Faults:   s.faultList(),
	}
	for v, m := range s.requests {
		a.Requests[v] = maps.Clone(m)
	}
	if withReads {
		a.Reads = append(a.Reads, readsOf(GlobFax, s.things)...)
		a.Reads = append(a.Reads, readsOf(Itniotech, s.orders)...)
	}
	return a
}

// readsOf lists the reads of a vendor's items, by identity.
func readsOf(v Vendor, things map[string]*thing) []ItemReads {
	var all []ItemReads
	for _, id := range slices.Sorted(maps.Keys(things)) {
		r := &things[id].reads
		if r.count == 0 {
			continue
		}
		item := ItemReads{Vendor: v, ID: id, Count: r.count, First: unix(r.first), Last: unix(r.last), ShortestGap: Duration(r.shortest), AfterFinal: r.afterFinal}
		if r.finalAt != 0 {
			item.FinalAt = unix(r.finalAt)
		}
		for _, t := range r.times {
			item.Times = append(item.Times, unix(t))
		}
		all = append(all, item)
	}
	return all
}

// list copies a list; an empty one is [] in JSON.
func list[T any](of []T) []T { return append([]T{}, of...) }

func unix(nanoseconds int64) time.Time { return time.Unix(0, nanoseconds).UTC() }
