package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// carryOut does what was approved. Where no block refers to another the
// evaluation that was shown serves; otherwise each wave is evaluated again once
// those before it were read.
func (p *pass) carryOut(ctx context.Context, store state.Store, diags hcl.Diagnostics) (*Result, hcl.Diagnostics, error) {
	r := p.runner
	shown := p.result
	p.result = &Result{Applied: true, Pulls: shown.Pulls}
	started := r.Now()
	c := &recorder{
		catalog: p.catalog, store: store, now: r.Now, log: r.Log, revision: r.Revision,
		accounts: p.accounts, spill: spill{dir: spillDir(p.opts.StatePath)}, abandon: ctx.Done(),
	}
	c.backlog.Store(true)
	c.lost = func(windows []plan.LossWindow) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.result.LossWindows = append(p.result.LossWindows, windows...)
	}
	c.changed = func(item *plan.Item, fields []value.Field) {
		if item.TrackedAt.Before(started) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.result.Plan.Drift = append(p.result.Plan.Drift, plan.Change{Action: plan.Observe, Address: item.Address, Item: item, Fields: fields})
		}
	}
	if err := c.takeIn(ctx); err != nil {
		return p.result, diags, err
	}
	if p.waves == 1 {
		// Nobody else writes, so what was shown is what is to be declared.
		if err := p.carryOutWave(ctx, c, shown.Plan.Changes); err != nil {
			return p.result, diags, err
		}
	} else {
		p.ev = newEvaluation(p.config, p.catalog, store)
		carryOut := func(*hclspec.Wave) error {
			changes, err := p.ev.diff(ctx, nil)
			if err != nil {
				return fmt.Errorf("compare with the state: %w", err)
			}
			if refused := p.ev.forgets(changes); refused.HasErrors() {
				return refused
			}
			return p.carryOutWave(ctx, c, changes)
		}
		more, err := p.ev.all(ctx, carryOut)
		diags = diags.Extend(more)
		if err == nil && !diags.HasErrors() {
			err = carryOut(nil) // what no block declares is forgotten after the last
		}
		if refused, ok := errors.AsType[hcl.Diagnostics](err); ok {
			diags, err = diags.Extend(refused), nil
		}
		if err != nil || diags.HasErrors() {
			return p.result, diags, err
		}
	}
	more, err := p.finishApply(ctx, c)
	return p.result, diags.Extend(more), err
}

// carryOutWave declares what was evaluated so far, then reads, pulls and derives.
func (p *pass) carryOutWave(ctx context.Context, c *recorder, changes []plan.Change) error {
	c.eval = p.ev.hcl
	err := c.declare(ctx, changes, func(done, total int64) { p.runner.progress("tracking", done, total) })
	if err != nil {
		return err
	}
	p.result.Plan.Changes = append(p.result.Plan.Changes, changes...)
	if p.opts.Refresh {
		if err := p.readAll(ctx, c); err != nil {
			return err
		}
		if err := p.pullAll(ctx, c); err != nil {
			return err
		}
	}
	if err := c.foldAll(ctx); err != nil {
		return err
	}
	return c.catchUp(ctx, p.ev)
}

// readAll reads every unsettled item that this pass has not read and whose last
// read is older than the floor, due or not.
func (p *pass) readAll(ctx context.Context, c *recorder) error {
	reads, err := p.collectReads(ctx, c)
	if err != nil || len(reads) == 0 {
		return err
	}
	total := int64(len(reads))
	var done atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(p.parallelism() + recording)
	calls := make(chan struct{}, p.parallelism())
	for _, item := range reads {
		group.Go(func() error {
			select {
			case calls <- struct{}{}:
			case <-groupCtx.Done():
				return groupCtx.Err()
			}
			over := sync.OnceFunc(func() { <-calls })
			defer over()
			a := p.accounts[item.Account]
			if p.refused(item.Account) {
				return nil // one refusal of the credentials is enough
			}
			vendorErr, err := c.read(groupCtx, item, c.snapshot(), a, over)
			if vendorErr != nil {
				p.warn(item.Account, &item.Address, vendorErr)
			}
			p.mu.Lock()
			p.result.Reads++
			p.mu.Unlock()
			p.runner.progress("reading", done.Add(1), total)
			return err
		})
	}
	return group.Wait()
}

