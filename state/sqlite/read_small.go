package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

var (
	selectIntents = &query{"intents", `SELECT id, item, block, key, account, "limit", started_at FROM intents ORDER BY started_at, id`}
	selectLosses  = &query{"loss windows", `SELECT id, block, key, account, from_at, to_at, bound, salvaged, cause, detail, raw FROM loss_windows ORDER BY id`}
	selectOutputs = &query{"outputs", `SELECT name, sensitive, known, CAST(type AS BLOB), CAST(value AS BLOB) FROM outputs ORDER BY place`}
	selectChecks  = &query{"checks", `SELECT name, state, CAST(messages AS BLOB) FROM checks ORDER BY place`}
	selectNote    = &query{"note", `SELECT value FROM notes WHERE name = ?1`}
	selectMeta    = &query{"lineage", `SELECT lineage, serial, (SELECT user_version FROM pragma_user_version) FROM meta`}
	vacuumInto    = &query{"backup", `VACUUM INTO ?1`}

	countItems = &query{"count of items", `SELECT scope, outcome, count(*), sum(expect_pending), sum(expect_met), sum(expect_failed), sum(expect_met_late)
		FROM reads INDEXED BY reads_counts WHERE tracked = 1 GROUP BY scope, outcome`}
	countRecords     = &query{"count of records", `SELECT scope, item IS NOT NULL, sum(records) FROM subjects GROUP BY 1, 2`}
	countQuarantined = &query{"count of quarantined records", `SELECT scope, count(*) FROM records INDEXED BY records_quarantined
		WHERE status = 2 GROUP BY scope`}
	countLosses = &query{"count of loss windows", `SELECT account, count(*) FROM loss_windows GROUP BY account`}
)

// OpenIntents returns the pulls that were begun and never concluded.
func (r *Reader) OpenIntents(ctx context.Context) ([]state.Intent, error) {
	return gather(stream(ctx, r, selectIntents, func(v *view, s *stmt) (in state.Intent, err error) {
		in = state.Intent{ID: s.text(0), ItemID: s.int(1), Limit: int(s.int(5)), StartedAt: s.time(6)}
		if in.Address, err = v.address(s.int(2), s.key(3)); err != nil {
			return in, err
		}
		in.Account, err = v.word(s.int(4))
		return in, err
	}))
}

// LossWindows returns all loss windows, oldest first.
func (r *Reader) LossWindows(ctx context.Context) ([]plan.LossWindow, error) {
	return gather(stream(ctx, r, selectLosses, func(v *view, s *stmt) (l plan.LossWindow, err error) {
		l = plan.LossWindow{ID: s.int(0), From: s.time(4), To: s.time(5), Bound: s.int(6), Salvaged: s.int(7),
			Cause: plan.LossCause(s.text(8)), Detail: s.text(9), RawID: s.int(10)}
		if !s.null(1) {
			if l.Address, err = v.address(s.int(1), s.key(2)); err != nil {
				return l, err
			}
		}
		l.Account, err = v.word(s.int(3))
		return l, err
	}))
}

// Outputs returns the outputs as they were last written.
func (r *Reader) Outputs(ctx context.Context) ([]state.StoredOutput, error) {
	return gather(stream(ctx, r, selectOutputs, func(_ *view, s *stmt) (state.StoredOutput, error) {
		return state.StoredOutput{Name: s.text(0), Sensitive: s.bool(1), Known: s.bool(2), Type: s.bytes(3), Value: s.bytes(4)}, nil
	}))
}

// Checks returns the checks as they were last written.
func (r *Reader) Checks(ctx context.Context) ([]plan.Check, error) {
	return gather(stream(ctx, r, selectChecks, func(v *view, s *stmt) (c plan.Check, err error) {
		c = plan.Check{Name: s.text(0), State: plan.CheckState(s.text(1))}
		if text := s.bytes(2); len(text) > 0 {
			if err = json.Unmarshal(text, &c.Messages); err != nil {
				err = fmt.Errorf("state %s: messages of check %q: %w", v.path, c.Name, err)
			}
		}
		return c, err
	}))
}

// Counts counts for the metrics.
func (r *Reader) Counts(ctx context.Context) (state.Counts, error) {
	c := state.Counts{
		Items:        make(map[state.ItemCount]int64),
		Records:      make(map[state.RecordCount]int64),
		LossWindows:  make(map[string]int64),
		Expectations: make(map[plan.ExpectationState]int64),
	}
	err := r.snapshot(func(v *view) error {
		return errors.Join(
			v.each(ctx, countItems, func(s *stmt) (bool, error) {
				typ, _, err := v.scope(s.int(0))
				c.Items[state.ItemCount{Type: typ, Outcome: s.outcome(1)}] += s.int(2)
				for i, expectation := range []plan.ExpectationState{plan.ExpectPending, plan.ExpectMet, plan.ExpectFailed, plan.ExpectMetLate} {
					if n := s.int(3 + i); n > 0 {
						c.Expectations[expectation] += n
					}
				}
				return true, err
			}),
			v.each(ctx, countRecords, func(s *stmt) (bool, error) {
				status := plan.Unmatched
				if s.bool(1) {
					status = plan.Matched
				}
				return true, v.count(c, s.int(0), status, s.int(2))
			}),
			v.each(ctx, countQuarantined, func(s *stmt) (bool, error) {
				return true, v.count(c, s.int(0), plan.Quarantined, s.int(1))
			}),
			v.each(ctx, countLosses, func(s *stmt) (bool, error) {
				account, err := v.word(s.int(0))
				c.LossWindows[account] += s.int(1)
				return true, err
			}),
		)
	})
	return c, err
}

func (v *view) count(c state.Counts, scope int64, status plan.RecordStatus, n int64) error {
	typ, _, err := v.scope(scope)
	if n > 0 {
		c.Records[state.RecordCount{Type: typ, Status: status}] += n
	}
	return err
}

// Note returns a named note, "" when unset.
func (r *Reader) Note(ctx context.Context, name string) (string, error) {
	for text, err := range stream(ctx, r, selectNote, func(_ *view, s *stmt) (string, error) { return s.text(0), nil }, name) {
		return text, err
	}
	return "", nil
}

// Meta tells the lineage and the serial.
func (r *Reader) Meta(ctx context.Context) (state.Meta, error) {
	for meta, err := range stream(ctx, r, selectMeta, func(_ *view, s *stmt) (state.Meta, error) {
		return state.Meta{Lineage: s.text(0), Serial: s.int(1), Version: int(s.int(2))}, nil
	}) {
		return meta, err
	}
	return state.Meta{}, fmt.Errorf("state %s: it has no lineage: %w", r.path, state.ErrCorrupt)
}

// Backup writes a consistent copy of the state, one file of mode 0600, to a
// path where there is none yet.
func (r *Reader) Backup(_ context.Context, path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(path) // half a copy is none
		}
	}()
	if err := r.with(func(v *view) error { return v.exec(vacuumInto, path) }); err != nil {
		return fmt.Errorf("backup to %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return syncDir(filepath.Dir(path))
}
