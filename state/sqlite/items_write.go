package sqlite

import (
	"fmt"
	"math"
	"strings"

	"github.com/waybill-dev/waybill/state"
)

var (
	selectOld = &query{"item before", `SELECT i.block, i.key, i.scope, i.identity, i.forgotten_at,
			r.scope, r.tracked, r.outcome, r.settled, r.expect_pending, r.expect_met, r.expect_failed, r.expect_met_late
		FROM items i JOIN reads r ON r.item = i.id WHERE i.id = +?1`}
	insertItem = &query{"new item", `INSERT INTO items (id, block, key, scope, identity, args, file, line, revision, tracked_at, forgotten_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`}
	insertReads = &query{"new item's reads", `INSERT INTO reads (item, scope, tracked, outcome, settled,
			expect_pending, expect_met, expect_failed, expect_met_late,
			not_found, first_read_at, read_at, observed_at, due, failures, unchanged, last_error, body_digest, raw,
			pull_success_at, pulled_total, loss_windows)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)`}
	insertObserved = &query{"new item's values", `INSERT INTO observed (item, seen, "values", expectations) VALUES (?1, ?2, ?3, ?4)`}

	// The columns are written in the groups in which they change, so that an
	// ordinary read rewrites no index and no arguments.
	parkItem       = &query{"item on the move", `UPDATE items SET forgotten_at = ?2 WHERE id = ?1`}
	updatePlace    = &query{"item's place", `UPDATE items SET block = ?2, key = ?3, scope = ?4, identity = ?5, forgotten_at = ?6 WHERE id = ?1`}
	updateDeclared = &query{"item's declaration", `UPDATE items SET args = ?2, file = ?3, line = ?4, revision = ?5, tracked_at = ?6
		WHERE id = ?1 AND (args IS NOT ?2 OR file IS NOT ?3 OR line IS NOT ?4 OR revision IS NOT ?5 OR tracked_at IS NOT ?6) RETURNING 1`}
	updateStanding = &query{"item's standing", `UPDATE reads SET scope = ?2, tracked = ?3, outcome = ?4, settled = ?5,
			expect_pending = ?6, expect_met = ?7, expect_failed = ?8, expect_met_late = ?9 WHERE item = ?1`}
	updateReads = &query{"item's reads", `UPDATE reads SET not_found = ?2, first_read_at = ?3, read_at = ?4, observed_at = ?5, due = ?6,
			failures = ?7, unchanged = ?8, last_error = ?9, body_digest = ?10, raw = ?11,
			pull_success_at = ?12, pulled_total = ?13, loss_windows = ?14 WHERE item = ?1`}
	updateObserved = &query{"item's values", `UPDATE observed SET seen = ?2, "values" = ?3, expectations = ?4
		WHERE item = ?1 AND (seen IS NOT ?2 OR "values" IS NOT ?3 OR expectations IS NOT ?4) RETURNING 1`}

	updateTouched = &query{"touched item", `UPDATE reads SET read_at = ?2, observed_at = coalesce(?3, observed_at), due = ?4,
			failures = ?5, unchanged = ?6, last_error = ?7 WHERE item = ?1`}
	selectChanges = &query{"touched items", `SELECT total_changes()`}

	// folded_to speaks of the values of one item. One that comes back to its
	// identity goes on where it was; another begins anew.
	takeSubject = &query{"subject taken up", `UPDATE subjects SET item = ?3, folded_to = iif(folder = ?3, folded_to, 0), folder = ?3
		WHERE scope = ?1 AND identity = ?2`}
	dropSubject  = &query{"subject forgotten", `UPDATE subjects SET item = nullif(item, ?3) WHERE scope = ?1 AND identity = ?2`}
	leaveSubject = &query{"subject left", `UPDATE subjects SET item = nullif(item, ?3), folder = nullif(folder, ?3) WHERE scope = ?1 AND identity = ?2`}
	foldSubject  = &query{"subject folded", `UPDATE subjects SET folded_to = ?4 WHERE scope = ?1 AND identity = ?2 AND folder = ?3`}
)

// parked is the forgotten_at of an item between two places: it is in neither
// unique index meanwhile.
const parked = int64(math.MinInt64)

// place is where an item stands in the unique indexes.
type place struct {
	block     int64
	key       any
	scope     int64
	identity  string
	forgotten any // nil while tracked
}

