package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// conclude diffs, then assesses.
func (p *pass) conclude(ctx context.Context) (hcl.Diagnostics, error) {
	p.result.Deferred = p.ev.deferred()
	var gaveUp []int64
	now := p.runner.Now()
	awaited := 0
	changes, err := p.ev.diff(ctx, func(item *plan.Item) {
		if p.ev.guarded(item) {
			awaited++
		}
		if t := p.catalog.Types[item.Address.Type()]; item.Settled || t == nil || t.Kind != plan.Polled || t.ClockDriven || p.opts.Refresh {
			return
		}
		if item.GaveUp(now) {
			gaveUp = append(gaveUp, item.ID)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("compare with the state: %w", err)
	}
	p.result.Plan.Changes = changes
	if p.result.Plan.Accounts, err = changedAccounts(ctx, p.reader, p.declared); err != nil {
		return nil, err
	}
	if err := p.tickAll(ctx, gaveUp, now); err != nil {
		return nil, err
	}
	diags := p.ev.forgets(changes)
	warning, err := p.refusal(ctx, changes, awaited)
	if err != nil {
		return diags, err
	}
	diags = diags.Extend(warning)
	more, err := p.assess(ctx)
	return diags.Extend(more), err
}

// refusal warns of what an agent would refuse: whoever merges a change reads its
// plan, and not the agent's log.
func (p *pass) refusal(ctx context.Context, changes []plan.Change, awaited int) (hcl.Diagnostics, error) {
	settings, diags := p.config.Settings()
	if diags.HasErrors() {
		return nil, nil // told before
	}
	limits, err := newGuard(ctx, p.reader, settings)
	if err != nil {
		return nil, err
	}
	if err := limits.judge(p.ev.forgetting(changes, awaited)); err != nil {
		return hcl.Diagnostics{{
			Severity: hcl.DiagWarning,
			Summary:  "The agent would refuse this",
			Detail:   fmt.Sprintf("With this configuration the agent would refuse this plan, and go on with the last good one: %s.", err),
		}}, nil
	}
	return nil, nil
}

// assess evaluates outputs and checks and judges expectations, as things stand now.
func (p *pass) assess(ctx context.Context) (hcl.Diagnostics, error) {
	outputs, diags := p.ev.hcl.Outputs(ctx)
	var err error
	var before []state.StoredOutput
	if p.reader != nil {
		if before, err = p.reader.Outputs(ctx); err != nil {
			return diags, fmt.Errorf("read the outputs: %w", err)
		}
	}
	if p.result.Outputs, err = outputChanges(before, outputs); err != nil {
		return diags, err
	}
	checks, more := p.ev.hcl.Checks(ctx)
	diags = diags.Extend(more)
	p.result.Checks = checks
	if err := p.expectations(ctx); err != nil {
		return diags, err
	}
	for _, w := range p.retold {
		if kind := providers.KindOf(w.Err); kind == providers.Credentials && p.answered[w.Account] {
			continue // they are accepted by now
		}
		p.warn(w.Account, w.Address, w.Err)
	}
	p.retold = nil
	slices.SortFunc(p.result.Plan.Drift, func(a, b plan.Change) int { return compareAddresses(a.Address, b.Address) })
	for _, w := range p.warnings {
		p.result.Warnings = append(p.result.Warnings, *w)
	}
	slices.SortFunc(p.result.Warnings, func(a, b plan.Warning) int { return cmp.Compare(a.Account+a.Err.Error(), b.Account+b.Err.Error()) })
	return diags, nil
}

// expectations judges every tracked item that has some, as this pass found it.
func (p *pass) expectations(ctx context.Context) error {
	p.result.Expectations = nil
	if p.reader == nil {
		return nil
	}
	now := p.runner.Now()
	for block, desired := range p.ev.seen.desired {
		if len(desired) == 0 || !p.ev.hcl.HasExpect(block) {
			continue
		}
		t, err := p.catalog.TypeOf(desired[0].Address.Type())
		if err != nil {
			return err
		}
		declared := make(map[plan.Identity]*plan.Desired, len(desired))
		for i := range desired {
			declared[desired[i].FullIdentity()] = &desired[i]
		}
		for item, err := range p.reader.Items(ctx, state.ItemFilter{Type: t.Name}) {
			if err != nil {
				return fmt.Errorf("read the state: %w", err)
			}
			key := item.FullIdentity()
			d, ok := declared[key]
			if !ok {
				continue
			}
			if over, ok := p.ev.seen.overlay[key]; ok {
				item = over
			}
			found := *item
			found.Declare(d)
			if _, _, err := record.Judge(p.ev.hcl, t, &found, now); err != nil {
				return err
			}
			for _, e := range found.Expectations {
				p.result.Expectations = append(p.result.Expectations, plan.ItemExpectation{Address: found.Address, Expectation: e})
			}
		}
	}
	slices.SortFunc(p.result.Expectations, func(a, b plan.ItemExpectation) int {
		if failed := a.State == plan.ExpectFailed; failed != (b.State == plan.ExpectFailed) {
			if failed {
				return -1
			}
			return 1
		}
		return cmp.Or(compareAddresses(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

func compareAddresses(a, b plan.Address) int {
	switch {
	case a.Less(b):
		return -1
	case b.Less(a):
		return 1
	}
	return 0
}