func (p *pass) collectReads(ctx context.Context, c *recorder) ([]*plan.Item, error) {
	now := p.runner.Now()
	var reads []*plan.Item
	for item, err := range c.store.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
		t, err := c.catalog.typeOf(item.Address.Type())
		if err != nil {
			return nil, err
		}
		key := item.FullIdentity()
		evaluated, declared := p.ev.blocks[item.Address.Block()]
		if t.Kind != plan.Polled || p.read[key] || (!p.ev.done && (!declared || !evaluated)) {
			continue
		}
		again := p.reread(item.Address)
		if item.Settled && !again {
			continue
		}
		unsettled := *item
		unsettled.Settled = false
		if !p.readable(&unsettled, now) {
			continue
		}
		p.read[key] = true
		reads = append(reads, item)
	}
	return reads, nil
}

func (p *pass) reread(address plan.Address) bool {
	for _, a := range p.opts.Reread {
		if a.Covers(address) {
			return true
		}
	}
	return false
}

// refused reports whether the account's credentials were refused in this pass.
func (p *pass) refused(account string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals[account]
}

// pullAll drains every policy's queue that this pass has not pulled.
func (p *pass) pullAll(ctx context.Context, c *recorder) error {
	if !p.opts.Pull {
		return nil
	}
	var policies []*plan.Item
	for item, err := range c.store.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		if t, err := c.catalog.typeOf(item.Address.Type()); err == nil && t.Kind == plan.Policy {
			policies = append(policies, item)
		}
	}
	for _, item := range policies {
		key := item.FullIdentity()
		a, ok := p.accounts[item.Account]
		if !ok || a.Puller == nil || a.Suspend || item.Settings.Suspend || p.read[key] {
			continue
		}
		p.read[key] = true
		if err := p.drain(ctx, c, item, a); err != nil {
			return err
		}
	}
	return nil
}

// drain pulls page after page while they come full.
func (p *pass) drain(ctx context.Context, c *recorder, item *plan.Item, a *account) error {
	for ctx.Err() == nil {
		page, err := c.pull(ctx, item, a)
		for i := range p.result.Pulls {
			if p.result.Pulls[i].Address == item.Address {
				p.result.Pulls[i].Pulled += page.reports
			}
		}
		if err != nil {
			return err
		}
		if page.err != nil {
			p.warn(item.Account, &item.Address, page.err)
			return nil
		}
		if !page.full || !drains(c.catalog, item) {
			return nil
		}
		p.runner.progress("pulling", int64(page.reports), 0)
	}
	return ctx.Err()
}

// drains reports whether a policy says to pull again at once while pages are full.
func drains(c catalog, item *plan.Item) bool {
	t, err := c.typeOf(item.Address.Type())
	if err != nil {
		return false
	}
	args, err := value.Decode(item.Args, t.ArgsType())
	return err == nil && args.Type().HasAttribute("drain") && !args.GetAttr("drain").IsNull() && args.GetAttr("drain").True()
}

// finishApply evaluates and records outputs and checks, and gathers what stands.
func (p *pass) finishApply(ctx context.Context, c *recorder) (hcl.Diagnostics, error) {
	p.ev.hcl.Renew()
	clear(p.ev.seen.overlay) // what was found is recorded by now, or is not to be
	diags, err := p.assess(ctx)
	p.result.Plan.Drift = mergeDrift(p.result.Plan.Drift)
	if err != nil {
		return diags, err
	}
	var outputs []plan.Output
	for _, o := range p.result.Outputs {
		if o.After != cty.NilVal {
			outputs = append(outputs, plan.Output{Name: o.Name, Sensitive: o.Sensitive, Value: o.After})
		}
	}
	return diags, errors.Join(err, c.recordResults(ctx, outputs, p.result.Checks))
}

// mergeDrift keeps one change an item, its fields from the first before to the
// last after.
func mergeDrift(drift []plan.Change) []plan.Change {
	at := make(map[int64]int, len(drift))
	var merged []plan.Change
	for _, d := range drift {
		i, ok := at[d.Item.ID]
		if !ok {
			at[d.Item.ID] = len(merged)
			merged = append(merged, d)
			continue
		}
		merged[i].Fields = append(merged[i].Fields, d.Fields...)
	}
	return merged
}

// recordResults records outputs and checks.
func (c *recorder) recordResults(ctx context.Context, outputs []plan.Output, checks []plan.Check) error {
	stored, err := storedOutputs(outputs)
	if err != nil {
		return err
	}
	if checks == nil {
		checks = []plan.Check{}
	}
	failpoint.Hit(failpoint.ResultsBegin)
	if err := c.store.Commit(ctx, &state.Batch{Outputs: &stored, Checks: &checks}); err != nil {
		return fmt.Errorf("record outputs and checks: %w", err)
	}
	failpoint.Hit(failpoint.ResultsEnd)
	return nil
}
