// Package replay derives again. Parsing is a pure function of bytes and schema, so
// what was derived from the vendors' bytes can be derived again once a parser has
// learnt to read more.
//
//	raw of a pull, a callback -> records, each beside what was made of it before
//	    equal                    it stays, untouched
//	    told otherwise           it takes the other's place, with its raw and time of arrival; the other stays, and counts no more
//	    not derived any more     the old one is kept: no parser takes a record away
//	    new, and nowhere else    it is added
//	raw of an item's last difference -> observed and derived again
//	items of changed records, items that differ -> folded, with an observe event
//
// It reads the state, commits through agent/record and asks no vendor anything. The
// totals of pull policies stay: they count what was pulled, not what was made of it.
package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
	"github.com/zclconf/go-cty/cty"
)

// Options say what is derived again: by default the raws of which a quarantined
// record was made.
type Options struct {
	All  bool
	Raws []int64 // only these

	Catalog  providers.Catalog
	Store    state.Store
	Accounts []plan.Account // of the configuration, which may have been loaded offline
	Revision string         // what declares
	Now      func() time.Time
	Log      *slog.Logger
	// Expectations is asked once something differs; it may return nil: none can be judged,
	// which is left to the next apply.
	Expectations func(context.Context) record.Expectations
	// Tell is told of each difference once it is recorded.
	Tell func(plan.Difference)
	// Progress is told how many raws were derived again; may be nil.
	Progress func(done int64)
}

// ErrNoRaw is a raw that was asked for by its id and is not there.
var ErrNoRaw = errors.New("there is no such raw")

// Run derives again and records what differs.
func Run(ctx context.Context, o Options) (*plan.Replayed, error) {
	p := &replay{Options: o, configs: make(map[string]cty.Value), result: &plan.Replayed{}, done: make(map[int64]bool)}
	p.rec = record.New(record.Options{
		Catalog: o.Catalog, Store: o.Store, Now: o.Now, Log: o.Log, Revision: o.Revision, Changed: p.changed,
	})
	for _, a := range o.Accounts {
		p.configs[a.Name] = a.Config
	}
	return p.result, p.run(ctx)
}

// replay is one walk over raws.
type replay struct {
	Options
	rec     *record.Recorder
	configs map[string]cty.Value // provider blocks' values, by account
	result  *plan.Replayed
	began   bool           // what differs from here on is ours
	all     bool           // every raw is walked, in the order of ids
	upTo    int64          // with all: every raw up to here is done
	done    map[int64]bool // others that are done, or begun
	evalOf  bool           // the configuration was evaluated, or cannot be

	records    []plan.Record     // what differs and is not committed yet
	superseded []int64           // in whose place they stand
	told       []plan.Difference // of records
}

// redoneAtOnce is how many records one batch tells otherwise.
const redoneAtOnce = 1000

func (p *replay) run(ctx context.Context) error {
	// What an earlier process stored and did not count is no difference of ours.
	if err := p.fold(ctx); err != nil {
		return err
	}
	p.began = true
	if err := p.walk(ctx); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.fold(ctx); err != nil {
		return err
	}
	if !p.All {
		return nil
	}
	for item, err := range p.Store.Items(ctx, state.ItemFilter{Paged: true}) {
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
func (p *replay) walk(ctx context.Context) error {
	if len(p.Raws) > 0 {
		for _, id := range slices.Sorted(slices.Values(p.Raws)) { // a repetition after what it repeats
			raw, err := p.Store.Raw(ctx, id)
			if errors.Is(err, state.ErrNotFound) {
				return fmt.Errorf("raw %d: %w", id, ErrNoRaw)
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
	p.all = p.All
	for raw, err := range p.Store.Raws(ctx, state.RawFilter{Quarantined: !p.All}) {
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
		if len(p.records) >= redoneAtOnce {
			if err := p.flush(ctx); err != nil {
				return err
			}
		}
		if p.Progress != nil {
			p.Progress(int64(p.result.Answers))
		}
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
	vendor, err := record.VendorOf(p.Catalog, raw)
	if err != nil {
		p.result.Unreadable++
		p.Log.Warn("a raw cannot be derived again; its records stay as they are", "error", err)
		return nil
	}
	p.result.Answers++
	page := record.Parse(vendor, raw)
	var before []*plan.Record
	for record, err := range p.Store.Records(ctx, state.RecordFilter{RawID: raw.ID}) {
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
			p.Tell(plan.Difference{RawID: raw.ID, Before: old})
			continue
		case sameRecord(old, next):
			continue
		default:
			next.Place, next.ReceivedAt, next.RawID = old.Place, old.ReceivedAt, old.RawID
			p.superseded = append(p.superseded, old.ID)
		}
		p.records = append(p.records, *next)
		p.told = append(p.told, plan.Difference{RawID: raw.ID, Before: old, After: next})
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
		for record, err := range p.Store.Records(ctx, state.RecordFilter{Same: r}) {
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
			other, err := p.Store.Raw(ctx, id)
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
	if err := p.rec.Supersede(ctx, p.superseded, p.records); err != nil {
		return err
	}
	for _, d := range p.told {
		p.result.Records++
		p.Tell(d)
	}
	p.records, p.superseded, p.told = nil, nil, nil
	return nil
}

// fold counts the records that nobody counted.
func (p *replay) fold(ctx context.Context) error {
	unfolded, err := p.Store.Unfolded(ctx, 1)
	if err != nil {
		return fmt.Errorf("find items with new records: %w", err)
	}
	if len(unfolded) == 0 {
		return nil
	}
	p.evaluate(ctx)
	return p.rec.FoldAll(ctx)
}

// evaluate has expectations judged, once that is needed.
func (p *replay) evaluate(ctx context.Context) {
	if p.evalOf {
		return
	}
	p.evalOf = true
	if e := p.Expectations(ctx); e != nil {
		p.rec.Install(e, nil, "")
	}
}

// changed is told of an item that was recorded and differs.
func (p *replay) changed(item *plan.Item, fields []value.Field) {
	if !p.began {
		return
	}
	address := item.Address
	p.result.Items++
	p.Tell(plan.Difference{RawID: item.RawID, Address: &address, Fields: fields})
}

// observed replays a raw of a poll that was asked for by its id.
func (p *replay) observed(ctx context.Context, raw *state.Raw) error {
	items, err := p.Store.ItemsByID(ctx, []int64{raw.ItemID})
	if err != nil {
		return fmt.Errorf("load item %d: %w", raw.ItemID, err)
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() || items[0].RawID != raw.ID {
		p.Log.Info("a later answer counts: this one is not derived again", "raw", raw.ID)
		return nil
	}
	return p.again(ctx, items[0])
}
