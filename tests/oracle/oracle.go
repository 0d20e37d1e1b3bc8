// Package oracle states what is never lost as arithmetic: it compares the
// sandbox's own account of what the four vendors did with a state, and names
// every record for which a promise does not hold. All fault tests use it.
//
// The comparison is independent: nothing of Waybill's parsers is used, a report
// is found again by its bytes in the evidence and by what it says.
package oracle

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
)

// Promise is one sentence that must hold.
type Promise string

// The promises. docs/guarantees.md says which mechanism keeps each.
const (
	Deleted    Promise = "a report that the vendor deleted is stored, or inside a recorded loss window"
	Bounded    Promise = "a loss window's bound is not exceeded"
	Windowed   Promise = "a loss window has a cause: a whole answer is never given up"
	Expired    Promise = "a report that expired at the vendor is covered by a retention window"
	Accepted   Promise = "a callback that was answered 200 is stored, byte for byte"
	Dropped    Promise = "a callback that the vendor gave up is covered by an outage window, unless the way to the receiver was broken"
	Final      Promise = "a settled item is read no more"
	Floor      Promise = "no item is read sooner than its floor"
	Punctual   Promise = "no item is read later than its interval plus the back-off's cap"
	Folds      Promise = "the history folded from its beginning is the state"
	Tallied    Promise = "a counted item's values are those of its records"
	Once       Promise = "the same report or callback twice is one record"
	Conflicted Promise = "of one key with several contents exactly one counts: the latest ReceiptTime, else the first"
	Evident    Promise = "every record and observed difference traces to the vendor's bytes"
	Finished   Promise = "nothing that was begun is left half done"
)

// Violation is a promise that does not hold for a record.
type Violation struct {
	Promise Promise
	Record  string // which one: "ucloud report s1/1380000", "globfax rcpt_1"
	Detail  string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: %s (promise: %s)", v.Record, v.Detail, v.Promise)
}

// Span is a stretch of the vendors' time.
type Span struct{ From, To time.Time }

func (s Span) holds(t time.Time) bool { return !t.Before(s.From) && !t.After(s.To) }

func (s Span) widened(by time.Duration) Span { return Span{s.From.Add(-by), s.To.Add(by)} }

// Pace is what is agreed of how often one vendor's items are read or pulled.
type Pace struct {
	Floor       time.Duration // between two reads of one item; zero: not checked
	Interval    time.Duration
	MaxInterval time.Duration // the back-off's cap; zero: lateness is not checked
}

// Jump is a change of the program's clock: from At, in the vendors' time, it is
// ahead of the vendors' by Offset.
type Jump struct {
	At     time.Time
	Offset time.Duration
}

// Limits are what the test knows of the run and the account cannot: it excuses
// nothing else. The zero value is the strictest: a program that was never
// killed, whose database never failed and whose clock was right.
type Limits struct {
	// Kills are when the program died without a chance to record what it had under
	// way: each may cost one read too many, one read too soon, and a loss window.
	Kills []time.Time
	// Failing are the times in which the database refused to be written: what was
	// read then may be read again, after the floor.
	Failing []Span
	// Down are the times in which no callback could be stored: the program was not
	// running, or its database failed.
	Down []Span
	// Jumps are the changes of the program's clock, oldest first.
	Jumps []Jump
	// Calm are, for each vendor, the times in which the program ran, nothing was
	// switched on that slows it down, and its schedule was not put off (by a
	// Retry-After, a pause, a clock): punctuality is judged there.
	Calm map[sandbox.Vendor][]Span
	// Pace is what is agreed with each polled vendor, and UCloud's policies.
	Pace map[sandbox.Vendor]Pace
	// Timeout bounds one call: a kill or failure may concern a call that began so
	// long before. Zero means 30 seconds.
	Timeout time.Duration
	// Cut are when pulled pages were spoiled on their way by other means than the
	// sandbox's faults.
	Cut []time.Time
	// Accounts says which account of the state stands for a vendor; a vendor that
	// is not there has an account of its own name.
	Accounts map[sandbox.Vendor]string
}

func (l *Limits) account(v sandbox.Vendor) string {
	if name, ok := l.Accounts[v]; ok {
		return name
	}
	return string(v)
}

func (l *Limits) timeout() time.Duration {
	if l.Timeout > 0 {
		return l.Timeout
	}
	return 30 * time.Second
}

// unrecorded reports whether a read that arrived then may not have been recorded;
// killed, because the program died and so forgot that it was made.
func (l *Limits) unrecorded(at time.Time) (unrecorded, killed bool) {
	for _, k := range l.Kills {
		if (Span{k.Add(-l.timeout()), k}).holds(at) {
			return true, true
		}
	}
	for _, f := range l.Failing {
		if (Span{f.From.Add(-l.timeout()), f.To}).holds(at) {
			return true, false
		}
	}
	return false, false
}

// jumped reports whether the program's clock was changed within a span.
func (l *Limits) jumped(s Span) bool {
	for _, j := range l.Jumps {
		if s.holds(j.At) {
			return true
		}
	}
	return false
}

// program tells a moment of the vendors' as the program's clock told it: near a
// jump there are two answers.
func (l *Limits) program(t time.Time) []time.Time {
	times := []time.Time{t}
	for i, j := range l.Jumps {
		near := (Span{j.At, j.At}).widened(2 * l.timeout()).holds(t)
		if j.At.After(t) && !near {
			break
		}
		if !near {
			times = times[:0]
		}
		if i+1 == len(l.Jumps) || !l.Jumps[i+1].At.Before(t.Add(-2*l.timeout())) {
			times = append(times, t.Add(j.Offset))
		}
	}
	return times
}

