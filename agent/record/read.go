package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// Reading is what one poll of one item brought.
type Reading struct {
	at          time.Time // when the attempt ended; the floor counts from here
	answer      providers.Answer
	digest      []byte
	same        bool // the answer is byte for byte that of the last good read
	target      providers.Target
	observation plan.Observation
	Err         error // *providers.Error: no answer, or one that cannot be observed
}

// Poll reads one item from its vendor and changes nothing.
func Poll(ctx context.Context, t *plan.Type, a *providers.Account, item *plan.Item, now func() time.Time) Reading {
	args, err := value.Decode(item.Args, t.ArgsType())
	if err != nil {
		return Reading{at: now(), Err: fmt.Errorf("recorded arguments of %s: %w", item.Address, err)}
	}
	target := providers.Target{Type: t.Name, Identity: item.Identity, Args: args, Config: a.Config}
	answer, err := a.Poller.Poll(ctx, target)
	r := Reading{at: now(), target: target, answer: answer, Err: err}
	if err != nil {
		return r
	}
	r.digest = digestOf(answer)
	if bytes.Equal(r.digest, item.BodyDigest) {
		r.same = true
		return r
	}
	r.observe(a)
	return r
}

// observe parses the answer.
func (r *Reading) observe(a *providers.Account) {
	r.same = false
	r.observation, r.Err = a.Vendor.Observe(r.target, r.answer)
}

// digestOf tells answers apart: the status and the body as it came, hashed.
func digestOf(answer providers.Answer) []byte {
	h := sha256.New()
	_ = binary.Write(h, binary.BigEndian, int64(answer.Status)) // a hash never fails
	if answer.Redacted {
		h.Write(answer.Sum[:])
	} else {
		h.Write(answer.Body)
	}
	return h.Sum(nil)[:16]
}

// Read polls one item and records what came of it. answered is called once a good
// answer is there, so that the next call need not wait for the disk. The
// returned error is the vendor's; a state that cannot be written is a fatal one.
func (c *Recorder) Read(ctx context.Context, item *plan.Item, a *providers.Account, answered func()) (vendorErr, fatal error) {
	t, err := c.catalog.TypeOf(item.Address.Type())
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.ReadBegin)
	started := c.now()
	r := Poll(ctx, t, a, item, c.now)
	took := c.now().Sub(started)
	if c.meter != nil {
		c.meter.Call(a.Name, r.Err, r.Err == nil && r.observation.NotFound, took)
	}
	c.log.LogAttrs(ctx, slog.LevelDebug, "read", slog.String("account", a.Name), slog.Any("address", item.Address),
		slog.Int("status", r.answer.Status), slog.Bool("same", r.same), slog.Any("error", r.Err), slog.Duration("took", took))
	if r.Err == nil {
		answered()
	}

	for current := item; ; {
		under := c.terms.Load()
		if r.same && !bytes.Equal(current.BodyDigest, r.digest) {
			r.observe(a) // another read came between
		}
		err := c.recordReading(ctx, under, t, current, r)
		if errors.Is(err, state.ErrStale) {
			current, err = c.reload(ctx, item)
			if err == nil && current != nil {
				continue
			}
		} else if err == nil && c.terms.Load() != under {
			err = c.Fold(ctx, item.ID)
		}
		return r.Err, err
	}
}

// reload is an item as it stands now; nil when it is forgotten.
func (c *Recorder) reload(ctx context.Context, item *plan.Item) (*plan.Item, error) {
	items, err := c.store.ItemsByID(ctx, []int64{item.ID})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", item.Address, err)
	}
	if len(items) == 0 || !items[0].ForgottenAt.IsZero() || items[0].Identity != item.Identity {
		return nil, nil
	}
	return items[0], nil
}

