package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// background is the context of work that is not given up half-way.
var background = context.Background()

var (
	insertRaw = &query{"raw", `INSERT INTO raws (id, kind, account, item, at, status, complete, size, packed, body)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`}
	insertUnderived = &query{"underived raw", `INSERT INTO underived (raw) VALUES (?1)`}
	deleteUnderived = &query{"derived raw", `DELETE FROM underived WHERE raw = ?1`}
	insertIntent    = &query{"intent", `INSERT INTO intents (id, item, block, key, account, "limit", started_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`}
	deleteIntent = &query{"concluded intent", `DELETE FROM intents WHERE id = ?1`}
	insertEvent  = &query{"event", `INSERT INTO events (seq, at, item, block, key, action, revision, raw, changes)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`}
	insertLoss = &query{"loss window", `INSERT INTO loss_windows (block, key, account, from_at, to_at, bound, salvaged, cause, detail, raw)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`}
	deleteOutputs = &query{"outputs", `DELETE FROM outputs`}
	insertOutput  = &query{"output", `INSERT INTO outputs (place, name, sensitive, known, type, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`}
	deleteChecks  = &query{"checks", `DELETE FROM checks`}
	insertCheck   = &query{"check", `INSERT INTO checks (place, name, state, messages) VALUES (?1, ?2, ?3, ?4)`}
	upsertNote    = &query{"note", `INSERT INTO notes (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`}
	deleteNote    = &query{"note", `DELETE FROM notes WHERE name = ?1`}

	selectWord  = &query{"word", `SELECT id FROM words WHERE text = ?1`}
	insertWord  = &query{"word", `INSERT INTO words (text) VALUES (?1) RETURNING id`}
	selectBlock = &query{"block", `SELECT id FROM blocks WHERE type = ?1 AND name = ?2`}
	insertBlock = &query{"block", `INSERT INTO blocks (type, name) VALUES (?1, ?2) RETURNING id`}
	selectScope = &query{"scope", `SELECT id FROM scopes WHERE type = ?1 AND account = ?2`}
	insertScope = &query{"scope", `INSERT INTO scopes (type, account) VALUES (?1, ?2) RETURNING id`}
)

// word is the id of a text that is kept once.
func (w *writer) word(text string) (int64, error) {
	if id, ok := w.words[text]; ok {
		return id, nil
	}
	id, err := w.idOf(selectWord, insertWord, text)
	if err == nil {
		w.words[text] = id
	}
	return id, err
}

func (w *writer) block(a plan.Address) (int64, error) {
	k := pair{a.Type(), a.Name()}
	if id, ok := w.blocks[k]; ok {
		return id, nil
	}
	id, err := w.idOf(selectBlock, insertBlock, a.Type(), a.Name())
	if err == nil {
		w.blocks[k] = id
	}
	return id, err
}

func (w *writer) scope(typ, account string) (int64, error) {
	k := pair{typ, account}
	if id, ok := w.scopes[k]; ok {
		return id, nil
	}
	id, err := w.idOf(selectScope, insertScope, typ, account)
	if err == nil {
		w.scopes[k] = id
	}
	return id, err
}

// idOf finds a row's id, or inserts the row.
func (w *writer) idOf(find, insert *query, args ...any) (int64, error) {
	row, ok, err := w.c.one(find, args...)
	if err == nil && !ok {
		row, ok, err = w.c.one(insert, args...)
	}
	if err != nil || !ok {
		return 0, err
	}
	return row.int(0), nil
}

func (w *writer) writeRaws(r *request) error {
	for i := range r.batch.Raws {
		raw := &r.batch.Raws[i]
		account, err := w.word(raw.Account)
		if err != nil {
			return err
		}
		err = w.c.exec(insertRaw, raw.ID, string(raw.Kind), account, idArg(raw.ItemID), timeArg(raw.At), int64(raw.Status),
			boolArg(raw.Complete), int64(len(raw.Body)), boolArg(r.bodies[i].packed), r.bodies[i].stored)
		if err == nil && !raw.Derived {
			err = w.c.exec(insertUnderived, raw.ID)
		}
		if err != nil {
			return fmt.Errorf("raw %d: %w", raw.ID, err)
		}
	}
	for _, id := range r.batch.Derived {
		if err := w.c.exec(deleteUnderived, id); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeIntents(b *state.Batch) error {
	for i := range b.Intents {
		in := &b.Intents[i]
		block, err := w.block(in.Address)
		if err != nil {
			return err
		}
		account, err := w.word(in.Account)
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

func (w *writer) writeEvents(r *request) error {
	for i := range r.batch.Events {
		e := &r.batch.Events[i]
		block, err := w.block(e.Address)
		if err != nil {
			return err
		}
		revision, err := w.word(e.Revision)
		if err != nil {
			return err
		}
		w.lastSeq++
		err = w.c.exec(insertEvent, w.lastSeq, timeArg(e.At), e.ItemID, block, keyArg(e.Address.Key()), string(e.Action), revision,
			idArg(e.RawID), r.changes[i])
		if err != nil {
			return err
		}
	}
	return nil
}

// writeRest writes what there are few of.
func (w *writer) writeRest(b *state.Batch) error {
	for i := range b.LossWindows {
		if err := w.writeLoss(&b.LossWindows[i]); err != nil {
			return err
		}
	}
	if b.Outputs != nil {
		if err := w.c.exec(deleteOutputs); err != nil {
			return err
		}
		for i, o := range *b.Outputs {
			value := jsonArg(o.Value)
			if o.Sensitive {
				value = nil // whatever the caller holds, it does not reach the disk
			}
			if err := w.c.exec(insertOutput, int64(i+1), o.Name, boolArg(o.Sensitive), boolArg(o.Known), jsonArg(o.Type), value); err != nil {
				return err
			}
		}
	}
	if b.Checks != nil {
		if err := w.c.exec(deleteChecks); err != nil {
			return err
		}
		for i, check := range *b.Checks {
			var messages any
			if len(check.Messages) > 0 {
				text, err := json.Marshal(check.Messages)
				if err != nil {
					return fmt.Errorf("messages of check %q: %w", check.Name, err)
				}
				messages = string(text)
			}
			if err := w.c.exec(insertCheck, int64(i+1), check.Name, string(check.State), messages); err != nil {
				return err
			}
		}
	}
	for name, value := range b.Notes {
		err := error(nil)
		if value == "" {
			err = w.c.exec(deleteNote, name)
		} else {
			err = w.c.exec(upsertNote, name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeLoss(l *plan.LossWindow) error {
	account, err := w.word(l.Account)
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
	return w.c.exec(insertLoss, block, key, account, timeArg(l.From), timeArg(l.To), l.Bound, l.Salvaged, string(l.Cause), l.Detail, idArg(l.RawID))
}
