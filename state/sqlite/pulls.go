package sqlite

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/state"
)

var (
	insertIntent = &query{"intent", `INSERT INTO intents (id, item, block, key, account, "limit", started_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`}
	deleteIntent  = &query{"concluded intent", `DELETE FROM intents WHERE id = ?1`}
	selectIntents = &query{"intents", `SELECT id, item, block, key, account, "limit", started_at FROM intents ORDER BY started_at, id`}
)

func (w *writer) writeIntents(b *state.Batch) error {
	for i := range b.Intents {
		in := &b.Intents[i]
		block, err := w.block(in.Address)
		if err != nil {
			return err
		}
		account, err := w.account(in.Account)
		if err != nil {
			return err
		}
		err = w.c.exec(insertIntent, in.ID, in.ItemID, block, keyArg(in.Address.Key()), account, int64(in.Limit), timeArg(in.StartedAt))
		if err != nil {
			return fmt.Errorf("intent %s: %w", in.ID, err)
		}
	}
	for _, id := range b.Concluded {
		if err := w.c.exec(deleteIntent, id); err != nil {
			return err
		}
	}
	return nil
}

// OpenIntents returns the pulls that were begun and never concluded.
func (r *Reader) OpenIntents(ctx context.Context) ([]state.Intent, error) {
	return gather(stream(ctx, r, selectIntents, func(v *view, s *stmt) (in state.Intent, err error) {
		in = state.Intent{ID: s.text(0), ItemID: s.int(1), Limit: int(s.int(5)), StartedAt: s.time(6)}
		if in.Address, err = v.address(s.int(2), s.key(3)); err != nil {
			return in, err
		}
		in.Account, err = v.account(s.int(4))
		return in, err
	}))
}
