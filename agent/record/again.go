package record

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// Supersede records what a replay told otherwise: records, and the ids of those in
// whose place they stand.
func (c *Recorder) Supersede(ctx context.Context, superseded []int64, records []plan.Record) error {
	if err := c.store.Commit(ctx, &state.Batch{Superseded: superseded, Records: records}); err != nil {
		return fmt.Errorf("record what differs: %w", err)
	}
	return nil
}

// Reobserved records a polled item whose evidence was observed again, with its
// difference.
func (c *Recorder) Reobserved(ctx context.Context, t *plan.Type, next *plan.Item) error {
	under, now := c.terms.Load(), c.now()
	fields, err := Rederive(t, next, plan.Tally{}, now)
	if err != nil {
		return err
	}
	_, deadline, err := Judge(under.expect, t, next, now)
	if err != nil {
		return err
	}
	p := under.paceOf(next)
	p.floor = max(p.floor, p.Interval) // no sooner than the account's floor, which may not be known offline
	next.Due = clockDue(t, next, p, deadline, now)
	batch := &state.Batch{
		Items: []state.ItemWrite{{Item: *next}},
		Events: []plan.Event{{
			At: now, ItemID: next.ID, Address: next.Address, Action: plan.Observe, Revision: under.revision, Changes: fields, RawID: next.RawID,
		}},
	}
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record %s: %w", next.Address, err)
	}
	c.tell(next, fields)
	return nil
}
