package sqlite

import (
	"context"
)

var (
	upsertNote = &query{"note", `INSERT INTO notes (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`}
	deleteNote = &query{"note", `DELETE FROM notes WHERE name = ?1`}
	selectNote = &query{"note", `SELECT value FROM notes WHERE name = ?1`}
)

func (w *writer) writeNotes(notes map[string]string) error {
	for name, value := range notes {
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

// Note returns a named note, "" when unset.
func (r *Reader) Note(ctx context.Context, name string) (string, error) {
	for text, err := range stream(ctx, r, selectNote, func(_ *view, s *stmt) (string, error) { return s.text(0), nil }, name) {
		return text, err
	}
	return "", nil
}
