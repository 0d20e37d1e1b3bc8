package sqlite

import (
	"github.com/waybill-dev/waybill/state"
)

var (
	selectSuperseded = &query{"superseded record", `SELECT scope, key, subject, status, coalesce(place, id) FROM records WHERE id = ?1 AND status <> 3`}
	updateSuperseded = &query{"superseded record", `UPDATE records SET status = 3 WHERE id = ?1`}
	selectContents   = &query{"contents of a key", `SELECT id, event_at, subject, status, coalesce(place, id)
		FROM records WHERE scope = ?1 AND key = ?2 AND status <> 2 AND status <> 3`}
	updateStatus = &query{"record decided anew", `UPDATE records SET status = ?2 WHERE id = ?1`}
)

// redoing is a batch that tells records otherwise than before.
type redoing struct {
	// stamp is newer than every mark of a subject: whatever such a batch changes is
	// to be counted again, however old the record.
	stamp  int64
	places map[int64]bool // that may be taken
	keys   map[recordKey]bool
}

type recordKey struct {
	scope int64
	key   string
}

// supersede takes the batch's superseded records out of what counts; nil where
// there are none. Their contents stay.
func (w *writer) supersede(b *state.Batch) (*redoing, error) {
	if len(b.Superseded) == 0 {
		return nil, nil
	}
	w.lastRec++
	redo := &redoing{stamp: w.lastRec, places: make(map[int64]bool, len(b.Superseded)), keys: make(map[recordKey]bool)}
	for _, id := range b.Superseded {
		row, ok, err := w.c.one(selectSuperseded, id)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		scope, key, subject, status, place := row.int(0), row.text(1), row.int(2), row.int(3), row.int(4)
		if err := w.c.exec(updateSuperseded, id); err != nil {
			return nil, err
		}
		redo.places[place] = true
		if status != quarantined {
			redo.keys[recordKey{scope, key}] = true
			w.mark(subject, redo.stamp, -1)
		}
	}
	return redo, nil
}

// take says whether a record may have a place: that of a superseded record which
// no other has taken.
func (redo *redoing) take(place int64) bool {
	if redo == nil || !redo.places[place] {
		return false
	}
	delete(redo.places, place)
	return true
}

// elect decides anew which record of each key counts: the latest event, else
// the one whose place is the first.
func (w *writer) elect(redo *redoing) error {
	if redo == nil {
		return nil
	}
	type content struct {
		kept
		status, place int64
	}
	for k := range redo.keys {
		if k.key == "" {
			continue // each content of no key counts
		}
		var contents []content
		best := -1
		err := w.c.each(background, selectContents, func(s *stmt) (bool, error) {
			c := content{kept{s.int(0), s.int(2), s.time(1), true}, s.int(3), s.int(4)}
			if best < 0 || c.event.After(contents[best].event) || c.event.Equal(contents[best].event) && c.place < contents[best].place {
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
