package sqlite

import (
	"context"
	"fmt"
	"iter"

	"github.com/waybill-dev/waybill/state"
)

var (
	insertNotice = &query{"notice", `INSERT INTO outbox (target, item, event, at, due, attempts) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`}
	updateNotice = &query{"notice", `UPDATE outbox SET due = ?2, attempts = ?3 WHERE id = ?1 RETURNING 1`}
	deleteNotice = &query{"notice that was told", `DELETE FROM outbox WHERE id = ?1`}
	selectOutbox = &query{"outbox", `SELECT id, target, item, CAST(event AS BLOB), at, due, attempts FROM outbox ORDER BY id`}
)

func (w *writer) writeOutbox(b *state.Batch) error {
	for i := range b.Outbox {
		n := &b.Outbox[i]
		if n.ID == 0 {
			if err := w.c.exec(insertNotice, n.Target, idArg(n.ItemID), string(n.Event), timeArg(n.At), timeArg(n.Due), int64(n.Attempts)); err != nil {
				return err
			}
			continue
		}
		_, found, err := w.c.one(updateNotice, n.ID, timeArg(n.Due), int64(n.Attempts))
		if err == nil && !found {
			err = fmt.Errorf("state %s: notice %d: %w", w.c.path, n.ID, state.ErrNotFound)
		}
		if err != nil {
			return err
		}
	}
	for _, id := range b.Told {
		if err := w.c.exec(deleteNotice, id); err != nil {
			return err
		}
	}
	return nil
}

// Outbox yields what is still to be told, oldest first.
func (r *Reader) Outbox(ctx context.Context) iter.Seq2[*state.Notice, error] {
	return stream(ctx, r, selectOutbox, func(_ *view, s *stmt) (*state.Notice, error) {
		return &state.Notice{ID: s.int(0), Target: s.text(1), ItemID: s.int(2), Event: s.bytes(3), At: s.time(4), Due: s.time(5), Attempts: int(s.int(6))}, nil
	})
}
