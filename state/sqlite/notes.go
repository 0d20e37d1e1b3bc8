package sqlite

import (
	"context"

	"github.com/waybill-dev/waybill/state"
)

var (
	upsertNote = &query{"note", `INSERT INTO notes (agent, name, value) VALUES (?1, ?2, ?3)
		ON CONFLICT (agent, name) DO UPDATE SET value = excluded.value`}
	deleteNote = &query{"note", `DELETE FROM notes WHERE agent = ?1 AND name = ?2`}
	selectNote = &query{"note", `SELECT value FROM notes WHERE agent = ?1 AND name = ?2`}
)

func (w *writer) writeNotes(notes map[state.NoteKey]string) error {
	for key, value := range notes {
		err := error(nil)
		if value == "" {
			err = w.c.exec(deleteNote, key.Agent, key.Name)
		} else {
			err = w.c.exec(upsertNote, key.Agent, key.Name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Note returns a note, "" when unset.
func (r *Reader) Note(ctx context.Context, key state.NoteKey) (string, error) {
	for text, err := range stream(ctx, r, selectNote, func(_ *view, s *stmt) (string, error) { return s.text(0), nil }, key.Agent, key.Name) {
		return text, err
	}
	return "", nil
}
