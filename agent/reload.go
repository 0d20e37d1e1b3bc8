package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// reloadState is how the last reload ended.
type reloadState struct {
	at  time.Time
	err error // nil: it was taken
	// unrecorded says that err is the state's: nothing is wrong with the
	// configuration, which is tried again by itself.
	unrecorded bool
	unkept     error       // why the copy for a later start could not be written
	restart    string      // what was changed and needs a restart, in words
	counts     plan.Counts // of what it changed
	// dependents is why what others refer to could not be evaluated again.
	dependents error
}

// errNotTaken is a configuration that was refused; the one before stays.
var errNotTaken = errors.New("the configuration was not taken")

// takeFirst takes the configuration at the start; when it cannot be taken, the
// last good one that was kept beside the state.
func (a *Agent) takeFirst(ctx context.Context) error {
	snapshot, err := a.opts.Source.Fetch(ctx)
	if err != nil {
		return err
	}
	kept := source.KeptBeside(a.opts.StatePath)
	last, err := kept.Open(snapshot.Dir())
	if err != nil {
		a.log.Error("the last good configuration that is kept beside the state cannot be used", "error", err)
	}
	if err := a.diedLoading(kept, snapshot); err != nil && last != nil {
		return a.takeLast(ctx, last, err)
	}
	err = a.take(ctx, snapshot, a.opts.MaxForget)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNotTaken) && last != nil:
		return a.takeLast(ctx, last, err)
	}
	return err
}

// diedLoading is an error when an earlier start or reload died while it loaded
// what stands in the directory now.
func (a *Agent) diedLoading(kept source.Kept, snapshot *source.Snapshot) error {
	died, err := kept.Died(snapshot.Dir(), a.runner.Version)
	switch {
	case err != nil:
		a.log.Error("whether loading the configuration ended last time is not known", "error", err)
		return nil
	case !died:
		return nil
	}
	return fmt.Errorf("%w: the agent died while it loaded this configuration: change it, or ask for a reload to try again", errNotTaken)
}

// takeLast takes the last good configuration at a start, because of err.
func (a *Agent) takeLast(ctx context.Context, last *source.Snapshot, err error) error {
	a.refused(err)
	a.log.Error("the configuration was not taken; the last good one runs", "error", err)
	c, lastErr := a.loadOrEnd(ctx, last, nil)
	stands := errors.Is(lastErr, errNotTaken) && c != nil && c.ev != nil
	if stands {
		// It was taken once: no start fails on it. What is declared stays as it is.
		c.changes, lastErr = nil, nil
	}
	if lastErr == nil {
		lastErr = a.accept(ctx, c, last)
	}
	if lastErr != nil {
		return errors.Join(err, fmt.Errorf("last good configuration: %w", lastErr))
	}
	a.refused(err)
	if stands {
		a.evaluated(fmt.Errorf("%w: the last good one asks for something else than it did when it was kept", errNotTaken))
	}
	return nil
}

// reloaded loads the directory again and takes it, or leaves the last good
// configuration running and says why.
func (a *Agent) reloaded(ctx context.Context, why string) error {
	failpoint.Hit(failpoint.ReloadBegin)
	snapshot, err := a.opts.Source.Fetch(ctx)
	if err == nil {
		err = a.take(ctx, snapshot, nil)
	}
	if err == nil {
		err = a.rejudge(ctx)
	}
	if err != nil && ctx.Err() != nil {
		a.log.Info("the end came before the reload was recorded; the next start takes it", "why", why)
		return err
	}
	if err != nil {
		a.refused(err)
		if !errors.Is(err, errNotTaken) {
			a.log.Error("the reload could not be recorded, and is tried again; what ran before runs on", "why", why, "error", err)
			a.retry.after(err)
			return fmt.Errorf("the reload could not be recorded, and is tried again: %w", err)
		}
		a.log.Error("the reload was refused; the last good configuration stays", "why", why, "error", err)
		if a.refill { // of one before it a part may be recorded: what runs is declared whole again
			a.evaluateSoon()
		}
		return err
	}
	a.mu.Lock()
	counts := a.reload.counts
	a.mu.Unlock()
	a.log.Info("reloaded", "why", why, "revision", a.rec.Revision(), "tracked", counts.Track, "changed", counts.Change, "forgotten", counts.Forget)
	a.tellRefused()
	return nil
}

// taken remembers that a configuration was taken.
func (a *Agent) taken(restart string, counts plan.Counts) {
	now := a.runner.Now()
	a.mu.Lock()
	a.reload = reloadState{at: now, restart: restart, counts: counts}
	a.mu.Unlock()
	a.metrics.Taken(now)
	if restart != "" {
		a.log.Warn("a change needs a restart", "what", restart)
	}
}

// refused remembers that a configuration was not taken.
func (a *Agent) refused(err error) {
	a.mu.Lock()
	a.reload.at, a.reload.err, a.reload.unrecorded = a.runner.Now(), err, !errors.Is(err, errNotTaken)
	a.mu.Unlock()
	a.metrics.Reloaded(false)
}

