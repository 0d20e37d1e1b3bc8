package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/state"
)

// request is a batch on its way to the writer, with whatever could be worked
// out before.
type request struct {
	batch   *state.Batch
	bodies  []body   // of batch.Raws
	changes []any    // of batch.Events
	expects []expect // of batch.Items
	rows    int

	writes     []itemChange // of batch.Items, once the writer looked
	careful    bool         // the versions of batch.Touches are read before anything is written
	stale      error        // a *state.StaleError: nothing of it was written
	newRecords int
	retold     int
	done       chan answer // has room for it
}

type body struct {
	stored []byte
	packed bool
}

type expect struct {
	text  any
	stand standing
}

// answer is what Commit is told.
type answer struct {
	newRecords, retold int
	err                error
}

// prepare does the work on a batch that needs no database, on the caller's
// goroutine: the writer is the one that everybody waits for.
func (p *packer) prepare(b *state.Batch) (*request, error) {
	r := &request{batch: b, done: make(chan answer, 1)}
	r.rows = 1 + len(b.Raws) + len(b.Derived) + len(b.Intents) + len(b.Concluded) + 3*len(b.Items) + len(b.Touches) +
		3*len(b.Superseded) + len(b.Records) + len(b.Events) + len(b.LossWindows) + len(b.Outbox) + len(b.Told) + len(b.Notes)
	if len(b.Raws) > 0 {
		r.bodies = make([]body, len(b.Raws))
		for i := range b.Raws {
			r.bodies[i].stored, r.bodies[i].packed = p.pack(b.Raws[i].Body)
		}
	}
	var err error
	if len(b.Events) > 0 {
		r.changes = make([]any, len(b.Events))
		for i := range b.Events {
			if r.changes[i], err = changesArg(b.Events[i].Changes); err != nil {
				return nil, fmt.Errorf("event of %s: %w", b.Events[i].Address, err)
			}
		}
	}
	if len(b.Items) > 0 {
		r.expects = make([]expect, len(b.Items))
		for i := range b.Items {
			e := &r.expects[i]
			if e.text, e.stand, err = expectationsArg(b.Items[i].Expectations); err != nil {
				return nil, fmt.Errorf("item %s: %w", b.Items[i].Address, err)
			}
		}
	}
	return r, nil
}

// pair is two texts, or a scope and an identity's text, as a key of a cache.
type pair struct{ a, b string }

type subjectKey struct {
	scope    int64
	identity string
}

// maxSubjects bounds the cache of subjects.
const maxSubjects = 100_000

// writer carries out batches on the one connection that writes. One goroutine
// uses it.
type writer struct {
	c      *conn
	files  *files
	damage *damage

	// What names have which ids: all of the database's, as of the last commit or
	// this transaction. Emptied when a transaction is rolled back.
	words    map[string]int64
	accounts map[string]int64
	blocks   map[pair]int64
	scopes   map[pair]int64
	subjects map[subjectKey]int64

	peopled  map[int64]bool // scopes that have subjects
	lastItem int64          // no item has a larger id
	lastRaw  int64          // when the store was opened
	lastRec  int64          // likewise records and marks
	lastSeq  int64          // likewise events
	stored   int64          // as in state.Meta: of what was acknowledged

	// Of the present transaction, written at its end.
	marks            map[int64]mark // of subjects
	serial, declared int64          // by how much to raise them
}

// mark is what the present transaction's records do to a subject.
type mark struct {
	newest int64 // record
	count  int64 // new records
}

var (
	begin      = &query{"begin", "BEGIN IMMEDIATE"}
	commit     = &query{"commit", "COMMIT"}
	rollback   = &query{"rollback", "ROLLBACK"}
	selectLast = &query{"last ids", `SELECT
		(SELECT coalesce(max(id), 0) FROM items), (SELECT coalesce(max(id), 0) FROM raws),
		max((SELECT coalesce(max(id), 0) FROM records), (SELECT coalesce(max(mark), 0) FROM subjects)),
		(SELECT coalesce(max(seq), 0) FROM events)`}
	selectPeopled = &query{"scopes of records", `SELECT id FROM scopes WHERE EXISTS (SELECT 1 FROM subjects WHERE scope = scopes.id)`}
	updateMark    = &query{"mark of a subject", `UPDATE subjects SET mark = max(mark, ?2), records = records + ?3 WHERE id = ?1`}
	updateSerial  = &query{"serial", `UPDATE meta SET serial = serial + ?1, declared = declared + ?2`}
)

