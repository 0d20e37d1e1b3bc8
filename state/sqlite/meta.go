package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/durable"
	"github.com/waybill-dev/waybill/state"
)

// countStored tells how much is stored: it only grows.
const countStored = `(SELECT coalesce(max(id), 0) FROM raws) + (SELECT coalesce(max(id), 0) FROM records) + (SELECT coalesce(max(seq), 0) FROM events)`

var (
	selectMeta   = &query{"lineage", `SELECT lineage, serial, declared, (SELECT user_version FROM pragma_user_version), ` + countStored + ` FROM meta`}
	selectStored = &query{"how much is stored", `SELECT ` + countStored}
	vacuumInto   = &query{"backup", `VACUUM INTO ?1`}
)

// Meta tells what the state says of itself.
func (r *Reader) Meta(ctx context.Context) (state.Meta, error) {
	for meta, err := range stream(ctx, r, selectMeta, func(_ *view, s *stmt) (state.Meta, error) {
		return state.Meta{Lineage: s.text(0), Serial: s.int(1), Declared: s.int(2), Version: int(s.int(3)), Stored: s.int(4)}, nil
	}) {
		return meta, err
	}
	return state.Meta{}, fmt.Errorf("state %s: it has no lineage: %w", r.path, state.ErrCorrupt)
}

// Owners tells who holds the state for writing.
func (r *Reader) Owners(context.Context) ([]state.Owner, error) {
	owner, err := ReadOwner(r.path)
	if owner == nil || err != nil {
		return nil, err
	}
	return []state.Owner{*owner}, nil
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
	return durable.SyncDir(filepath.Dir(path))
}
