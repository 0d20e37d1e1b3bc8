package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
)

// reloadState is how the last reload ended.
type reloadState struct {
	at      time.Time
	err     error  // nil: it was taken
	restart string // what was changed and needs a restart, in words
	// dependents is why what others refer to could not be evaluated again.
	dependents error
	// lastGood says that the kept copy runs, because the directory's own
	// configuration could not be taken at the start.
	lastGood bool
}

// errNotTaken is a configuration that was refused; the one before stays.
var errNotTaken = errors.New("the configuration was not taken")

// takeFirst takes the configuration at the start; when it cannot be taken, the
// last good one that was kept beside the state.
func (a *Agent) takeFirst(ctx context.Context) error {
	a.watched = newWatch(a.opts.Dir, a.log, a.opts.CompareOnly)
	a.watched.mark()
	config, diags := a.opts.Load("", nil)
	err := a.take(ctx, config, diags, a.opts.MaxUntrack)
	if err == nil {
		a.taken(config)
		return a.keep(config)
	}
	if !errors.Is(err, errNotTaken) {
		return err
	}
	kept := lastGood{dir: a.opts.StatePath + LastGoodSuffix}
	dir, outside, found, keptErr := kept.open()
	if keptErr != nil {
		return errors.Join(err, keptErr)
	}
	if !found {
		return err
	}
	a.refused(config, err)
	a.log.Error("the configuration was not taken; the last good one runs", "error", err)
	config, diags = a.opts.Load(dir, outside)
	if lastErr := a.take(ctx, config, diags, nil); lastErr != nil {
		return errors.Join(err, fmt.Errorf("last good configuration: %w", lastErr))
	}
	a.mu.Lock()
	a.reload.lastGood = true
	a.mu.Unlock()
	return nil
}

// reloaded loads the directory again and takes it, or leaves the last good
// configuration running and says why.
func (a *Agent) reloaded(ctx context.Context, why string) error {
	failpoint.Hit(failpoint.ReloadBegin)
	a.watched.mark()
	config, diags := a.opts.Load("", nil)
	if err := a.take(ctx, config, diags, nil); err != nil {
		a.refused(config, err)
		a.log.Error("the reload was refused; the last good configuration stays", "why", why, "error", err)
		return err
	}
	a.taken(config)
	restart := a.needsRestart(config)
	a.mu.Lock()
	a.reload.restart = restart
	a.mu.Unlock()
	a.log.Info("reloaded", "why", why, "revision", a.rec.revision)
	if restart != "" {
		a.log.Warn("a change needs a restart", "what", restart)
	}
	if err := a.keep(config); err != nil {
		a.log.Error("the last good configuration could not be kept", "error", err)
	}
	return nil
}

func (a *Agent) taken(config *hclspec.Config) {
	now := a.runner.Now()
	a.mu.Lock()
	a.reload = reloadState{at: now}
	a.mu.Unlock()
	a.metrics.reloadOK.Set(1)
	a.metrics.reloadTime.Set(float64(now.Unix()))
	a.watched.add(config.Files())
}

func (a *Agent) refused(config *hclspec.Config, err error) {
	a.mu.Lock()
	a.reload.at, a.reload.err = a.runner.Now(), err
	a.mu.Unlock()
	a.metrics.reloadOK.Set(0)
	if config != nil {
		a.watched.add(config.Files())
	}
}

// evaluated remembers how the evaluation of dependents ended: one that was
// refused leaves the declaration as it was, and is told where a refused reload is.
func (a *Agent) evaluated(err error) {
	a.mu.Lock()
	before := a.reload.dependents
	a.reload.dependents = err
	sound := err == nil && a.reload.err == nil
	a.mu.Unlock()
	if sound {
		a.metrics.reloadOK.Set(1)
	} else {
		a.metrics.reloadOK.Set(0)
	}
	if err != nil && (before == nil || before.Error() != err.Error()) {
		a.log.Error("what depends on observed values could not be evaluated again; the declaration stays as it was", "error", err)
	}
}

// keep copies the configuration beside the state, for a start at which the
// directory's own cannot be taken.
func (a *Agent) keep(config *hclspec.Config) error {
	kept := lastGood{dir: a.opts.StatePath + LastGoodSuffix}
	return kept.keep(a.opts.Dir, config.Files())
}

// needsRestart names what was changed and only holds after a restart.
func (a *Agent) needsRestart(config *hclspec.Config) string {
	settings, diags := config.Settings()
	if diags.HasErrors() {
		return ""
	}
	var names []string
	if settings.BackendPath != a.opts.Settings.BackendPath {
		names = append(names, "waybill.backend")
	}
	if settings.Admin != a.opts.Settings.Admin {
		names = append(names, "agent.admin")
	}
	if settings.Receiver != a.opts.Settings.Receiver {
		names = append(names, "agent.receiver")
	}
	return strings.Join(names, ", ")
}

