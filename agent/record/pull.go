package record

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/waybill-dev/waybill/agent/schedule"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// The destructive read. What the vendor returns it has deleted, so:
//
//	intent on disk -> request -> answer on disk, byte for byte -> parse -> records, loss window, intent over
//
// A process that ends between any two of these leaves an intent, or an answer
// that was not derived, and recover finishes the work at the next start.

// pulled is what one page came to.
type pulled struct {
	reports int
	full    bool // as many as asked for, and some of them new: there may be more
	stuck   bool // as many as asked for, and none of them new
	err     error
}

// Drain pulls page after page for a policy while they come full, bring something
// new, and it says so.
// ctx keeps another page from being begun, and cuts none off; each is told of what
// every page brought. vendorErr is the vendor's, or schedule.ErrNoCall; after fatal,
// the state's, no further pull may be made.
func (c *Recorder) Drain(ctx context.Context, item *plan.Item, a *providers.Account, each func(reports int)) (vendorErr, fatal error) {
	for vendorErr = schedule.ErrNoCall; ctx.Err() == nil; {
		page, err := c.pull(context.WithoutCancel(ctx), item, a)
		if each != nil {
			each(page.reports)
		}
		if err != nil {
			return schedule.ErrNoCall, err
		}
		if _, said := c.stuck.LoadOrStore(item.ID, true); !page.stuck {
			c.stuck.Delete(item.ID)
		} else if !said {
			c.log.Warn("a full page brought nothing new, as if the vendor did not delete what it told: it is asked again after interval",
				"address", item.Address.String(), "account", item.Account)
		}
		if vendorErr = page.err; vendorErr != nil || !page.full || !c.drains(item) {
			break
		}
	}
	return vendorErr, nil
}

// drains reports whether a policy says to pull again at once while pages are full.
func (c *Recorder) drains(item *plan.Item) bool {
	t, err := c.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return false
	}
	args, err := value.Decode(item.Args, t.ArgsType())
	return err == nil && t.Pull != nil && t.Pull(args).Drain
}

// pull takes one page for a policy. Nothing of it is cut off: an intent that is
// written and not waited for would tell of a loss that never was, and later the
// vendor may be deleting. pulled.err is the vendor's; the returned
// error is the state's, and then no further pull may be made.
func (c *Recorder) pull(ctx context.Context, item *plan.Item, a *providers.Account) (pulled, error) {
	if err := c.TakeIn(ctx); err != nil {
		return pulled{}, fmt.Errorf("no pull while what was pulled before is not in the state: %w", err)
	}
	c.pulling.RLock()
	defer c.pulling.RUnlock()
	t, err := c.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return pulled{}, err
	}
	args, err := value.Decode(item.Args, t.ArgsType())
	if err != nil {
		return pulled{}, fmt.Errorf("recorded arguments of %s: %w", item.Address, err)
	}
	intent := state.Intent{
		ID: rand.Text(), ItemID: item.ID, Address: item.Address, Account: item.Account,
		Limit: t.Pull(args).Limit, StartedAt: c.now(),
	}
	page, err := c.pullOnce(ctx, item, a, intent)
	if err != nil {
		c.backlog.Store(true)
	}
	return page, err
}

