package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// again derives one tracked item again and records the difference. The clock
// alone makes none here: an item that would have been the same when it was last
// recorded is left to the next apply or agent.
func (p *replay) again(ctx context.Context, item *plan.Item) error {
	t, err := p.catalog.typeOf(item.Address.Type())
	if err != nil {
		p.result.Unreadable++
		p.log.Warn("an item cannot be derived again; it stays as it is", "error", err)
		return nil
	}
	next := *item
	var tally state.Tally
	switch {
	case t.Kind == plan.Counted:
		if tally, err = p.store.Tally(ctx, item); err != nil {
			return fmt.Errorf("count the records of %s: %w", item.Address, err)
		}
	case t.Kind == plan.Polled && item.RawID != 0:
		if ok, err := p.observeAgain(ctx, t, &next); err != nil || !ok {
			return err
		}
	}
	same, err := p.unchanged(ctx, t, item, &next, tally.Tally)
	if err != nil || same {
		return err
	}
	p.evaluate(ctx)
	if t.Kind != plan.Polled {
		return p.recorder.fold(ctx, item.ID)
	}
	return p.recordAgain(ctx, t, &next)
}

// observeAgain reads the raw of an item's last difference once more.
func (p *replay) observeAgain(ctx context.Context, t *plan.Type, next *plan.Item) (ok bool, err error) {
	raw, err := p.store.Raw(ctx, next.RawID)
	if errors.Is(err, state.ErrNotFound) {
		return true, nil // pruned: what was seen is all that is left
	}
	if err != nil {
		return false, fmt.Errorf("read raw %d: %w", next.RawID, err)
	}
	vendor := p.catalog.vendors[t.Name]
	args, err := value.Decode(next.Args, t.ArgsType())
	if err != nil {
		return false, fmt.Errorf("recorded arguments of %s: %w", next.Address, err)
	}
	p.result.Answers++
	target := providers.Target{Type: t.Name, Identity: next.Identity, Args: args, Config: p.configs[next.Account]}
	observation, err := vendor.Observe(target, providers.Answer{At: raw.At, Status: raw.Status, Body: raw.Body, Complete: raw.Complete, Reached: true})
	if err != nil {
		p.result.Unreadable++
		p.log.Warn("an answer cannot be observed any more; its item stays as it is", "address", next.Address.String(), "raw", raw.ID, "error", err)
		return false, nil
	}
	if next.NotFound = observation.NotFound; next.NotFound {
		return true, nil
	}
	if next.Seen, err = plan.EncodeSeen(t, observation.Seen); err != nil {
		return false, fmt.Errorf("observation of %s: %w", next.Address, err)
	}
	return true, nil
}

// unchanged reports whether the evidence comes to the recorded values at any time
// at which they may have been derived: now, at the last read, or when the last
// difference was recorded.
func (p *replay) unchanged(ctx context.Context, t *plan.Type, item, next *plan.Item, tally plan.Tally) (bool, error) {
	same := func(at time.Time) (bool, error) {
		trial := *next
		fields, err := rederive(t, &trial, tally, at)
		return len(fields) == 0, err
	}
	for _, at := range []time.Time{p.now(), item.ReadAt} {
		if ok, err := same(at); ok || err != nil {
			return ok, err
		}
	}
	var last time.Time
	for event, err := range p.store.History(ctx, state.HistoryFilter{Address: &item.Address}) {
		if err != nil {
			return false, fmt.Errorf("read the history of %s: %w", item.Address, err)
		}
		if event.ItemID == item.ID {
			last = event.At
		}
	}
	return same(last)
}

// recordAgain records a polled item that was observed again, with its difference.
func (p *replay) recordAgain(ctx context.Context, t *plan.Type, next *plan.Item) error {
	now := p.now()
	fields, err := rederive(t, next, plan.Tally{}, now)
	if err != nil {
		return err
	}
	_, deadline, err := judge(p.eval, t, next, now)
	if err != nil {
		return err
	}
	pace, err := p.paceOf(next)
	if err != nil {
		return err
	}
	pace.floor = pace.Interval // no sooner than the account's floor, which is not known offline
	next.Due = clockDue(t, next, pace, deadline, now)
	batch := &state.Batch{
		Items: []state.ItemWrite{{Item: *next}},
		Events: []plan.Event{{
			At: now, ItemID: next.ID, Address: next.Address, Action: plan.Observe, Revision: p.revision, Changes: fields, RawID: next.RawID,
		}},
	}
	if err := p.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record %s: %w", next.Address, err)
	}
	p.recorder.tell(next, fields)
	return nil
}
