package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Plan is a dry run: it evaluates, reads what is tracked and due for a read, and
// says what would change. It changes nothing anywhere and makes no destructive
// read. reader is nil where there is no state yet.
func (r *Runner) Plan(ctx context.Context, config *hclspec.Root, reader state.Reader, opts PassOptions) (*plan.Result, hcl.Diagnostics, error) {
	p, diags, err := r.newPass(ctx, config, reader, opts)
	if p == nil || diags.HasErrors() || err != nil {
		return nil, diags, err
	}
	more, err := p.ev.all(ctx, func(wave *hclspec.Wave) error { return p.look(ctx, wave) })
	if diags = diags.Extend(more); err == nil && diags.HasErrors() {
		return nil, config.Mistakes(ctx, diags), nil
	}
	if err != nil {
		return nil, diags, err
	}
	more, err = p.conclude(ctx)
	return p.result, diags.Extend(more), err
}

// Apply is one pass for real. It evaluates and diffs, asks approve, then wave by
// wave declares, reads, pulls and derives, and records outputs and checks at the end.
func (r *Runner) Apply(ctx context.Context, config *hclspec.Root, store state.Store, opts PassOptions, approve func(*plan.Result) (bool, error)) (*plan.Result, hcl.Diagnostics, error) {
	type proposal struct {
		p     *pass
		diags hcl.Diagnostics
	}
	made, err := UnlessEnded(ctx, func() (proposal, error) {
		p, diags, err := r.propose(ctx, config, store, opts)
		return proposal{p, diags}, err
	})
	p, diags := made.p, made.diags
	if p == nil || err != nil || diags.HasErrors() {
		return nil, diags, err
	}
	ok, err := approve(p.result)
	if err != nil || !ok {
		return p.result, diags, err
	}
	return p.carryOut(ctx, store, diags)
}

// propose is what Apply asks about: it evaluates, diffs and assesses, and records
// nothing. The pass is nil where the configuration has mistakes.
func (r *Runner) propose(ctx context.Context, config *hclspec.Root, store state.Store, opts PassOptions) (*pass, hcl.Diagnostics, error) {
	p, diags, err := r.newPass(ctx, config, store, opts)
	if p == nil || diags.HasErrors() || err != nil {
		return nil, diags, err
	}
	more, err := p.ev.all(ctx, func(wave *hclspec.Wave) error {
		if p.waves++; p.waves > 1 {
			p.result.Dependents = append(p.result.Dependents, wave.Blocks...)
		}
		return nil
	})
	if diags = diags.Extend(more); err == nil && diags.HasErrors() {
		return nil, config.Mistakes(ctx, diags), nil
	}
	if err != nil {
		return nil, diags, err
	}
	if err := p.known(ctx, p.opts.Reread); err != nil {
		return nil, diags, err
	}
	missing, err := p.survey(ctx)
	if err != nil || missing.HasErrors() {
		return nil, diags.Extend(missing), err
	}
	more, err = p.conclude(ctx)
	return p, diags.Extend(more), err
}

// pass is one walk through the steps.
type pass struct {
	runner   *Runner
	config   *hclspec.Root
	opts     PassOptions
	catalog  providers.Catalog
	declared []plan.Account // the provider blocks
	accounts map[string]*providers.Account
	reader   state.Reader
	ev       *evaluation
	result   *plan.Result

	waves int // that the evaluation had

	mu       sync.Mutex
	read     map[plan.Identity]bool // that this pass has read
	refusals map[string]bool        // accounts whose credentials were refused
	warnings map[string]*plan.Warning
	retold   []plan.Warning  // failures of earlier passes, see toldAgain
	answered map[string]bool // accounts of which this pass has heard a good answer
}

func (r *Runner) newPass(ctx context.Context, config *hclspec.Root, reader state.Reader, opts PassOptions) (*pass, hcl.Diagnostics, error) {
	declared, diags := config.DeclaredAccounts()
	if diags.HasErrors() {
		return nil, config.Mistakes(ctx, diags), nil
	}
	c := providers.NewCatalog(r.Vendors)
	accounts, err := r.connect(c, declared)
	if err != nil {
		return nil, diags, err
	}
	return &pass{
		runner: r, config: config, opts: opts, catalog: c, declared: declared, accounts: accounts, reader: reader,
		ev: newEvaluation(config, c, reader), result: &plan.Result{},
		read: make(map[plan.Identity]bool), refusals: make(map[string]bool), warnings: make(map[string]*plan.Warning), answered: make(map[string]bool),
	}, diags, nil
}

