package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// again derives one tracked item again and records the difference. The clock
// alone makes none here: an item that would have been the same when it was last
// recorded is left to the next apply or agent.
func (p *replay) again(ctx context.Context, item *plan.Item) error {
	t, err := p.Catalog.TypeOf(item.Address.Type())
	if err != nil {
		p.result.Unreadable++
		p.Log.Warn("an item cannot be derived again; it stays as it is", "error", err)
		return nil
	}
	next := *item
	var tally state.Tally
	switch {
	case t.Kind == plan.Counted:
		if tally, err = p.Store.Tally(ctx, item); err != nil {
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
		return p.rec.Fold(ctx, item.ID)
	}
	return p.rec.Reobserved(ctx, t, &next)
}

// observeAgain reads the raw of an item's last difference once more.
func (p *replay) observeAgain(ctx context.Context, t *plan.Type, next *plan.Item) (ok bool, err error) {
	raw, err := p.Store.Raw(ctx, next.RawID)
	if errors.Is(err, state.ErrNotFound) {
		return true, nil // pruned: what was seen is all that is left
	}
	if err != nil {
		return false, fmt.Errorf("read raw %d: %w", next.RawID, err)
	}
	vendor := p.Catalog.Vendors[t.Name]
	args, err := value.Decode(next.Args, t.ArgsType())
	if err != nil {
		return false, fmt.Errorf("recorded arguments of %s: %w", next.Address, err)
	}
	p.result.Answers++
	target := providers.Target{Type: t.Name, Identity: next.Identity, Args: args, Config: p.configs[next.Account]}
	observation, err := vendor.Observe(target, providers.Answer{At: raw.At, Status: raw.Status, Body: raw.Body, Complete: raw.Complete, Reached: true})
	if err != nil {
		p.result.Unreadable++
		p.Log.Warn("an answer cannot be observed any more; its item stays as it is", "address", next.Address.String(), "raw", raw.ID, "error", err)
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
		fields, err := record.Rederive(t, &trial, tally, at)
		return len(fields) == 0, err
	}
	for _, at := range []time.Time{p.Now(), item.ReadAt} {
		if ok, err := same(at); ok || err != nil {
			return ok, err
		}
	}
	var last time.Time
	for event, err := range p.Store.History(ctx, state.HistoryFilter{Address: &item.Address}) {
		if err != nil {
			return false, fmt.Errorf("read the history of %s: %w", item.Address, err)
		}
		if event.ItemID == item.ID {
			last = event.At
		}
	}
	return same(last)
}