// pullOnce makes the one request of an intent.
func (c *Recorder) pullOnce(ctx context.Context, item *plan.Item, a *providers.Account, intent state.Intent) (pulled, error) {
	failpoint.Hit(failpoint.PullBegin)
	rawID, err := c.store.NewRawID(ctx) // before the request: nothing may fail between the answer and the disk
	if err != nil {
		return pulled{}, fmt.Errorf("record the intent to pull %s: %w", item.Address, err)
	}
	if !failpoint.Weakened(failpoint.Intent) {
		if err := c.store.Commit(ctx, &state.Batch{Intents: []state.Intent{intent}}); err != nil {
			// Whatever became of it: no request was made.
			c.verdicts.Store(intent.ID, verdict{providers.Answer{At: intent.StartedAt}, err})
			return pulled{}, fmt.Errorf("record the intent to pull %s: %w", item.Address, err)
		}
	}
	failpoint.Hit(failpoint.PullIntended)
	started := c.now()
	answer, vendorErr := a.Puller.Pull(ctx, providers.PullRequest{Project: item.Identity, Limit: intent.Limit})
	if answer.At.IsZero() {
		answer.At = c.now()
	}
	took := c.now().Sub(started)
	if c.meter != nil {
		c.meter.Call(a.Name, vendorErr, false, took)
	}
	c.log.LogAttrs(ctx, slog.LevelDebug, "pulled", slog.String("account", a.Name), slog.Any("address", item.Address),
		slog.Int("status", answer.Status), slog.Int("bytes", len(answer.Body)), slog.Any("error", vendorErr), slog.Duration("took", took))
	failpoint.Hit(failpoint.PullAnswered)
	if vendorErr != nil && len(answer.Body) == 0 && answer.Status == 0 {
		err := c.concludeEmpty(ctx, intent, answer, vendorErr)
		if err != nil {
			c.verdicts.Store(intent.ID, verdict{answer, vendorErr})
		}
		return pulled{err: vendorErr}, err
	}
	raw := state.Raw{
		ID: rawID, Kind: state.RawPull, Account: item.Account, ItemID: item.ID,
		At: answer.At, Status: answer.Status, Complete: answer.Complete && vendorErr == nil, Body: answer.Body,
		Redacted: answer.Redacted, Digest: answer.Sum,
	}
	if err := c.land(ctx, intent, raw); err != nil {
		return pulled{}, err
	}
	failpoint.Hit(failpoint.PullLanded)
	page, err := c.derivePull(ctx, &raw, &intent, answer.RetryAfter)
	failpoint.Hit(failpoint.PullDerived)
	return page, err
}

// concludeEmpty ends a pull that brought nothing at all: a loss window when the
// vendor may have seen the request.
func (c *Recorder) concludeEmpty(ctx context.Context, intent state.Intent, answer providers.Answer, vendorErr error) error {
	var window *plan.LossWindow
	if answer.Reached {
		window = &plan.LossWindow{
			Address: intent.Address, Account: intent.Account, From: intent.StartedAt, To: answer.At,
			Bound: int64(intent.Limit), Cause: plan.LossPull,
			Detail: "the request was sent and no answer arrived: " + vendorErr.Error(),
		}
	}
	wait := providerRetryAfter(vendorErr)
	failpoint.Hit(failpoint.PullNothing)
	err := c.concludePull(ctx, intent, answer.At, &state.Batch{}, providers.Page{Err: vendorErr}, window, wait)
	failpoint.Hit(failpoint.PullConcluded)
	return err
}

// derivePull makes records of a landed answer, and ends its intent.
func (c *Recorder) derivePull(ctx context.Context, raw *state.Raw, intent *state.Intent, wait time.Duration) (pulled, error) {
	vendor, err := VendorOf(c.catalog, raw)
	if err != nil {
		return pulled{}, err
	}
	page := Parse(vendor, raw)
	var window *plan.LossWindow
	if !page.Whole {
		window = &plan.LossWindow{
			Address: intent.Address, Account: raw.Account, From: intent.StartedAt, To: raw.At,
			Bound:    max(int64(intent.Limit-len(page.Records)), 0),
			Salvaged: int64(len(page.Records)), Cause: plan.LossPull, RawID: raw.ID,
		}
		if page.Err != nil {
			window.Detail = page.Err.Error()
		}
	}
	batch := &state.Batch{Derived: []int64{raw.ID}, Records: page.Records}
	if err := c.concludePull(ctx, *intent, raw.At, batch, page, window, max(wait, providerRetryAfter(page.Err))); err != nil {
		return pulled{}, err
	}
	if c.meter != nil {
		c.meter.Pulled(raw.Account, batch.NewRecords)
	}
	c.Recorded()
	full := page.Err == nil && len(page.Records) >= intent.Limit
	// A report that is told again in other words was not deleted either.
	progress := batch.NewRecords > batch.Retold
	return pulled{reports: len(page.Records), full: full && progress, stuck: full && !progress, err: page.Err}, nil
}