// take evaluates a configuration, and if it is sound and forgets no more than it
// may, makes it the one that runs. Its error is errNotTaken when the
// configuration is at fault.
func (a *Agent) take(ctx context.Context, config *hclspec.Config, diags hcl.Diagnostics, limit *hclspec.Untrack) error {
	if diags.HasErrors() {
		return a.notTaken(config, config.Mistakes(ctx, diags))
	}
	declared, diags := config.Accounts()
	var settings hclspec.Settings
	if !diags.HasErrors() {
		var more hcl.Diagnostics
		settings, more = config.Settings()
		diags = diags.Extend(more)
	}
	if diags.HasErrors() {
		return a.notTaken(config, config.Mistakes(ctx, diags))
	}
	if limit == nil {
		limit = &settings.MaxUntrack
	}
	accounts, err := a.runner.connect(a.rec.catalog, declared)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotTaken, err)
	}
	ev, changes, err := a.consider(ctx, config, *limit)
	if err != nil {
		return err
	}
	if a.opts.Evaluated != nil {
		a.opts.Evaluated(ev.desired)
	}
	a.rec.install(ev.hcl, accounts, a.opts.Revision(config))
	a.mu.Lock()
	a.config = config
	a.referred = make(map[string]bool)
	for block, dependents := range config.Dependents() {
		a.referred[block] = len(dependents) > 0
	}
	a.mu.Unlock()
	a.connectQueues(ctx, accounts)
	return a.record(ctx, ev, changes)
}

// evaluateAgain evaluates the running configuration against what was recorded
// since: dependents, outputs and checks.
func (a *Agent) evaluateAgain(ctx context.Context) error {
	a.mu.Lock()
	config := a.config
	a.mu.Unlock()
	settings, diags := config.Settings()
	if diags.HasErrors() {
		return diags
	}
	ev, changes, err := a.consider(ctx, config, settings.MaxUntrack)
	if err != nil {
		return err
	}
	if a.opts.Evaluated != nil {
		a.opts.Evaluated(ev.desired)
	}
	a.rec.install(ev.hcl, nil, "")
	return a.record(ctx, ev, changes)
}

// consider evaluates and diffs a configuration without recording, and refuses
// what would forget too much.
func (a *Agent) consider(ctx context.Context, config *hclspec.Config, limit hclspec.Untrack) (*evaluation, []plan.Change, error) {
	ev := newEvaluation(config, a.rec.catalog, a.store)
	if diags, _ := ev.all(ctx, nil); diags.HasErrors() {
		return nil, nil, a.notTaken(config, diags)
	}
	changes, err := ev.diff(ctx, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("compare with the state: %w", err)
	}
	if diags := ev.forgets(changes); diags.HasErrors() {
		return nil, nil, a.notTaken(config, diags)
	}
	counts, err := a.store.Counts(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("count the state: %w", err)
	}
	var tracked, forgets int
	for _, n := range counts.Items {
		tracked += int(n)
	}
	for i := range changes {
		if changes[i].Action == plan.Forget && !ev.removed(changes[i].Address) {
			forgets++
		}
	}
	if !limit.Allows(forgets, tracked) {
		return nil, nil, fmt.Errorf("%w: it would forget %d of %d items, more than max_untrack (%s) allows: declare them again, name them in a removed block, "+
			"or start once with -max-untrack=%d if it is meant", errNotTaken, forgets, tracked, limit, forgets)
	}
	return ev, changes, nil
}

// record declares the changes and records outputs, checks and the expectations
// that are new.
func (a *Agent) record(ctx context.Context, ev *evaluation, changes []plan.Change) error {
	if err := a.rec.declare(ctx, changes, nil); err != nil {
		return err
	}
	outputs, diags := ev.hcl.Outputs(ctx)
	checks, more := ev.hcl.Checks(ctx)
	for _, d := range diags.Extend(more) {
		a.log.Warn("an output or a check cannot be evaluated", "summary", d.Summary, "detail", d.Detail)
	}
	a.logChecks(checks)
	if err := a.rec.recordResults(ctx, outputs, checks); err != nil {
		return err
	}
	a.rec.recorded()
	if err := a.rec.judgeAnew(ctx, ev); err != nil {
		return err
	}
	ev.rest()
	return nil
}

// logChecks logs a check once for each time that it begins to fail, and that it
// ceases to.
func (a *Agent) logChecks(checks []plan.Check) {
	failing := make(map[string]bool)
	for i := range checks {
		c := &checks[i]
		failing[c.Name] = c.State == plan.CheckFail || c.State == plan.CheckError
		switch {
		case failing[c.Name] && !a.failing[c.Name]:
			a.log.Warn("a check fails", "check", c.Name, "messages", strings.Join(c.Messages, "; "))
		case !failing[c.Name] && a.failing[c.Name]:
			a.log.Info("a check no longer fails", "check", c.Name)
		}
	}
	a.failing = failing
}

// notTaken reports a configuration's mistakes and makes an error of them.
func (a *Agent) notTaken(config *hclspec.Config, diags hcl.Diagnostics) error {
	if a.opts.Report != nil {
		a.opts.Report(config, diags)
	}
	return fmt.Errorf("%w: %w", errNotTaken, diags)
}

// connectQueues gives each account a queue with its connection, and the queue
// "" to what only the clock and records change.
func (a *Agent) connectQueues(ctx context.Context, accounts map[string]*account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ensure := func(name string, account *account) {
		if q, ok := a.queues[name]; ok {
			q.swap(account)
			return
		}
		q := newQueue(name, a.rec, account)
		a.queues[name] = q
		work, stop := context.WithCancel(ctx)
		a.stops[name] = stop
		a.running.Go(func() { q.run(work) })
	}
	ensure("", nil)
	for name, account := range accounts {
		ensure(name, account)
	}
	for name := range a.queues {
		if _, ok := accounts[name]; !ok && name != "" {
			a.stops[name]()
			delete(a.queues, name)
			delete(a.stops, name)
		}
	}
}

// install makes an evaluation, and with accounts their connections and a
// revision, the ones that are recorded under.
func (c *recorder) install(ev *hclspec.Evaluation, accounts map[string]*account, revision string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.eval = ev
	if accounts != nil {
		c.accounts, c.revision = accounts, revision
	}
}
