package sqlite

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

var (
	countItems = &query{"count of items", `SELECT scope, outcome, count(*), sum(expect_pending), sum(expect_met), sum(expect_failed), sum(expect_met_late)
		FROM reads INDEXED BY reads_counts WHERE tracked = 1 GROUP BY scope, outcome`}
	countRecords     = &query{"count of records", `SELECT scope, item IS NOT NULL, sum(records) FROM subjects GROUP BY 1, 2`}
	countQuarantined = &query{"count of quarantined records", `SELECT scope, count(*) FROM records INDEXED BY records_quarantined
		WHERE status = 2 GROUP BY scope`}
	countLosses = &query{"count of loss windows", `SELECT account, count(*) FROM loss_windows GROUP BY account`}
)

// Counts counts for the metrics.
func (r *Reader) Counts(ctx context.Context) (state.Counts, error) {
	c := state.Counts{
		Items:        make(map[state.ItemCount]int64),
		Records:      make(map[state.RecordCount]int64),
		LossWindows:  make(map[string]int64),
		Expectations: make(map[plan.ExpectationState]int64),
		LogBytes:     r.logBytes(),
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
				account, err := v.account(s.int(0))
				c.LossWindows[account] += s.int(1)
				return true, err
			}),
		)
	})
	return c, err
}

// logBytes is the size of the write-ahead log, 0 where there is none.
func (r *Reader) logBytes() int64 {
	real, err := filepath.EvalSymlinks(r.path)
	if err != nil {
		return 0
	}
	log, err := idAt(real + "-wal")
	if err != nil {
		return 0
	}
	return log.size
}

func (v *view) count(c state.Counts, scope int64, status plan.RecordStatus, n int64) error {
	typ, _, err := v.scope(scope)
	if n > 0 {
		c.Records[state.RecordCount{Type: typ, Status: status}] += n
	}
	return err
}
