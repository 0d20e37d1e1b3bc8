package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Replay: parsing is a pure function of bytes and schema, so what was derived
// from the vendors' bytes can be derived again once a parser has learnt something.
//
//	raw of a pull, a callback -> records, each beside what was made of it before
//	    equal                    it stays, untouched
//	    told otherwise           it takes the other's place, with its raw and time of arrival; the other stays, and counts no more
//	    not derived any more     the old one is kept: no parser takes a record away
//	    new, and nowhere else    it is added
//	raw of an item's last difference -> observed and derived again
//	items of changed records, items that differ -> folded, with an observe event
//
// Nothing is asked of a vendor, and the totals of pull policies stay: they count
// what was pulled, not what was made of it.

// ReplayOptions say what is derived again: by default the raws of which a
// quarantined record was made.
type ReplayOptions struct {
	All  bool
	Raws []int64 // only these
}

// ErrNotReplayable is a raw that was asked for by its id and is not there.
var ErrNotReplayable = errors.New("there is no such raw")

// Replay derives again, records what differs, and tells each difference once it
// is recorded. The configuration may be loaded offline.
func (r *Runner) Replay(ctx context.Context, config *hclspec.Root, store state.Store, opts ReplayOptions, tell func(Difference)) (*Replayed, hcl.Diagnostics, error) {
	declared, diags := config.Accounts()
	if diags.HasErrors() {
		return nil, diags, nil
	}
	p := &replay{
		recorder: &recorder{catalog: newCatalog(r.Vendors), store: store, now: r.Now, log: r.Log, revision: r.Revision},
		runner:   r, config: config, configs: make(map[string]cty.Value), result: &Replayed{},
		tellOf: tell, done: make(map[int64]bool), batch: &state.Batch{},
	}
	for _, a := range declared {
		p.configs[a.Name] = a.Config
	}
	return p.result, diags, p.run(ctx, opts)
}

// replay is one walk over raws.
type replay struct {
	*recorder
	runner  *Runner
	config  *hclspec.Root
	configs map[string]cty.Value // provider blocks' values, by account
	result  *Replayed
	tellOf  func(Difference)
	all     bool           // every raw is walked, in the order of ids
	upTo    int64          // with all: every raw up to here is done
	done    map[int64]bool // others that are done, or begun
	evalOf  bool           // the configuration was evaluated, or cannot be

	batch *state.Batch // what differs and is not committed yet
	told  []Difference // of batch
}

// redoneAtOnce is how many records one batch tells otherwise.
const redoneAtOnce = 1000

func (p *replay) run(ctx context.Context, opts ReplayOptions) error {
	// What an earlier process stored and did not count is no difference of ours.
	if err := p.fold(ctx); err != nil {
		return err
	}
	p.changed = func(item *plan.Item, fields []value.Field) {
		address := item.Address
		p.result.Items++
		p.tellOf(Difference{RawID: item.RawID, Address: &address, Fields: fields})
	}
	if err := p.walk(ctx, opts); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.fold(ctx); err != nil {
		return err
	}
	if !opts.All {
		return nil
	}
	for item, err := range p.store.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		if err := p.again(ctx, item); err != nil {
			return err
		}
	}
	return nil
}

