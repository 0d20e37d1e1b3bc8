package sqlite

import (
	"github.com/waybill-dev/waybill/state"
)

var (
	selectSuperseded = &query{"superseded record", `SELECT scope, key, subject, status FROM records WHERE id = ?1`}
	deleteRecord     = &query{"superseded record", `DELETE FROM records WHERE id = ?1`}
	selectContents   = &query{"contents of a key", `SELECT id, event_at, subject, status
		FROM records WHERE scope = ?1 AND key = ?2 AND status <> 2`}
	updateStatus = &query{"record decided anew", `UPDATE records SET status = ?2 WHERE id = ?1`}
)

// redoing is a batch that tells records otherwise than before.
type redoing struct {
	// stamp is newer than every mark of a subject: whatever such a batch changes is
	// to be counted again, however old the record.
	stamp int64
	gone  map[int64]bool // ids that may be taken again
	keys  map[recordKey]bool
}

type recordKey struct {
	scope int64
	key   string
}

// supersede deletes the batch's superseded records; nil where there are none.
func (w *writer) supersede(b *state.Batch) (*redoing, error) {
	if len(b.Superseded) == 0 {
		return nil, nil
	}
	w.lastRec++
	redo := &redoing{stamp: w.lastRec, gone: make(map[int64]bool, len(b.Superseded)), keys: make(map[recordKey]bool)}
	for _, id := range b.Superseded {
		row, ok, err := w.c.one(selectSuperseded, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		scope, key, subject, status := row.int(0), row.text(1), row.int(2), row.int(3)
		if err := w.c.exec(deleteRecord, id); err != nil {
			return nil, err
		}
		redo.gone[id] = true
		if status != quarantined {
			redo.keys[recordKey{scope, key}] = true
			w.mark(subject, redo.stamp, -1)
		}
	}
	return redo, nil
}

// take says whether a record may have an id: that of a superseded record whose
// place it takes.
func (redo *redoing) take(id int64) bool {
	if redo == nil || id == 0 || !redo.gone[id] {
		return false
	}
	delete(redo.gone, id)
	return true
}

// elect decides anew which record of each key counts: the latest event, else
// the first that was recorded.
func (w *writer) elect(redo *redoing) error {
	if redo == nil {
		return nil
	}
	type content struct {
		kept
		status int64
	}
	for k := range redo.keys {
		if k.key == "" {
			continue // each content of no key counts
		}
		var contents []content
		best := -1
		err := w.c.each(background, selectContents, func(s *stmt) (bool, error) {
			c := content{kept{s.int(0), s.int(2), s.time(1)}, s.int(3)}
			if best < 0 || c.event.After(contents[best].event) || c.event.Equal(contents[best].event) && c.id < contents[best].id {
				best = len(contents)
			}
			contents = append(contents, c)
			return true, nil
		}, k.scope, k.key)
		if err != nil {
			return err
		}
		for i, c := range contents {
			status := conflicts
			if i == best {
				status = counts
			}
			if status == c.status {
				continue
			}
			if err := w.c.exec(updateStatus, c.id, status); err != nil {
				return err
			}
			w.mark(c.subject, redo.stamp, 0)
		}
	}
	return nil
}