// look reads what a wave declares and the state tracks, without recording: the
// drift of a plan.
func (p *pass) look(ctx context.Context, wave *hclspec.Wave) error {
	if p.reader == nil {
		return nil
	}
	types := make(map[string][]plan.Desired) // stretches of the wave, which is in the order of addresses
	for rest := wave.Desired; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Address.Type() == rest[0].Address.Type() {
			n++
		}
		types[rest[0].Address.Type()], rest = rest[:n], rest[n:]
	}
	now := p.runner.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.parallelism())
	var done int64
	for typ, desired := range types {
		t, err := p.catalog.TypeOf(typ)
		if err != nil {
			return err
		}
		if t.Kind == plan.Policy || (t.Kind == plan.Polled && !p.opts.Refresh && !t.ClockDriven) {
			continue // the first never drifts; of the second, conclude finds what gave up
		}
		wanted := make(map[plan.Identity]*plan.Desired, len(desired))
		for i := range desired {
			wanted[desired[i].FullIdentity()] = &desired[i]
		}
		for item, err := range p.reader.Items(ctx, state.ItemFilter{Type: typ, Unsettled: true}) {
			if err != nil {
				return fmt.Errorf("read the state: %w", err)
			}
			d, ok := wanted[item.FullIdentity()]
			if !ok {
				continue
			}
			declared := *item
			declared.Declare(d)
			// One that was never read may be under way in an agent at this moment.
			if p.opts.Refresh && t.Kind == plan.Polled && !item.ReadAt.IsZero() && p.readable(&declared, now) {
				group.Go(func() error {
					err := p.lookAt(ctx, t, item, declared)
					p.mu.Lock()
					done++
					p.runner.progress("reading", done, 0)
					p.mu.Unlock()
					return err
				})
				continue
			}
			if p.opts.Refresh && t.Kind == plan.Polled {
				if err := p.toldAgain(ctx, &declared, now); err != nil {
					return err
				}
			}
			if err := p.tick(t, item, declared, now); err != nil {
				return err
			}
		}
	}
	return group.Wait()
}

// lookAt reads one item and keeps the difference.
func (p *pass) lookAt(ctx context.Context, t *plan.Type, item *plan.Item, declared plan.Item) error {
	r := record.Poll(ctx, t, p.accounts[item.Account], &declared, p.runner.Now)
	if r.Err != nil {
		p.warn(item.Account, &item.Address, r.Err)
	}
	next, fields, err := record.After(t, &declared, r, record.Pace{Settings: plan.Settings{MaxInterval: plan.DefaultMaxInterval}})
	if err != nil {
		return err
	}
	if r.Err == nil {
		p.mu.Lock()
		p.answered[item.Account] = true
		p.result.Reads++
		p.mu.Unlock()
	}
	p.drift(item, next, fields)
	return nil
}

// tickAll derives the items anew that gave up since they were recorded.
func (p *pass) tickAll(ctx context.Context, ids []int64, now time.Time) error {
	if p.reader == nil || len(ids) == 0 {
		return nil
	}
	items, err := p.reader.ItemsByID(ctx, ids)
	if err != nil {
		return fmt.Errorf("read the state: %w", err)
	}
	for _, item := range items {
		t, err := p.catalog.TypeOf(item.Address.Type())
		if err != nil {
			return err
		}
		if err := p.tick(t, item, *item, now); err != nil {
			return err
		}
	}
	return nil
}

// tick derives one item anew from the clock alone, where that may matter.
func (p *pass) tick(t *plan.Type, item *plan.Item, declared plan.Item, now time.Time) error {
	gaveUp := declared.GaveUp(now)
	if !t.ClockDriven && !gaveUp && t.Kind == plan.Polled {
		return nil
	}
	next := declared
	var tally state.Tally
	if t.Kind == plan.Counted {
		if !gaveUp {
			return nil // records are derived as they come
		}
		var err error
		if tally, err = p.reader.Tally(context.Background(), item); err != nil {
			return fmt.Errorf("count the records of %s: %w", item.Address, err)
		}
	}
	fields, err := record.Rederive(t, &next, tally.Tally, now)
	if err != nil {
		return err
	}
	p.drift(item, next, fields)
	return nil
}

