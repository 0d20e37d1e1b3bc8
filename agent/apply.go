package agent

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// carryOut does what was approved. Where no block refers to another the
// evaluation that was shown serves; otherwise each wave is evaluated again once
// those before it were read.
func (p *pass) carryOut(ctx context.Context, store state.Store, diags hcl.Diagnostics) (*plan.Result, hcl.Diagnostics, error) {
	r := p.runner
	shown := p.result
	p.result = &plan.Result{Applied: true, Plan: plan.Plan{Accounts: shown.Plan.Accounts}, Pulls: shown.Pulls}
	started := r.Now()
	c := record.New(record.Options{
		Catalog: p.catalog, Store: store, Now: r.Now, Log: r.Log, StatePath: p.opts.StatePath,
		Revision: r.Revision, Accounts: p.accounts, Abandon: ctx.Done(),
		Lost: func(windows []plan.LossWindow) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.result.LossWindows = append(p.result.LossWindows, windows...)
		},
		Changed: func(item *plan.Item, fields []value.Field) {
			if item.TrackedAt.Before(started) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.result.Plan.Drift = append(p.result.Plan.Drift, plan.Change{Action: plan.Observe, Address: item.Address, Item: item, Fields: fields})
			}
		},
	})
	if err := c.TakeIn(ctx); err != nil {
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
func (p *pass) carryOutWave(ctx context.Context, c *record.Recorder, changes []plan.Change) error {
	c.Install(p.ev.hcl, nil, "")
	err := c.Declare(ctx, changes, func(done, total int64) { p.runner.progress("tracking", done, total) })
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
	if err := c.FoldAll(ctx); err != nil {
		return err
	}
	if err := c.DeriveByClock(ctx); err != nil {
		return err
	}
	return c.Rejudge(ctx, p.ev.declared())
}

// readAll reads every unsettled item that this pass has not read and whose last
// read is older than the floor, due or not.
func (p *pass) readAll(ctx context.Context, c *record.Recorder) error {
	reads, err := p.collectReads(ctx)
	if err != nil || len(reads) == 0 {
		return err
	}
	total := int64(len(reads))
	var done atomic.Int64
	group, groupCtx := errgroup.WithContext(ctx)
	limits := schedule.NewLimits(p.parallelism())
	for _, item := range reads {
		answered, ended, err := limits.Enter(groupCtx)
		if err != nil {
			break // the group's error, or that of ctx, is told below
		}
		group.Go(func() error {
			defer ended()
			a := p.accounts[item.Account]
			if p.refused(item.Account) {
				return nil // one refusal of the credentials is enough
			}
			vendorErr, err := c.Read(groupCtx, item, a, answered)
			if vendorErr != nil {
				p.warn(item.Account, &item.Address, vendorErr)
			}
			p.mu.Lock()
			p.answered[item.Account] = p.answered[item.Account] || vendorErr == nil
			p.result.Reads++
			p.mu.Unlock()
			p.runner.progress("reading", done.Add(1), total)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (p *pass) collectReads(ctx context.Context) ([]*plan.Item, error) {
	now := p.runner.Now()
	var reads []*plan.Item
	for item, err := range p.reader.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
		t, err := p.catalog.TypeOf(item.Address.Type())
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
			if err := p.toldAgain(ctx, item, now); err != nil {
				return nil, err
			}
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
func (p *pass) pullAll(ctx context.Context, c *record.Recorder) error {
	if !p.opts.Pull {
		return nil
	}
	var policies []*plan.Item
	for item, err := range p.reader.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return fmt.Errorf("read the state: %w", err)
		}
		if t, err := p.catalog.TypeOf(item.Address.Type()); err == nil && t.Kind == plan.Policy {
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

// pulling is what can be told of a pull before it begins.
func (p *pass) pulling(item *plan.Item, a *providers.Account) Pulling {
	under := Pulling{Address: item.Address, Account: item.Account, Longest: a.Timeout}
	if t, err := p.catalog.TypeOf(item.Address.Type()); err == nil && t.Pull != nil {
		if args, err := value.Decode(item.Args, t.ArgsType()); err == nil {
			under.Limit = t.Pull(args).Limit
		}
	}
	return under
}

// drain pulls one policy's queue.
func (p *pass) drain(ctx context.Context, c *record.Recorder, item *plan.Item, a *providers.Account) error {
	if p.opts.Pulling != nil {
		defer p.opts.Pulling(p.pulling(item, a))()
	}
	vendorErr, err := c.Drain(ctx, item, a, func(reports int) {
		for i := range p.result.Pulls {
			if p.result.Pulls[i].Address == item.Address {
				p.result.Pulls[i].Pulled += reports
			}
		}
		p.runner.progress("pulling", int64(reports), 0)
	})
	if err != nil {
		return err
	}
	if vendorErr != nil && !errors.Is(vendorErr, schedule.ErrNoCall) {
		p.warn(item.Account, &item.Address, vendorErr)
	}
	return ctx.Err()
}

// finishApply evaluates and records outputs and checks, and gathers what stands.
func (p *pass) finishApply(ctx context.Context, c *record.Recorder) (hcl.Diagnostics, error) {
	if err := c.Restored(ctx); err != nil {
		return nil, err
	}
	p.ev.hcl.Renew()
	clear(p.ev.seen.overlay) // what was found is recorded by now, or is not to be
	diags, err := p.assess(ctx)
	p.result.Plan.Drift = mergeDrift(p.result.Plan.Drift)
	if err != nil {
		return diags, err
	}
	var outputs []plan.Output
	for _, o := range p.result.Outputs {
		if after, ok := o.Output(); ok {
			outputs = append(outputs, after)
		}
	}
	return diags, errors.Join(err, c.Results(ctx, outputs, p.result.Checks, configurationNotes(p.config)))
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