// Parse is what a pull's or a callback's bytes come to: pure. A callback is
// always a record, if only a quarantined one.
func Parse(vendor *providers.Definition, raw *state.Raw) providers.Page {
	answer := providers.Answer{At: raw.At, Status: raw.Status, Body: raw.Body, Complete: raw.Complete, Reached: true}
	if raw.Kind == state.RawCallback {
		answer.Status = 200 // what a whole page comes with
	}
	page := recordsOf(vendor, answer)
	if raw.Kind == state.RawCallback && len(page.Records) == 0 {
		reason := "it could not be understood"
		if page.Err != nil {
			reason = page.Err.Error()
		}
		page.Records = []plan.Record{{
			Type: vendor.CountedType(), Outcome: plan.Unknown, Quarantined: reason, Digest: bodyDigest(raw.Body), Attributes: []byte("{}"),
		}}
	}
	for i := range page.Records {
		r := &page.Records[i]
		r.Account, r.ReceivedAt, r.RawID, r.Via = raw.Account, raw.At, raw.ID, plan.ViaPull
		if raw.Kind == state.RawCallback {
			r.Via = plan.ViaPush
		}
	}
	return page
}

// recordsOf parses, and makes of a parser's fault a page that could not be
// understood: its bytes are kept, and a later parser may do better.
func recordsOf(vendor *providers.Definition, answer providers.Answer) (page providers.Page) {
	defer func() {
		if fault := recover(); fault != nil {
			page = providers.Page{Err: &providers.Error{
				Kind: providers.WrongContent,
				Err:  fmt.Errorf("%s's answer could not be parsed; its bytes are kept: report this as a bug", vendor.Schema.Provider),
			}}
		}
	}()
	return vendor.Records(answer)
}

// concludePull records what a pull came to on its policy and ends the intent.
func (c *Recorder) concludePull(ctx context.Context, intent state.Intent, at time.Time, batch *state.Batch, page providers.Page, window *plan.LossWindow, wait time.Duration) error {
	window = inOrder(window)
	known, err := c.noteStanding(ctx, batch, intent.Account, page.Err, at)
	if err != nil {
		return err
	}
	err = c.conclude(ctx, intent, batch, func(under *terms, item *plan.Item) ([]value.Field, error) {
		batch.LossWindows = nil
		if item != nil {
			batch.LossWindows = c.retentionWindow(item, page, at)
		}
		if window != nil {
			batch.LossWindows = append(batch.LossWindows, *window)
		}
		if item == nil {
			return nil, nil
		}
		return c.afterPull(under, item, page, at, int64(len(batch.LossWindows)), wait)
	}, at)
	if err == nil {
		known()
	}
	return err
}

