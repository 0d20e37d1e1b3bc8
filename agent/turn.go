package agent

import (
	"context"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// attend reads, pulls or derives one item whose turn it is.
func (a *Agent) attend(ctx context.Context, account *providers.Account, turn schedule.Turn, answered func()) schedule.Outcome {
	work := context.WithoutCancel(ctx)
	items, err := a.store.ItemsByID(work, []int64{turn.ID})
	if err != nil {
		return schedule.Outcome{Err: schedule.ErrNoCall, Fatal: err}
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() || !turn.Of(items[0].Due) {
		return schedule.Outcome{Err: schedule.ErrNoCall}
	}
	item := items[0]
	t, err := a.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return schedule.Outcome{Err: schedule.ErrNoCall, Fatal: err}
	}
	now := a.runner.Now()
	switch {
	case account == nil || item.Settings.Suspend:
	case t.Kind != plan.Counted && record.Due(item, account.MinInterval, now).After(now):
		a.scheduled(item) // not yet, as it turns out
		return schedule.Outcome{Err: schedule.ErrNoCall}
	case t.Kind == plan.Policy:
		vendorErr, fatal := a.rec.Drain(ctx, item, account, nil)
		return schedule.Outcome{Err: vendorErr, Pause: max(item.Settings.MaxInterval, item.Settings.Interval), Fatal: fatal}
	case t.Kind == plan.Polled && !now.Before(record.FloorEnds(item, account.MinInterval, now)):
		vendorErr, fatal := a.rec.Read(work, item, account, answered)
		return schedule.Outcome{Err: vendorErr, Pause: item.Settings.MaxInterval, Fatal: fatal}
	}
	return schedule.Outcome{Err: schedule.ErrNoCall, Fatal: a.rec.Fold(work, item.ID)}
}