func (p place) tracked() bool { return p.forgotten == nil || p.forgotten == any(parked) }

// stand is the columns of reads that are in an index.
type stand struct {
	scope            int64
	tracked          bool
	outcome, settled int64
	standing
}

// before is an item as it was.
type before struct {
	exists bool
	place
	stand
}

func (w *writer) before(id int64) (before, error) {
	if id > w.lastItem {
		return before{}, nil
	}
	row, ok, err := w.c.one(selectOld, id)
	if err != nil || !ok {
		return before{}, err
	}
	return before{true,
		place{row.int(0), row.row[1], row.int(2), row.text(3), row.row[4]},
		stand{row.int(5), row.bool(6), row.int(7), row.int(8), standing{row.int(9), row.int(10), row.int(11), row.int(12)}},
	}, nil
}

// placeOf is where an item is to stand.
func (w *writer) placeOf(i *state.ItemWrite) (place, error) {
	block, err := w.block(i.Address)
	if err != nil {
		return place{}, err
	}
	scope, err := w.scope(i.Address.Type(), i.Account)
	return place{block, keyArg(i.Address.Key()), scope, i.Identity, timeArg(i.ForgottenAt)}, err
}

// writeItems writes a batch's items. Items may take each other's addresses and
// identities, so all that go from where they are leave the unique indexes before
// any of them takes its new place. Of an item that is there twice the last
// stands.
func (w *writer) writeItems(r *request) error {
	items := r.batch.Items
	var last map[int64]int
	if len(items) > 1 {
		last = make(map[int64]int, len(items))
		for i := range items {
			last[items[i].ID] = i
		}
		if err := w.parkMoving(items, last); err != nil {
			return err
		}
	}
	for i := range items {
		if last != nil && last[items[i].ID] != i {
			continue
		}
		if err := w.writeItem(&items[i], &r.expects[i]); err != nil {
			return fmt.Errorf("item %d, %s: %w", items[i].ID, items[i].Address, err)
		}
	}
	return nil
}