// openWriter opens the connection that writes, and brings the schema up to date.
func openWriter(path string, fault func(string) error) (*writer, error) {
	c, err := connect(path, writing, fault)
	if err != nil {
		return nil, err
	}
	// The journal mode is kept in the file, so it is set only once the file is
	// known to be ours, and of a version that we know.
	if _, err = c.version(); err == nil {
		err = c.script("journal mode", "PRAGMA journal_mode = WAL")
	}
	if err == nil {
		err = c.migrate()
	}
	if err == nil {
		err = c.keepLog()
	}
	var w *writer
	if err == nil {
		w, err = newWriter(c)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return w, nil
}

func newWriter(c *conn) (*writer, error) {
	w := &writer{c: c, peopled: make(map[int64]bool)}
	w.reset()
	row, _, err := c.one(selectLast)
	if err != nil {
		return nil, err
	}
	w.lastItem, w.lastRaw, w.lastRec, w.lastSeq = row.int(0), row.int(1), row.int(2), row.int(3)
	err = c.each(background, selectPeopled, func(s *stmt) (bool, error) {
		w.peopled[s.int(0)] = true
		return true, nil
	})
	return w, err
}

// reset forgets what a transaction that is rolled back may have taught.
func (w *writer) reset() {
	w.words, w.accounts = make(map[string]int64), make(map[string]int64)
	w.blocks, w.scopes = make(map[pair]int64), make(map[pair]int64)
	w.subjects, w.marks = make(map[subjectKey]int64), make(map[int64]mark)
	w.serial, w.declared = 0, 0
}

// carryOut writes the group's batches in one transaction and answers each. When
// that fails for what is in one of them, each is tried alone, so that one bad
// batch costs only itself.
func (w *writer) carryOut(group []*request) {
	err := w.vouched(group)
	if err != nil && len(group) > 1 && !hopeless(err) {
		for i := range group {
			w.carryOut(group[i : i+1])
		}
		return
	}
	for _, r := range group {
		r.done <- answer{r.newRecords, r.retold, cmp.Or(err, r.stale)}
	}
}

// vouched carries out the group in one transaction, and answers without an error
// only for what is on disk in the files that are the state.
func (w *writer) vouched(group []*request) error {
	if err := w.damage.found(); err != nil {
		return err
	}
	err := w.files.intact(w.c)
	if err == nil {
		var stored int64
		stored, err = w.transact(group)
		for errors.Is(err, errCareful) { // each of the group at most once
			stored, err = w.transact(group)
		}
		if err == nil {
			err = w.files.kept(w.c)
		}
		if err == nil {
			w.stored = stored
		}
	}
	return w.damage.note(err)
}

// hopeless reports whether the trouble is the database's, so that trying again
// at once would only meet it again. A full disk is not: a small batch may fit
// where a large one did not.
func hopeless(err error) bool {
	return errors.Is(err, state.ErrBusy) || errors.Is(err, state.ErrCorrupt) || errors.Is(err, state.ErrDenied) ||
		errors.Is(err, state.ErrReplaced)
}

// transact carries out the group in one transaction, and tells how much is stored
// then.
func (w *writer) transact(group []*request) (stored int64, err error) {
	if !w.c.db.AutoCommit() { // the last rollback went wrong
		if err := w.c.exec(rollback); err != nil {
			return 0, err
		}
	}
	if err := w.c.exec(begin); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			if !w.c.db.AutoCommit() { // SQLite rolls back by itself when it must
				w.c.exec(rollback) // tried again before the next transaction
			}
			w.reset()
		}
	}()
	for _, r := range group {
		err := w.check(r)
		if stale, is := errors.AsType[*state.StaleError](err); is {
			r.stale = stale
			continue
		}
		if err == nil {
			err = w.apply(r)
		}
		if err != nil {
			return 0, err
		}
	}
	for subject, m := range w.marks {
		if err := w.c.exec(updateMark, subject, m.newest, m.count); err != nil {
			return 0, err
		}
	}
	if w.serial > 0 {
		if err := w.c.exec(updateSerial, w.serial, w.declared); err != nil {
			return 0, err
		}
	}
	row, _, err := w.c.one(selectStored)
	if err != nil {
		return 0, err
	}
	stored = row.int(0)
	failpoint.Hit(failpoint.CommitBegin)
	if err := w.c.exec(commit); err != nil {
		return 0, err
	}
	failpoint.Hit(failpoint.CommitEnd)
	clear(w.marks)
	w.serial, w.declared = 0, 0
	if len(w.subjects) > maxSubjects {
		clear(w.subjects)
	}
	return stored, nil
}

// settle moves what the write-ahead log holds into the database before it is
// closed, as far as readers let it: the file alone is the state then.
func (w *writer) settle() error {
	failpoint.Hit(failpoint.CheckpointBegin)
	err := errors.Join(w.c.script("busy timeout", "PRAGMA busy_timeout = 0"), w.c.script("checkpoint", "PRAGMA wal_checkpoint(TRUNCATE)"))
	failpoint.Hit(failpoint.CheckpointFinished)
	return err
}

// end closes the connection; noted says why how much is stored could not be noted.
// Of a log that was cut off nothing may be moved into
// the database, as SQLite does when it closes: then it stays open, and ends with the
// process.
func (w *writer) end(log *slog.Logger, noted error) error {
	if err := w.files.intact(w.c); err != nil {
		log.Warn("the state is not closed in order", "error", err)
		if _, cut := errors.AsType[*cutOff](err); cut {
			return nil
		}
		return w.c.close()
	}
	err := noted
	if err == nil {
		err = w.settle()
	} else {
		err = errors.Join(err, w.c.script("bounds of the write-ahead log", "PRAGMA journal_size_limit = -1")) // or closing empties it
	}
	if err != nil {
		log.Debug("write-ahead log kept", "err", err)
	}
	return w.c.close()
}

// apply carries out one batch in the order of its fields.
func (w *writer) apply(r *request) error {
	r.newRecords, r.retold = 0, 0
	b := r.batch
	if err := w.writeRaws(r); err != nil {
		return err
	}
	if err := w.writeIntents(b); err != nil {
		return err
	}
	if err := w.writeItems(r); err != nil {
		return err
	}
	if err := w.writeTouches(r); err != nil {
		return err
	}
	if err := w.writeRecords(r); err != nil {
		return err
	}
	if err := w.writeEvents(r); err != nil {
		return err
	}
	for i := range b.LossWindows {
		if err := w.writeLoss(&b.LossWindows[i]); err != nil {
			return err
		}
	}
	if err := w.writeResults(b); err != nil {
		return err
	}
	if err := w.writeOutbox(b); err != nil {
		return err
	}
	return w.writeNotes(b.Notes)
}
