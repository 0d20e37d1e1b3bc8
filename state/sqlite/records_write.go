package sqlite

import (
	"bytes"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

var (
	selectSame = &query{"records of a key", `SELECT id, digest, event_at, subject, status
		FROM records WHERE scope = ?1 AND key = ?2 AND status <> 3`}
	selectSameContent = &query{"records of a content", `SELECT id, digest, event_at, subject, status
		FROM records WHERE scope = ?1 AND key = '' AND digest = ?2 AND status <> 3`}
	insertRecord = &query{"record", `INSERT INTO records (id, scope, key, digest, subject, outcome, code, amount, currency, parts,
			event_at, received_at, status, quarantined, raw, attributes, via, place)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`}
	updateConflict = &query{"record in conflict", `UPDATE records SET status = 1 WHERE id = ?1`}
	selectSubject  = &query{"subject", `SELECT id FROM subjects WHERE scope = ?1 AND identity = ?2`}
	insertSubject  = &query{"new subject", `INSERT INTO subjects (scope, identity, item, mark, folder, folded_to, records)
		SELECT ?1, ?2, item, 0, item, 0, 0
		FROM (SELECT (SELECT id FROM items WHERE scope = ?1 AND identity = ?2 AND forgotten_at IS NULL) AS item) RETURNING id`}
)

// How a record stands, as in the column status.
const (
	counts int64 = iota
	conflicts
	quarantined
	superseded
)

// kept is a record of the same key that is there already.
type kept struct {
	id, subject int64 // id 0: none of the key counts
	event       time.Time
	known       bool // the key, whether or not one of it counts
}

// writeRecords stores each record once and decides which of a key counts.
func (w *writer) writeRecords(r *request) error {
	redo, err := w.supersede(r.batch)
	if err != nil {
		return err
	}
	for i := range r.batch.Records {
		isNew, retold, err := w.writeRecord(&r.batch.Records[i], redo)
		if err != nil {
			return err
		}
		if isNew {
			r.newRecords++
		}
		if retold {
			r.retold++
		}
	}
	return w.elect(redo)
}

func (w *writer) writeRecord(r *plan.Record, redo *redoing) (isNew, retold bool, err error) {
	scope, err := w.scope(r.Type, r.Account)
	if err != nil {
		return false, false, err
	}
	counting, duplicate, err := w.ofSameKey(scope, r)
	if err != nil || duplicate {
		return false, false, err
	}
	subject, err := w.subject(scope, r.Identity)
	if err != nil {
		return false, false, err
	}
	number, err := outcomeArg(r.Outcome)
	if err != nil {
		return false, false, err
	}
	via, err := viaArg(r.Via)
	if err != nil {
		return false, false, err
	}
	w.lastRec++
	id, place := w.lastRec, any(nil)
	if redo.take(r.Place) {
		place = r.Place
	}

	// Of the contents of one key the latest event counts, else the first. One
	// that nobody understands takes no part in it.
	status := counts
	switch {
	case r.Quarantined != "":
		status = quarantined
	case counting.id != 0 && !r.EventTime.After(counting.event):
		status = conflicts
	case counting.id != 0:
		if err := w.c.exec(updateConflict, counting.id); err != nil {
			return false, false, err
		}
		w.mark(counting.subject, id, 0)
	}
	var amount any
	if r.Amount != nil {
		amount = r.Amount.String()
	}
	err = w.c.exec(insertRecord, id, scope, r.Key, r.Digest[:], subject, number, r.Code, amount, r.Currency, r.Parts,
		timeArg(r.EventTime), timeArg(r.ReceivedAt), status, textArg(r.Quarantined), idArg(r.RawID), jsonArg(r.Attributes), via, place)
	if err != nil {
		return false, false, err
	}
	if status != quarantined {
		w.mark(subject, id, 1)
		if redo != nil {
			redo.keys[recordKey{scope, r.Key}] = true
		}
	}
	return true, counting.known, nil
}

// ofSameKey finds the record of r's key that counts now (its id is 0 where
// there is none), and whether r itself is there already.
func (w *writer) ofSameKey(scope int64, r *plan.Record) (counting kept, duplicate bool, err error) {
	visit := func(s *stmt) (bool, error) {
		if bytes.Equal(s.bytes(1), r.Digest[:]) {
			duplicate = true
			return false, nil
		}
		if s.int(4) == counts && r.Key != "" {
			counting.id, counting.subject, counting.event = s.int(0), s.int(3), s.time(2)
		}
		counting.known = counting.known || r.Key != ""
		return true, nil
	}
	if r.Key == "" {
		err = w.c.each(background, selectSameContent, visit, scope, r.Digest[:])
	} else {
		err = w.c.each(background, selectSame, visit, scope, r.Key)
	}
	return counting, duplicate, err
}

// subject is the id of the subject of an identity.
func (w *writer) subject(scope int64, identity string) (int64, error) {
	k := subjectKey{scope, identity}
	if id, ok := w.subjects[k]; ok {
		return id, nil
	}
	id, err := w.idOf(selectSubject, insertSubject, scope, identity)
	if err == nil {
		w.subjects[k] = id
		w.peopled[scope] = true
	}
	return id, err
}

// mark remembers that a record changed what a subject comes to.
func (w *writer) mark(subject, record, count int64) {
	m := w.marks[subject]
	w.marks[subject] = mark{max(m.newest, record), m.count + count}
}