func (c *Recorder) recordReading(ctx context.Context, under *terms, t *plan.Type, item *plan.Item, r Reading) error {
	p := under.paceOf(item)
	next, fields, err := After(t, item, r, p)
	if err != nil {
		return err
	}
	judged, deadline, err := Judge(under.expect, t, &next, r.at)
	if err != nil {
		return err
	}
	if at := later(deadline, r.at.Add(p.floor)); !deadline.IsZero() && !next.Due.IsZero() && at.Before(next.Due) {
		next.Due = at
	}
	batch := &state.Batch{}
	if len(fields) == 0 && !judged && r.same || r.Err != nil && len(fields) == 0 && !judged {
		batch.Touches = []state.Touch{{
			ItemID: next.ID, Version: next.Version, ReadAt: next.ReadAt, Due: next.Due, Failures: next.Failures,
			Unchanged: next.Unchanged, LastError: next.LastError, ObservedAt: next.ObservedAt,
		}}
	} else {
		event := plan.Event{
			At: r.at, ItemID: next.ID, Address: next.Address, Action: plan.Observe,
			Revision: under.revision, Changes: fields,
		}
		if r.Err == nil && len(fields) > 0 && !r.same {
			id, err := c.store.NewRawID(ctx)
			if err != nil {
				return fmt.Errorf("record reading of %s: %w", item.Address, err)
			}
			raw := state.Raw{
				ID: id, Kind: state.RawPoll, Account: next.Account, ItemID: next.ID, At: r.at,
				Status: r.answer.Status, Complete: r.answer.Complete, Body: r.answer.Body, Derived: true,
				Redacted: r.answer.Redacted, Digest: r.answer.Sum,
			}
			batch.Raws = []state.Raw{raw}
			event.RawID, next.RawID = raw.ID, raw.ID
		}
		if len(fields) > 0 {
			batch.Events = []plan.Event{event}
		}
		batch.Items = []state.ItemWrite{{Item: next}}
	}
	known, err := c.noteStanding(ctx, batch, item.Account, r.Err, r.at)
	if err != nil {
		return err
	}
	failpoint.Hit(failpoint.ReadAnswered)
	if err := c.store.Commit(ctx, batch); err != nil {
		return fmt.Errorf("record reading of %s: %w", item.Address, err)
	}
	known()
	failpoint.Hit(failpoint.ReadRecorded)
	c.tell(&next, fields)
	return nil
}

// After is the item as it stands after a reading: pure. The fields are its
// differences; expectations are judged by the caller.
func After(t *plan.Type, item *plan.Item, r Reading, p Pace) (next plan.Item, fields []value.Field, err error) {
	next = *item
	next.ReadAt = r.at
	if r.Err != nil {
		next.Failures++
		next.LastError = r.Err.Error()
	} else {
		next.Failures, next.LastError = 0, ""
		next.ObservedAt = r.at
		if next.FirstReadAt.IsZero() {
			next.FirstReadAt = r.at
		}
		if !r.same {
			next.BodyDigest = r.digest
			if next.NotFound = r.observation.NotFound; !next.NotFound {
				if next.Seen, err = plan.EncodeSeen(t, r.observation.Seen); err != nil {
					return next, nil, fmt.Errorf("observation of %s: %w", item.Address, err)
				}
			}
		}
	}
	fields, err = Rederive(t, &next, plan.Tally{}, r.at)
	if err != nil {
		return next, nil, err
	}
	if r.Err == nil {
		if len(fields) > 0 {
			next.Unchanged = 0
		} else {
			next.Unchanged++
		}
	}
	next.Due = nextRead(&next, r, p)
	return next, fields, nil
}

// Rederive derives an item's values anew and returns how they differ.
func Rederive(t *plan.Type, item *plan.Item, tally plan.Tally, now time.Time) ([]value.Field, error) {
	derived, err := plan.Derive(t, item, tally, now)
	if err != nil {
		return nil, err
	}
	fields, err := t.Fields(item.Values, derived.Values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", item.Address, err)
	}
	item.Values, item.Outcome, item.Settled = derived.Values, derived.Outcome, derived.Settled
	return fields, nil
}