// vendors tells a moment of the program's clock as the vendors told it: the
// earliest and the latest that it can have been, for a clock that is set back
// tells the same time twice.
func (l *Limits) vendors(t time.Time) (first, last time.Time) {
	var offset time.Duration
	var since time.Time
	for i := 0; ; i++ {
		at := t.Add(-offset)
		ended := i < len(l.Jumps) && at.After(l.Jumps[i].At.Add(l.timeout()))
		if !ended && !at.Before(since.Add(-l.timeout())) {
			if first.IsZero() {
				first = at
			}
			last = at
		}
		if i == len(l.Jumps) {
			break
		}
		offset, since = l.Jumps[i].Offset, l.Jumps[i].At
	}
	if first.IsZero() {
		return t, t // a time that the clock jumped over
	}
	return first, last
}

// Report is what a check came to.
type Report struct {
	Violations []Violation

	Faults    int64 // that the sandbox injected
	Deleted   int   // reports compared
	Expired   int
	Accepted  int // callbacks compared
	Dropped   int
	Records   int // in the state
	Items     int
	Events    int
	Windows   int
	Reads     int64
	InWindows int // deleted reports that are missing, all inside loss windows
}

// OK reports whether every promise holds.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

// Counts says in one line what was compared.
func (r *Report) Counts() string {
	return fmt.Sprintf("%d faults; %d reports deleted (%d lost inside windows), %d expired; %d callbacks accepted, %d given up; %d reads; %d records, %d items, %d events, %d loss windows",
		r.Faults, r.Deleted, r.InWindows, r.Expired, r.Accepted, r.Dropped, r.Reads, r.Records, r.Items, r.Events, r.Windows)
}

// String lists the violations, at most 5 of each promise.
func (r *Report) String() string {
	var b strings.Builder
	said := make(map[Promise]int)
	for _, v := range r.Violations {
		if said[v.Promise]++; said[v.Promise] <= 5 {
			b.WriteString(v.String() + "\n")
		}
	}
	for p, n := range said {
		if n > 5 {
			fmt.Fprintf(&b, "and %d more of: %s\n", n-5, p)
		}
	}
	b.WriteString(r.Counts())
	return b.String()
}

// check is one comparison under way.
type check struct {
	account *sandbox.Account
	state   state.Reader
	limits  *Limits
	report  Report

	records  []plan.Record
	raws     map[int64]*state.Raw
	items    []*plan.Item // tracked and forgotten
	events   map[int64][]plan.Event
	windows  []plan.LossWindow
	declared map[string]*plan.Item // identity -> item
}

// Check compares. The error is one of reading the state.
func Check(ctx context.Context, account sandbox.Account, reader state.Reader, limits Limits) (*Report, error) {
	c := &check{account: &account, state: reader, limits: &limits}
	if err := c.load(ctx); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	c.deletions()
	c.expiries()
	c.windowCauses()
	c.callbacks()
	c.reads()
	c.pulls()
	if err := c.folds(); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	if err := c.tallies(); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	c.duplicates()
	c.evidence()
	if err := c.finished(ctx); err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	return &c.report, nil
}

// load reads the whole state.
func (c *check) load(ctx context.Context) error {
	for r, err := range c.state.Records(ctx, state.RecordFilter{}) {
		if err != nil {
			return fmt.Errorf("records: %w", err)
		}
		c.records = append(c.records, *r)
	}
	c.declared = make(map[string]*plan.Item)
	for _, forgotten := range []bool{false, true} {
		for item, err := range c.state.Items(ctx, state.ItemFilter{Forgotten: forgotten}) {
			if err != nil {
				return fmt.Errorf("items: %w", err)
			}
			c.items = append(c.items, item)
			c.declared[identityOf(item.Address.Type(), item.Account, item.Identity)] = item
		}
	}
	c.events = make(map[int64][]plan.Event)
	for e, err := range c.state.History(ctx, state.HistoryFilter{}) {
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		c.events[e.ItemID] = append(c.events[e.ItemID], *e)
		c.report.Events++
	}
	var err error
	if c.windows, err = c.state.LossWindows(ctx); err != nil {
		return fmt.Errorf("loss windows: %w", err)
	}
	c.raws = make(map[int64]*state.Raw)
	want := func(id int64) error {
		if _, ok := c.raws[id]; ok || id == 0 {
			return nil
		}
		raw, err := c.state.Raw(ctx, id)
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("raw %d: %w", id, err)
		}
		c.raws[id] = raw // nil where it is missing: that is a violation
		return nil
	}
	for i := range c.records {
		if err := want(c.records[i].RawID); err != nil {
			return err
		}
	}
	for _, events := range c.events {
		for i := range events {
			if err := want(events[i].RawID); err != nil {
				return err
			}
		}
	}
	c.report.Records, c.report.Items, c.report.Windows = len(c.records), len(c.items), len(c.windows)
	for i := range c.account.Faults {
		c.report.Faults += c.account.Faults[i].Struck
	}
	c.report.Faults += int64(len(c.limits.Cut))
	return nil
}

func (c *check) violated(p Promise, record, format string, args ...any) {
	c.report.Violations = append(c.report.Violations, Violation{Promise: p, Record: record, Detail: fmt.Sprintf(format, args...)})
}

func identityOf(typ, account, identity string) string {
	return typ + "\x00" + account + "\x00" + identity
}