func (w *writer) parkMoving(items []state.ItemWrite, last map[int64]int) error {
	for i := range items {
		if last[items[i].ID] != i {
			continue
		}
		old, err := w.before(items[i].ID)
		if err != nil {
			return err
		}
		if !old.exists || old.forgotten != nil {
			continue
		}
		to, err := w.placeOf(&items[i])
		if err != nil {
			return err
		}
		if to != old.place {
			if err := w.c.exec(parkItem, items[i].ID, parked); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) writeItem(i *state.ItemWrite, e *expect) error {
	if i.ID <= 0 {
		return fmt.Errorf("an item's id comes from NewItemID")
	}
	to, err := w.placeOf(i)
	if err != nil {
		return err
	}
	file, err := w.word(i.Origin.File)
	if err != nil {
		return err
	}
	revision, err := w.word(i.Revision)
	if err != nil {
		return err
	}
	number, err := outcomeArg(i.Outcome)
	if err != nil {
		return err
	}
	old, err := w.before(i.ID)
	if err != nil {
		return err
	}
	settled := int64(0)
	if i.Settled {
		settled = 1
	}
	now := stand{to.scope, to.forgotten == nil, number, settled, e.stand}
	if !old.exists {
		err = w.insertItem(i, to, now, file, revision, e.text)
	} else {
		err = w.updateItem(i, old, to, now, file, revision, e.text)
	}
	if err != nil {
		return clash(err)
	}
	return w.follow(i, old, to)
}

func (w *writer) insertItem(i *state.ItemWrite, to place, now stand, file, revision int64, expectations any) error {
	err := w.c.exec(insertItem, i.ID, to.block, to.key, to.scope, to.identity, jsonArg(i.Args), file, int64(i.Origin.Line), revision,
		timeArg(i.TrackedAt), to.forgotten)
	if err != nil {
		return err
	}
	err = w.c.exec(insertReads, i.ID, now.scope, boolArg(now.tracked), now.outcome, now.settled,
		now.pending, now.met, now.failed, now.metLate,
		boolArg(i.NotFound), timeArg(i.FirstReadAt), timeArg(i.ReadAt), timeArg(i.ObservedAt), timeArg(i.Due),
		int64(i.Failures), int64(i.Unchanged), textArg(i.LastError), blobArg(i.BodyDigest), idArg(i.RawID),
		timeArg(i.Pulls.LastSuccessAt), idArg(i.Pulls.PulledTotal), idArg(i.Pulls.LossWindows))
	if err != nil {
		return err
	}
	w.lastItem = max(w.lastItem, i.ID)
	w.serial++
	return w.c.exec(insertObserved, i.ID, jsonArg(i.Seen), jsonArg(i.Values), expectations)
}

func (w *writer) updateItem(i *state.ItemWrite, old before, to place, now stand, file, revision int64, expectations any) error {
	changed := false
	if to != old.place {
		if err := w.c.exec(updatePlace, i.ID, to.block, to.key, to.scope, to.identity, to.forgotten); err != nil {
			return err
		}
		changed = true
	}
	_, differs, err := w.c.one(updateDeclared, i.ID, jsonArg(i.Args), file, int64(i.Origin.Line), revision, timeArg(i.TrackedAt))
	if err != nil {
		return err
	}
	changed = changed || differs
	if now != old.stand {
		err := w.c.exec(updateStanding, i.ID, now.scope, boolArg(now.tracked), now.outcome, now.settled, now.pending, now.met, now.failed, now.metLate)
		if err != nil {
			return err
		}
		changed = true
	}
	err = w.c.exec(updateReads, i.ID, boolArg(i.NotFound), timeArg(i.FirstReadAt), timeArg(i.ReadAt), timeArg(i.ObservedAt), timeArg(i.Due),
		int64(i.Failures), int64(i.Unchanged), textArg(i.LastError), blobArg(i.BodyDigest), idArg(i.RawID),
		timeArg(i.Pulls.LastSuccessAt), idArg(i.Pulls.PulledTotal), idArg(i.Pulls.LossWindows))
	if err != nil {
		return err
	}
	_, differs, err = w.c.one(updateObserved, i.ID, jsonArg(i.Seen), jsonArg(i.Values), expectations)
	if changed || differs {
		w.serial++
	}
	return err
}

// follow keeps the subjects of records in step with who tracks them.
func (w *writer) follow(i *state.ItemWrite, old before, to place) error {
	moved := old.exists && (old.place.scope != to.scope || old.identity != to.identity)
	on, was := to.forgotten == nil, old.exists && old.place.tracked()
	if w.peopled[old.place.scope] {
		err := error(nil)
		switch {
		case moved:
			err = w.c.exec(leaveSubject, old.place.scope, old.identity, i.ID)
		case was && !on:
			err = w.c.exec(dropSubject, old.place.scope, old.identity, i.ID)
		}
		if err != nil {
			return err
		}
	}
	if !w.peopled[to.scope] {
		return nil
	}
	if on && (!was || moved) {
		if err := w.c.exec(takeSubject, to.scope, to.identity, i.ID); err != nil {
			return err
		}
	}
	if i.FoldedTo != 0 {
		return w.c.exec(foldSubject, to.scope, to.identity, i.ID, i.FoldedTo)
	}
	return nil
}

// clash puts a broken uniqueness into words.
func clash(err error) error {
	if !isConstraint(err) {
		return err
	}
	switch text := err.Error(); {
	case strings.Contains(text, "items.block"):
		return fmt.Errorf("another item is tracked at this address: %w", err)
	case strings.Contains(text, "items.scope"):
		return fmt.Errorf("another item tracks this record of the vendor: %w", err)
	}
	return err
}

func (w *writer) writeTouches(touches []state.Touch) error {
	if len(touches) == 0 {
		return nil
	}
	row, _, err := w.c.one(selectChanges)
	if err != nil {
		return err
	}
	start := row.int(0)
	for i := range touches {
		t := &touches[i]
		err := w.c.exec(updateTouched, t.ItemID, timeArg(t.ReadAt), timeArg(t.ObservedAt), timeArg(t.Due),
			int64(t.Failures), int64(t.Unchanged), textArg(t.LastError))
		if err != nil {
			return err
		}
	}
	if row, _, err = w.c.one(selectChanges); err != nil {
		return err
	}
	if missing := int64(len(touches)) - (row.int(0) - start); missing != 0 {
		return fmt.Errorf("state %s: touched items: %d of %d do not exist: %w", w.c.path, missing, len(touches), state.ErrNotFound)
	}
	return nil
}