// conclude commits the end of an intent together with what becomes of its policy:
// change makes that, and says how its values differ. The policy is nil where there
// is none any more.
func (c *Recorder) conclude(ctx context.Context, intent state.Intent, batch *state.Batch, change func(*terms, *plan.Item) ([]value.Field, error), at time.Time) error {
	batch.Concluded = []string{intent.ID}
	for {
		under := c.terms.Load()
		items, err := c.store.ItemsByID(ctx, []int64{intent.ItemID})
		if err != nil {
			return fmt.Errorf("load %s: %w", intent.Address, err)
		}
		var item *plan.Item
		if len(items) == 1 {
			item = items[0]
		}
		fields, err := change(under, item)
		if err != nil {
			return err
		}
		batch.Items, batch.Events = nil, nil
		if item != nil {
			batch.Items = []state.ItemWrite{{Item: *item}}
		}
		if len(fields) > 0 {
			event := plan.Event{At: at, ItemID: item.ID, Address: item.Address, Action: plan.Observe, Revision: under.revision, Changes: fields}
			if len(batch.Derived) > 0 {
				event.RawID = batch.Derived[0]
			}
			batch.Events = []plan.Event{event}
		}
		if err := c.store.Commit(ctx, batch); errors.Is(err, state.ErrStale) {
			continue // it was declared anew meanwhile
		} else if err != nil {
			return fmt.Errorf("record the end of a pull of %s: %w", intent.Address, err)
		}
		c.tellLosses(batch.LossWindows)
		if item == nil || !item.ForgottenAt.IsZero() {
			return nil
		}
		c.tell(item, fields)
		if c.terms.Load() != under {
			return c.Fold(ctx, item.ID)
		}
		return nil
	}
}

// inOrder puts a window's ends in order: a clock that is set back during a pull
// has them the wrong way round.
func inOrder(w *plan.LossWindow) *plan.LossWindow {
	if w != nil && w.To.Before(w.From) {
		w.From, w.To = w.To, w.From
	}
	return w
}

// retentionWindow is a loss without bound when the vendor kept reports for less
// long than nobody asked for them.
func (c *Recorder) retentionWindow(item *plan.Item, page providers.Page, at time.Time) []plan.LossWindow {
	vendor := c.catalog.Vendors[item.Address.Type()]
	if vendor == nil {
		return nil
	}
	last := item.Pulls.LastSuccessAt
	if last.IsZero() {
		last = item.TrackedAt // it was to be pulled from then on
	}
	if !page.Whole || page.Err != nil || at.Sub(last) <= vendor.Retention {
		return nil
	}
	return []plan.LossWindow{{
		Address: item.Address, Account: item.Account, From: last, To: at.Add(-vendor.Retention), Bound: -1, Cause: plan.LossRetention,
		Detail: fmt.Sprintf("the vendor keeps reports for %g hours, and the last complete answer is older", vendor.Retention.Hours()),
	}}
}

// afterPull puts a pull's result on its policy and returns the differences.
func (c *Recorder) afterPull(under *terms, item *plan.Item, page providers.Page, at time.Time, windows int64, wait time.Duration) ([]value.Field, error) {
	t, err := c.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return nil, err
	}
	p := under.paceOf(item)
	item.ReadAt = at
	item.Pulls.PulledTotal += int64(len(page.Records))
	item.Pulls.LossWindows += windows
	if page.Whole && page.Err == nil {
		item.Pulls.LastSuccessAt, item.ObservedAt = at, at
		item.Failures, item.LastError = 0, ""
		if item.FirstReadAt.IsZero() {
			item.FirstReadAt = at
		}
	} else {
		item.Failures++
		if page.Err != nil {
			item.LastError = page.Err.Error()
		}
	}
	item.Due = time.Time{}
	if !p.Suspend {
		interval := backoff(p.Interval, max(item.Failures-1, 0), max(p.Interval, plan.DefaultMaxInterval))
		item.Due = later(at.Add(interval), at.Add(min(wait, LongestWait(p.Settings, p.floor))))
	}
	fields, err := Rederive(t, item, plan.Tally{}, at)
	if err != nil {
		return nil, err
	}
	_, _, err = Judge(under.expect, t, item, at)
	return fields, err
}

// VendorOf finds who can read a raw's bytes.
func VendorOf(catalog providers.Catalog, raw *state.Raw) (*providers.Definition, error) {
	vendor, ok := catalog.OfAccount(raw.Account)
	if !ok || vendor.Records == nil {
		return nil, fmt.Errorf("raw %d is of account %s, which this version of Waybill does not know", raw.ID, raw.Account)
	}
	return vendor, nil
}

func providerRetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*providers.Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
