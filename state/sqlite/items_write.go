package sqlite

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/waybill-dev/waybill/state"
)

var (
	selectOld = &query{"item before", `SELECT i.block, i.key, i.scope, i.identity, i.forgotten_at,
			r.scope, r.tracked, r.outcome, r.settled, r.expect_pending, r.expect_met, r.expect_failed, r.expect_met_late, r.version,
			i.args IS ?2, i.file = ?3 AND i.line = ?4 AND i.revision = ?5 AND i.tracked_at IS ?6
		FROM items i JOIN reads r ON r.item = i.id WHERE i.id = +?1`}
	selectItemVersion = &query{"version of an item", `SELECT version FROM reads WHERE item = ?1`}
	insertItem        = &query{"new item", `INSERT INTO items (id, block, key, scope, identity, args, file, line, revision, tracked_at, forgotten_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`}
	insertReads = &query{"new item's reads", `INSERT INTO reads (item, scope, tracked, outcome, settled,
			expect_pending, expect_met, expect_failed, expect_met_late,
			not_found, first_read_at, read_at, observed_at, due, failures, unchanged, last_error, body_digest, raw,
			pull_success_at, pulled_total, loss_windows, version)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, 1)`}
	insertObserved = &query{"new item's values", `INSERT INTO observed (item, seen, "values", expectations) VALUES (?1, ?2, ?3, ?4)`}

	// The columns are written in the groups in which they change, so that an
	// ordinary read rewrites no index and no arguments.
	parkItem       = &query{"item on the move", `UPDATE items SET forgotten_at = ?2 WHERE id = ?1`}
	updatePlace    = &query{"item's place", `UPDATE items SET block = ?2, key = ?3, scope = ?4, identity = ?5, forgotten_at = ?6 WHERE id = ?1`}
	updateDeclared = &query{"item's declaration", `UPDATE items SET args = ?2, file = ?3, line = ?4, revision = ?5, tracked_at = ?6 WHERE id = ?1`}
	updateStanding = &query{"item's standing", `UPDATE reads SET scope = ?2, tracked = ?3, outcome = ?4, settled = ?5,
			expect_pending = ?6, expect_met = ?7, expect_failed = ?8, expect_met_late = ?9 WHERE item = ?1`}
	updateReads = &query{"item's reads", `UPDATE reads SET not_found = ?2, first_read_at = ?3, read_at = ?4, observed_at = ?5, due = ?6,
			failures = ?7, unchanged = ?8, last_error = ?9, body_digest = ?10, raw = ?11,
			pull_success_at = ?12, pulled_total = ?13, loss_windows = ?14, version = version + 1 WHERE item = ?1`}
	updateObserved = &query{"item's values", `UPDATE observed SET seen = ?2, "values" = ?3, expectations = ?4
		WHERE item = ?1 AND (seen IS NOT ?2 OR "values" IS NOT ?3 OR expectations IS NOT ?4) RETURNING 1`}

	updateTouched = &query{"touched item", `UPDATE reads SET read_at = ?2, observed_at = coalesce(?3, observed_at), due = ?4,
			failures = ?5, unchanged = ?6, last_error = ?7, version = version + 1 WHERE item = ?1 AND version = ?8`}
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

// stand is the columns of reads that are in an index.
type stand struct {
	scope            int64
	tracked          bool
	outcome, settled int64
	standing
}

// itemChange is an item as it was and what is to become of it.
type itemChange struct {
	exists bool
	was    place
	old    stand
	// Whether the arguments, and the rest of the declaration, are what they were.
	sameArgs, sameOrigin bool

	to             place
	now            stand
	file, revision int64
}

// check looks at the items of a batch and finds those that were written since the
// batch was made from them: then it is refused with a *state.StaleError, before
// anything of it is written. Touches are found out when they are written, which
// costs nothing more; only when one of them was stale is the group carried out again
// with a look at each first.
func (w *writer) check(r *request) error {
	r.stale = nil
	var stale []int64
	items := r.batch.Items
	if r.writes == nil && len(items) > 0 {
		r.writes = make([]itemChange, len(items))
	}
	for i := range items {
		version, err := w.look(&items[i], &r.writes[i], r.expects[i].stand)
		if err != nil {
			return fmt.Errorf("item %d, %s: %w", items[i].ID, items[i].Address, err)
		}
		if version != items[i].Version {
			stale = append(stale, items[i].ID)
		}
	}
	if r.careful {
		for i := range r.batch.Touches {
			t := &r.batch.Touches[i]
			row, ok, err := w.c.one(selectItemVersion, t.ItemID)
			if err != nil {
				return err
			}
			if !ok || row.int(0) != t.Version {
				stale = append(stale, t.ItemID)
			}
		}
	}
	if stale != nil {
		return &state.StaleError{Items: stale}
	}
	return nil
}

// look finds out what a write changes, and the version of the item: 0 where there
// is none yet.
func (w *writer) look(i *state.ItemWrite, change *itemChange, expects standing) (version int64, err error) {
	if i.ID <= 0 {
		return 0, fmt.Errorf("an item's id comes from NewItemID")
	}
	*change = itemChange{}
	block, err := w.block(i.Address)
	if err != nil {
		return 0, err
	}
	scope, err := w.scope(i.Address.Type(), i.Account)
	if err != nil {
		return 0, err
	}
	if change.file, err = w.word(i.Origin.File); err != nil {
		return 0, err
	}
	if change.revision, err = w.word(i.Revision); err != nil {
		return 0, err
	}
	outcome, err := outcomeArg(i.Outcome)
	if err != nil {
		return 0, err
	}
	settled := int64(0)
	if i.Settled {
		settled = 1
	}
	change.to = place{block, keyArg(i.Address.Key()), scope, i.Identity, timeArg(i.ForgottenAt)}
	change.now = stand{scope, change.to.forgotten == nil, outcome, settled, expects}
	if i.ID > w.lastItem {
		return 0, nil
	}
	row, ok, err := w.c.one(selectOld, i.ID, jsonArg(i.Args), change.file, int64(i.Origin.Line), change.revision, timeArg(i.TrackedAt))
	if err != nil || !ok {
		return 0, err
	}
	change.exists = true
	change.was = place{row.int(0), row.row[1], row.int(2), row.text(3), row.row[4]}
	change.old = stand{row.int(5), row.bool(6), row.int(7), row.int(8), standing{row.int(9), row.int(10), row.int(11), row.int(12)}}
	change.sameArgs, change.sameOrigin = row.bool(14), row.bool(15)
	return row.int(13), nil
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
		for id, i := range last {
			if c := &r.writes[i]; c.exists && c.was.forgotten == nil && c.to != c.was {
				if err := w.c.exec(parkItem, id, parked); err != nil {
					return err
				}
			}
		}
	}
	for i := range items {
		if last != nil && last[items[i].ID] != i {
			continue
		}
		if err := w.writeItem(&items[i], &r.writes[i], r.expects[i].text); err != nil {
			return fmt.Errorf("item %d, %s: %w", items[i].ID, items[i].Address, err)
		}
	}
	return nil
}