// evaluated remembers how the evaluation of dependents ended: one that was
// refused leaves the declaration as it was, and is told where a refused reload is.
func (a *Agent) evaluated(err error) {
	a.mu.Lock()
	before := a.reload.dependents
	a.reload.dependents = err
	sound := err == nil && a.reload.err == nil
	a.mu.Unlock()
	a.metrics.Reloaded(sound)
	if err != nil && (before == nil || before.Error() != err.Error()) {
		a.log.Error("what depends on observed values could not be evaluated again; the declaration stays as it was", "error", err)
	}
}

// keep copies the configuration that runs beside the state, for a start at which
// the directory's own cannot be taken.
func (a *Agent) keep() {
	a.mu.Lock()
	snapshot := a.snapshot
	a.mu.Unlock()
	err := source.KeptBeside(a.opts.StatePath).Keep(snapshot)
	if err != nil {
		a.log.Error("the last good configuration could not be kept; that is tried again", "error", err)
	}
	a.mu.Lock()
	a.reload.unkept = err
	a.mu.Unlock()
	a.retry.after(err)
}

// needsRestart names what was changed and only holds after a restart.
func (a *Agent) needsRestart(settings hclspec.Settings) string {
	var names []string
	if filepath.Clean(settings.BackendPath) != filepath.Clean(a.opts.Settings.BackendPath) {
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

// candidate is a configuration that was evaluated and found sound, and what it
// would change.
type candidate struct {
	config   *hclspec.Root
	settings hclspec.Settings
	accounts map[string]*providers.Account
	ev       *evaluation
	changes  []plan.Change
}

// take loads a snapshot, and if its configuration is sound and forgets no more
// than it may, makes it the one that runs. once, when not nil, is what it may
// forget this time. The error is errNotTaken when the configuration is at fault.
func (a *Agent) take(ctx context.Context, snapshot *source.Snapshot, once *hclspec.ForgetLimit) error {
	c, err := a.loadOrEnd(ctx, snapshot, once)
	if err != nil {
		return err
	}
	return a.accept(ctx, c, snapshot)
}

// loadOrEnd is load, with a note beside the state for as long as it lasts. It
// ends with ctx. What was read is watched from then on, taken or not.
func (a *Agent) loadOrEnd(ctx context.Context, snapshot *source.Snapshot, once *hclspec.ForgetLimit) (*candidate, error) {
	defer a.opts.Source.Watch()
	defer a.noteLoading(snapshot)()
	return UnlessEnded(ctx, func() (*candidate, error) { return a.load(ctx, snapshot, once) })
}

// accept records what a configuration declares and makes it the one that runs.
func (a *Agent) accept(ctx context.Context, c *candidate, snapshot *source.Snapshot) error {
	if a.opts.Evaluated != nil {
		a.opts.Evaluated(c.ev.desired)
	}
	// Nothing of it is in force before it is recorded.
	fresh := a.makeQueues(c.accounts)
	if err := a.recall(ctx, fresh); err != nil {
		a.dropQueues(fresh)
		return err
	}
	if err := a.rec.Adopt(ctx, c.ev.hcl, c.accounts, snapshot.Revision(ctx).ID, c.changes); err != nil {
		a.dropQueues(fresh)
		a.refill = true // a part of it may be recorded
		return err
	}
	snapshot.Seal()
	a.mu.Lock()
	a.config, a.snapshot = c.config, snapshot
	a.referred = make(map[string]bool)
	for block, dependents := range c.config.Dependents() {
		a.referred[block] = len(dependents) > 0
	}
	a.mu.Unlock()
	a.waits(c.ev.desired, c.accounts)
	a.connectQueues(ctx, c.accounts, fresh)
	if a.refill && a.declared.Load() {
		if err := a.fill(ctx); err != nil {
			return err
		}
	}
	a.refill = false
	a.taken(a.needsRestart(c.settings), (&plan.Plan{Changes: c.changes}).Counts())
	a.keep()
	return a.recordResults(ctx, c.ev)
}

// noteLoading notes beside the state what is being loaded, until done.
func (a *Agent) noteLoading(snapshot *source.Snapshot) (done func()) {
	end, err := source.KeptBeside(a.opts.StatePath).Loading(snapshot, a.runner.Version)
	if err != nil {
		a.log.Warn("should loading the configuration end this process, its next start cannot know", "error", err)
		return func() {}
	}
	return func() {
		if err := end(); err != nil {
			a.log.Warn("the note of what is loaded cannot be removed", "error", err)
		}
	}
}

// UnlessEnded waits for work, but no longer than for the end of ctx: a
// configuration may take as long as it likes to evaluate, and then it is left to
// itself.
func UnlessEnded[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		value, err := work()
		ended <- outcome{value, err}
	}()
	select {
	case o := <-ended:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// load evaluates a snapshot's configuration without recording anything. A
// configuration that is refused for what it declares is returned beside the error.
func (a *Agent) load(ctx context.Context, snapshot *source.Snapshot, once *hclspec.ForgetLimit) (*candidate, error) {
	config, diags := a.opts.Load(snapshot)
	if diags.HasErrors() {
		return nil, a.notTaken(config, config.Mistakes(ctx, diags))
	}
	declared, diags := config.Accounts()
	c := &candidate{config: config}
	if !diags.HasErrors() {
		var more hcl.Diagnostics
		c.settings, more = config.Settings()
		diags = diags.Extend(more)
	}
	if diags.HasErrors() {
		return nil, a.notTaken(config, config.Mistakes(ctx, diags))
	}
	if snapshot.Live() {
		if err := a.startable(config, c.settings); err != nil {
			return nil, err
		}
	}
	limits, err := newGuard(ctx, a.store, c.settings)
	if err != nil {
		return nil, err
	}
	if once != nil {
		limits = guard{declared: *once}
	}
	if c.accounts, err = a.runner.connect(a.catalog, declared); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	c.ev, c.changes, err = a.consider(ctx, config, limits)
	return c, err
}

// evaluateAgain evaluates the running configuration against what was recorded
// since: dependents, outputs and checks.
func (a *Agent) evaluateAgain(ctx context.Context) error {
	a.mu.Lock()
	config := a.config
	a.mu.Unlock()
	settings, diags := config.Settings()
	if diags.HasErrors() {
		return hclspec.Err(diags)
	}
	limits, err := newGuard(ctx, a.store, settings)
	if err != nil {
		return err
	}
	type considered struct {
		ev      *evaluation
		changes []plan.Change
	}
	c, err := UnlessEnded(ctx, func() (considered, error) {
		ev, changes, err := a.consider(ctx, config, limits)
		return considered{ev, changes}, err
	})
	if err != nil {
		return err
	}
	ev, changes := c.ev, c.changes
	if a.opts.Evaluated != nil {
		a.opts.Evaluated(ev.desired)
	}
	if err := a.rec.Adopt(ctx, ev.hcl, nil, "", changes); err != nil {
		return err
	}
	a.mu.Lock()
	grown := a.snapshot.Grown()
	a.mu.Unlock()
	if grown {
		a.keep()
	}
	if err := a.recordResults(ctx, ev); err != nil {
		return err
	}
	return a.rejudge(ctx)
}

// consider evaluates and diffs a configuration without recording, and refuses
// what would forget too much.
func (a *Agent) consider(ctx context.Context, config *hclspec.Root, limits guard) (*evaluation, []plan.Change, error) {
	ev := newEvaluation(config, a.catalog, a.store)
	if diags, _ := ev.all(ctx, nil); diags.HasErrors() {
		return ev, nil, a.notTaken(config, config.Mistakes(ctx, diags))
	}
	awaited := 0
	changes, err := ev.diff(ctx, func(item *plan.Item) {
		if ev.guarded(item) {
			awaited++
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("compare with the state: %w", err)
	}
	if diags := ev.forgets(changes); diags.HasErrors() {
		return ev, nil, a.notTaken(config, diags)
	}
	if err := limits.judge(ev.forgetting(changes, awaited)); err != nil {
		return ev, nil, fmt.Errorf("%w: %w", errNotTaken, err)
	}
	return ev, changes, nil
}

// recordResults records outputs and checks.
func (a *Agent) recordResults(ctx context.Context, ev *evaluation) error {
	type results struct {
		outputs []plan.Output
		checks  []plan.Check
		diags   hcl.Diagnostics
	}
	r, err := UnlessEnded(ctx, func() (results, error) {
		outputs, diags := ev.hcl.Outputs(ctx)
		checks, more := ev.hcl.Checks(ctx)
		return results{outputs, checks, diags.Extend(more)}, nil
	})
	if err != nil {
		return err
	}
	for _, d := range r.diags {
		a.log.Warn("an output or a check cannot be evaluated", "summary", d.Summary, "detail", d.Detail)
	}
	a.logChecks(r.checks)
	if err := a.rec.Results(ctx, r.outputs, r.checks, configurationNotes(ev.config)); err != nil {
		return err
	}
	a.rec.Recorded()
	a.unjudged = ev
	return nil
}

// rejudge records how the expectations stand of what was taken, and lets go of what
// only that needs. It may be many items, so it comes last: nothing waits for it but
// the next configuration.
func (a *Agent) rejudge(ctx context.Context) error {
	if a.unjudged == nil {
		return nil
	}
	if err := a.rec.Rejudge(ctx, a.unjudged.declared()); err != nil {
		return err
	}
	a.unjudged.rest()
	a.unjudged = nil
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
func (a *Agent) notTaken(config *hclspec.Root, diags hcl.Diagnostics) error {
	if a.opts.Report != nil {
		a.opts.Report(config, diags)
	}
	return fmt.Errorf("%w: %w", errNotTaken, hclspec.Err(diags))
}