// drift keeps an item as this pass found it, and its difference.
func (p *pass) drift(item *plan.Item, next plan.Item, fields []value.Field) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ev.seen.overlay[item.FullIdentity()] = &next
	if len(fields) > 0 {
		p.result.Plan.Drift = append(p.result.Plan.Drift, plan.Change{
			Action: plan.Observe, Address: next.Address, Item: item, Fields: fields,
		})
	}
}

// readable reports whether an item may be read now: not settled, not suspended,
// and its last read, if there was one, longer ago than the floor.
func (p *pass) readable(item *plan.Item, now time.Time) bool {
	a, ok := p.accounts[item.Account]
	if !ok || a.Poller == nil || a.Suspend || item.Settled {
		return false
	}
	if item.Settings.Suspend {
		return false
	}
	return !now.Before(record.FloorEnds(item, a.MinInterval, now))
}

// toldAgain warns of the failure of an item's last read, where the floor keeps it
// from being read again now.
func (p *pass) toldAgain(ctx context.Context, item *plan.Item, now time.Time) error {
	a, ok := p.accounts[item.Account]
	if !ok || a.Poller == nil || a.Suspend || item.Settled || item.Settings.Suspend || item.LastError == "" {
		return nil
	}
	failure, err := record.LastFailure(ctx, p.reader, item, record.FloorEnds(item, a.MinInterval, now))
	if failure != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.retold = append(p.retold, plan.Warning{Account: item.Account, Address: &item.Address, Err: failure})
	}
	return err
}

// known refuses addresses that name nothing tracked: a mistyped one would be
// passed over in silence.
func (p *pass) known(ctx context.Context, addresses []plan.Address) error {
	for _, address := range addresses {
		found := false
		for item, err := range p.reader.Items(ctx, state.ItemFilter{Type: address.Type(), Name: address.Name(), Declared: true}) {
			if err != nil {
				return fmt.Errorf("read the state: %w", err)
			}
			if found = address.Covers(item.Address); found {
				break
			}
		}
		if !found {
			return fmt.Errorf("%s is not tracked: 'waybill state list' shows what is", address)
		}
	}
	return nil
}

// survey counts what an apply would read and pull, and tells which credentials it
// misses for that.
func (p *pass) survey(ctx context.Context) (hcl.Diagnostics, error) {
	if !p.opts.Refresh {
		return nil, nil
	}
	now := p.runner.Now()
	needed := make(map[string]bool) // accounts
	waiting := make(map[plan.Identity]bool)
	for item, err := range p.reader.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
		if item.Settled || !p.readable(item, now) {
			waiting[item.FullIdentity()] = true
		}
	}
	for i := range p.ev.desired {
		d := &p.ev.desired[i]
		t, err := p.catalog.TypeOf(d.Address.Type())
		if err != nil {
			return nil, err
		}
		if a, ok := p.accounts[d.Account]; d.Settings.Suspend || !ok || a.Suspend {
			continue
		}
		switch t.Kind {
		case plan.Polled:
			if !waiting[d.FullIdentity()] {
				p.result.Reads++
				needed[d.Account] = true
			}
		case plan.Policy:
			if p.opts.Pull {
				p.result.Pulls = append(p.result.Pulls, plan.Pull{Address: d.Address, Account: d.Account, Project: d.Identity})
				needed[d.Account] = true
			}
		}
	}
	var missing hcl.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		missing = missing.Extend(p.accounts[name].Missing)
	}
	return missing, nil
}

// warn keeps a read or pull that went wrong; those of one account that went wrong
// for the same cause are one warning, with the first as its example.
func (p *pass) warn(account string, address *plan.Address, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kind := providers.KindOf(err)
	if kind == providers.Credentials || kind == providers.Permission {
		p.result.CredentialsFailed = true
		p.refusals[account] = true
	}
	key := account + "\x00" + providers.Cause(err)
	if w, ok := p.warnings[key]; ok {
		w.Count++
		return
	}
	p.warnings[key] = &plan.Warning{Account: account, Address: address, Err: err, Count: 1}
}

func (p *pass) parallelism() int {
	if p.runner.Parallelism > 0 {
		return p.runner.Parallelism
	}
	n := 0
	for _, a := range p.accounts {
		n += max(a.Concurrency, 1)
	}
	return max(n, 1)
}
