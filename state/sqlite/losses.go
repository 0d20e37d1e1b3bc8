package sqlite

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

var (
	insertLoss = &query{"loss window", `INSERT INTO loss_windows (block, key, account, from_at, to_at, bound, salvaged, cause, detail, raw, backfilled, closed_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)`}
	updateLoss   = &query{"loss window", `UPDATE loss_windows SET backfilled = ?2, closed_at = ?3 WHERE id = ?1 RETURNING 1`}
	selectLosses = &query{"loss windows", `SELECT id, block, key, account, from_at, to_at, bound, salvaged, cause, detail, raw, backfilled, closed_at FROM loss_windows ORDER BY id`}
)

func (w *writer) writeLoss(l *plan.LossWindow) error {
	if l.ID != 0 {
		_, found, err := w.c.one(updateLoss, l.ID, l.Backfilled, timeArg(l.ClosedAt))
		if err == nil && !found {
			err = fmt.Errorf("state %s: loss window %d: %w", w.c.path, l.ID, state.ErrNotFound)
		}
		return err
	}
	account, err := w.account(l.Account)
	if err != nil {
		return err
	}
	block, key := any(nil), any(nil)
	if l.Address.Type() != "" {
		if block, err = w.block(l.Address); err != nil {
			return err
		}
		key = keyArg(l.Address.Key())
	}
	return w.c.exec(insertLoss, block, key, account, timeArg(l.From), timeArg(l.To), l.Bound, l.Salvaged, string(l.Cause), l.Detail, idArg(l.RawID),
		l.Backfilled, timeArg(l.ClosedAt))
}

// LossWindows returns all loss windows, oldest first.
func (r *Reader) LossWindows(ctx context.Context) ([]plan.LossWindow, error) {
	return gather(stream(ctx, r, selectLosses, func(v *view, s *stmt) (l plan.LossWindow, err error) {
		l = plan.LossWindow{ID: s.int(0), From: s.time(4), To: s.time(5), Bound: s.int(6), Salvaged: s.int(7),
			Cause: plan.LossCause(s.text(8)), Detail: s.text(9), RawID: s.int(10), Backfilled: s.int(11), ClosedAt: s.time(12)}
		if !s.null(1) {
			if l.Address, err = v.address(s.int(1), s.key(2)); err != nil {
				return l, err
			}
		}
		l.Account, err = v.account(s.int(3))
		return l, err
	}))
}