// walk replays the raws that were asked for.
func (p *replay) walk(ctx context.Context, opts ReplayOptions) error {
	if len(opts.Raws) > 0 {
		for _, id := range slices.Sorted(slices.Values(opts.Raws)) { // a repetition after what it repeats
			raw, err := p.store.Raw(ctx, id)
			if errors.Is(err, state.ErrNotFound) {
				return fmt.Errorf("raw %d: %w", id, ErrNotReplayable)
			}
			if err != nil {
				return fmt.Errorf("read raw %d: %w", id, err)
			}
			if raw.Kind == state.RawPoll {
				err = p.observed(ctx, raw)
			} else {
				err = p.redo(ctx, raw)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	p.all = opts.All
	for raw, err := range p.store.Raws(ctx, state.RawFilter{Quarantined: !opts.All}) {
		if err != nil {
			return fmt.Errorf("read the raws: %w", err)
		}
		if raw.Kind == state.RawPoll {
			continue // by its item, after the records
		}
		if err := p.redo(ctx, raw); err != nil {
			return err
		}
		if p.all {
			p.upTo = raw.ID
			delete(p.done, raw.ID)
		}
		if len(p.batch.Records) >= redoneAtOnce {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		p.runner.progress("replaying", int64(p.result.Answers), 0)
	}
	return nil
}

// redo derives the records of a raw again.
func (p *replay) redo(ctx context.Context, raw *state.Raw) error {
	if p.done[raw.ID] || raw.ID <= p.upTo {
		return nil
	}
	p.done[raw.ID] = true
	if !raw.Derived {
		p.result.Waiting++
		return nil
	}
	vendor, err := p.vendorOf(ctx, raw)
	if err != nil {
		p.result.Unreadable++
		p.log.Warn("a raw cannot be derived again; its records stay as they are", "error", err)
		return nil
	}
	p.result.Answers++
	page := derived(vendor, raw)
	var before []*plan.Record
	for record, err := range p.store.Records(ctx, state.RecordFilter{RawID: raw.ID}) {
		if err != nil {
			return fmt.Errorf("read the records of raw %d: %w", raw.ID, err)
		}
		before = append(before, record)
	}
	for i := range page.Records {
		if page.Records[i].Quarantined != "" {
			p.result.Quarantined++
		}
	}
	return p.compare(ctx, raw, before, page.Records)
}

// compare puts what a raw comes to now beside what was made of it.
func (p *replay) compare(ctx context.Context, raw *state.Raw, before []*plan.Record, now []plan.Record) error {
	was, is := pairRecords(before, now)
	for i, old := range was {
		next := is[i]
		switch {
		case old == nil:
			there, err := p.stands(ctx, raw, next)
			if err != nil {
				return err
			}
			if there {
				continue
			}
		case next == nil:
			// Nothing that was understood is taken away by a parser that knows less.
			p.result.Unreadable++
			p.tellOf(Difference{RawID: raw.ID, Before: old})
			continue
		case sameRecord(old, next):
			continue
		default:
			next.Place, next.ReceivedAt, next.RawID = old.Place, old.ReceivedAt, old.RawID
			p.batch.Superseded = append(p.batch.Superseded, old.ID)
		}
		p.batch.Records = append(p.batch.Records, *next)
		p.told = append(p.told, Difference{RawID: raw.ID, Before: old, After: next})
	}
	return nil
}

// stands reports whether a record that is not among those of its raw is in the
// state all the same: told by an earlier raw, of which this one is a repetition.
// Those raws are derived first, for what they come to may have changed alike.
func (p *replay) stands(ctx context.Context, raw *state.Raw, r *plan.Record) (bool, error) {
	if err := p.flush(ctx); err != nil {
		return false, err
	}
	for first := true; ; first = false {
		var others []int64
		for record, err := range p.store.Records(ctx, state.RecordFilter{Same: r}) {
			if err != nil {
				return false, fmt.Errorf("read the records of key %q: %w", r.Key, err)
			}
			if record.Digest == r.Digest {
				return true, nil
			}
			if record.RawID != 0 && record.RawID != raw.ID {
				others = append(others, record.RawID)
			}
		}
		if !first || len(others) == 0 {
			return false, nil
		}
		for _, id := range others {
			other, err := p.store.Raw(ctx, id)
			if errors.Is(err, state.ErrNotFound) {
				continue
			}
			if err == nil {
				err = p.redo(ctx, other)
			}
			if err != nil {
				return false, fmt.Errorf("derive raw %d again: %w", id, err)
			}
		}
		if err := p.flush(ctx); err != nil {
			return false, err
		}
	}
}

// flush commits what differs so far, then tells it.
func (p *replay) flush(ctx context.Context) error {
	if len(p.told) == 0 {
		return nil
	}
	if err := p.store.Commit(ctx, p.batch); err != nil {
		return fmt.Errorf("record what differs: %w", err)
	}
	for _, d := range p.told {
		p.result.Records++
		p.tellOf(d)
	}
	p.batch, p.told = &state.Batch{}, nil
	return nil
}

// fold counts the records that nobody counted.
func (p *replay) fold(ctx context.Context) error {
	unfolded, err := p.store.Unfolded(ctx, 1)
	if err != nil {
		return fmt.Errorf("find items with new records: %w", err)
	}
	if len(unfolded) == 0 {
		return nil
	}
	p.evaluate(ctx)
	return p.foldAll(ctx)
}

// evaluate makes the evaluation that judges expectations, once it is needed. A
// configuration that cannot be evaluated offline judges none: the next apply does.
func (p *replay) evaluate(ctx context.Context) {
	if p.evalOf {
		return
	}
	p.evalOf = true
	ev := newEvaluation(p.config, p.catalog, p.store)
	if diags, _ := ev.all(ctx, nil); diags.HasErrors() {
		p.log.Debug("expectations are not judged: the configuration cannot be evaluated", "error", diags)
		return
	}
	p.eval = ev.hcl
}

// observed replays a raw of a poll that was asked for by its id.
func (p *replay) observed(ctx context.Context, raw *state.Raw) error {
	items, err := p.store.ItemsByID(ctx, []int64{raw.ItemID})
	if err != nil {
		return fmt.Errorf("load item %d: %w", raw.ItemID, err)
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() || items[0].RawID != raw.ID {
		p.log.Info("a later answer counts: this one is not derived again", "raw", raw.ID)
		return nil
	}
	return p.again(ctx, items[0])
}

// sameRecord reports whether a record is told as before.
func sameRecord(a, b *plan.Record) bool {
	amounts := (a.Amount == nil) == (b.Amount == nil) && (a.Amount == nil || a.Amount.String() == b.Amount.String())
	return amounts && a.Type == b.Type && a.Key == b.Key && a.Identity == b.Identity && a.Outcome == b.Outcome && a.Code == b.Code &&
		a.Currency == b.Currency && a.Parts == b.Parts && sameTime(a.EventTime, b.EventTime) && string(a.Attributes) == string(b.Attributes) &&
		a.Digest == b.Digest && a.Quarantined == b.Quarantined
}

// sameTime compares times as a state keeps them: in nanoseconds, and what these
// cannot tell as the nearest that they can.
func sameTime(a, b time.Time) bool {
	within := func(t time.Time) time.Time {
		if first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64); t.Before(first) {
			return first
		} else if t.After(last) {
			return last
		}
		return t
	}
	return a.IsZero() == b.IsZero() && (a.IsZero() || within(a).Equal(within(b)))
}

// pairRecords puts records of one raw side by side: those with equal content, then
// of one key, then of one digest, then in the order in which they stand. What
// has no other stands beside nil.
func pairRecords(before []*plan.Record, now []plan.Record) (was, is []*plan.Record) {
	taken := make([]bool, len(now))
	rest := before
	for _, alike := range []func(a, b *plan.Record) bool{
		func(a, b *plan.Record) bool { return a.Key == b.Key && a.Digest == b.Digest },
		func(a, b *plan.Record) bool { return a.Key != "" && a.Key == b.Key },
		func(a, b *plan.Record) bool { return a.Digest == b.Digest },
	} {
		var over []*plan.Record
		for _, old := range rest {
			found := false
			for i := range now {
				if !taken[i] && alike(old, &now[i]) {
					was, is, taken[i], found = append(was, old), append(is, &now[i]), true, true
					break
				}
			}
			if !found {
				over = append(over, old)
			}
		}
		rest = over
	}
	for i := range now {
		if taken[i] {
			continue
		}
		// Only one that was not understood may become something altogether different.
		var old *plan.Record
		if len(rest) > 0 && rest[0].Quarantined != "" {
			old, rest = rest[0], rest[1:]
		}
		was, is = append(was, old), append(is, &now[i])
	}
	for _, old := range rest {
		was, is = append(was, old), append(is, nil)
	}
	return was, is
}