func (w *writer) writeItem(i *state.ItemWrite, c *itemChange, expectations any) error {
	write := w.insertItem
	if c.exists {
		write = w.updateItem
	}
	if err := write(i, c, expectations); err != nil {
		return clash(err)
	}
	return w.follow(i, c)
}

func (w *writer) insertItem(i *state.ItemWrite, c *itemChange, expectations any) error {
	err := w.c.exec(insertItem, i.ID, c.to.block, c.to.key, c.to.scope, c.to.identity, jsonArg(i.Args), c.file, int64(i.Origin.Line), c.revision,
		timeArg(i.TrackedAt), c.to.forgotten)
	if err != nil {
		return err
	}
	now := &c.now
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
	w.declared++
	return w.c.exec(insertObserved, i.ID, jsonArg(i.Seen), jsonArg(i.Values), expectations)
}

func (w *writer) updateItem(i *state.ItemWrite, c *itemChange, expectations any) error {
	moved := c.to != c.was
	if moved {
		if err := w.c.exec(updatePlace, i.ID, c.to.block, c.to.key, c.to.scope, c.to.identity, c.to.forgotten); err != nil {
			return err
		}
	}
	if !c.sameArgs || !c.sameOrigin {
		err := w.c.exec(updateDeclared, i.ID, jsonArg(i.Args), c.file, int64(i.Origin.Line), c.revision, timeArg(i.TrackedAt))
		if err != nil {
			return err
		}
	}
	if now := &c.now; *now != c.old {
		err := w.c.exec(updateStanding, i.ID, now.scope, boolArg(now.tracked), now.outcome, now.settled, now.pending, now.met, now.failed, now.metLate)
		if err != nil {
			return err
		}
	}
	err := w.c.exec(updateReads, i.ID, boolArg(i.NotFound), timeArg(i.FirstReadAt), timeArg(i.ReadAt), timeArg(i.ObservedAt), timeArg(i.Due),
		int64(i.Failures), int64(i.Unchanged), textArg(i.LastError), blobArg(i.BodyDigest), idArg(i.RawID),
		timeArg(i.Pulls.LastSuccessAt), idArg(i.Pulls.PulledTotal), idArg(i.Pulls.LossWindows))
	if err != nil {
		return err
	}
	_, differs, err := w.c.one(updateObserved, i.ID, jsonArg(i.Seen), jsonArg(i.Values), expectations)
	if moved || !c.sameArgs {
		w.declared++
	}
	if moved || !c.sameArgs || !c.sameOrigin || c.now != c.old || differs {
		w.serial++
	}
	return err
}

// follow keeps the subjects of records in step with who tracks them.
func (w *writer) follow(i *state.ItemWrite, c *itemChange) error {
	moved := c.exists && (c.was.scope != c.to.scope || c.was.identity != c.to.identity)
	on, was := c.to.forgotten == nil, c.exists && c.was.forgotten == nil
	if w.peopled[c.was.scope] {
		err := error(nil)
		switch {
		case moved:
			err = w.c.exec(leaveSubject, c.was.scope, c.was.identity, i.ID)
		case was && !on:
			err = w.c.exec(dropSubject, c.was.scope, c.was.identity, i.ID)
		}
		if err != nil {
			return err
		}
	}
	if !w.peopled[c.to.scope] {
		return nil
	}
	if on && (!was || moved) {
		if err := w.c.exec(takeSubject, c.to.scope, c.to.identity, i.ID); err != nil {
			return err
		}
	}
	if i.FoldedTo != 0 {
		return w.c.exec(foldSubject, c.to.scope, c.to.identity, i.ID, i.FoldedTo)
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

// errCareful: a touch was stale, as was found when it was written. The group is
// rolled back and carried out again, with care for that batch.
var errCareful = errors.New("touched items are to be looked at first")

func (w *writer) writeTouches(r *request) error {
	touches := r.batch.Touches
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
			int64(t.Failures), int64(t.Unchanged), textArg(t.LastError), t.Version)
		if err != nil {
			return err
		}
	}
	if row, _, err = w.c.one(selectChanges); err != nil {
		return err
	}
	switch missing := int64(len(touches)) - (row.int(0) - start); {
	case missing == 0:
		return nil
	case r.careful:
		return fmt.Errorf("state %s: touched items: %d of %d stand in the batch twice", w.c.path, missing, len(touches))
	}
	r.careful = true
	return errCareful
}
