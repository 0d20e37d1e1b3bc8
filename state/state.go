// Package state is Waybill's memory: what is tracked, what was seen, and the
// vendors' own bytes as evidence. A driver (sqlite) implements Store and passes
// the conformance suite in statetest.
//
// It is a contract alone, and touches nothing. Anybody may read a state; agent/record
// alone commits.
package state

import (
	"context"
	"iter"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// Store is a state open for writing. Who opens it holds it from then on: a driver
// refuses with a *LockedError while somebody else does.
type Store interface {
	Reader

	// Commit makes everything in the batch durable, or nothing of it, before it
	// returns (one fsync may serve many callers). Calls may come from many
	// goroutines; batches are carried out one after the other, in the order in
	// which Commit was called from one goroutine. A cancelled ctx stops waiting,
	// not the write: then it is unknown whether the batch was made durable.
	//
	// Each item that is written or touched names the version it was made from. When
	// any of them is not the present one the batch is refused whole, with a
	// *StaleError that names all such items: load them, make the batch again. So
	// nothing needs to be locked between reading an item and writing it, and what goes
	// with an item (its records, its events, the end of a pull) never stands without
	// it. After a Commit without error the batch's Items have their new versions.
	//
	// ErrReplaced and ErrCorrupt are for good: what was answered with them may be gone,
	// and every later Commit is answered so at once.
	Commit(ctx context.Context, batch *Batch) error

	// NewItemID and NewRawID give identifiers that were never used in this state,
	// for use in a Batch.
	NewItemID(ctx context.Context) (int64, error)
	NewRawID(ctx context.Context) (int64, error)

	// Restored tells that more was stored here once than is there now: a backup was put
	// in the place of the state, or another state. nil: nothing is known of that. It is
	// told until RestoreTold, over restarts too: call that once it is recorded.
	Restored(ctx context.Context) (*Restored, error)
	RestoreTold(ctx context.Context) error
}

// Reader is a state open for reading. It may be used beside a writer in
// another process and sees only what was committed.
type Reader interface {
	// Items yields items in the order of their addresses.
	Items(ctx context.Context, filter ItemFilter) iter.Seq2[*plan.Item, error]
	// Item returns the tracked item at an address, or ErrNotFound.
	Item(ctx context.Context, address plan.Address) (*plan.Item, error)
	// ItemsByID returns the items of those ids, tracked or forgotten, in any order;
	// ids that do not exist are left out.
	ItemsByID(ctx context.Context, ids []int64) ([]*plan.Item, error)
	// Schedule yields what an agent must remember of every tracked item: cheap,
	// for a million of them at start.
	Schedule(ctx context.Context) iter.Seq2[Slot, error]
	// Tally counts an item's records that count.
	Tally(ctx context.Context, item *plan.Item) (Tally, error)
	// Unfolded returns the ids of tracked items that have records which no Tally
	// that was committed (ItemWrite.FoldedTo) has counted.
	Unfolded(ctx context.Context, limit int) ([]int64, error)

	// History yields events, oldest first. It reads in pages, as Records and Raws do: each
	// is a snapshot of its own, and none is held while what it yielded is used.
	History(ctx context.Context, filter HistoryFilter) iter.Seq2[*plan.Event, error]
	// Records yields records in the order in which they were recorded (those of
	// one key in any order).
	Records(ctx context.Context, filter RecordFilter) iter.Seq2[*plan.Record, error]
	Raw(ctx context.Context, id int64) (*Raw, error)
	// Raws yields raws in the order of their ids.
	Raws(ctx context.Context, filter RawFilter) iter.Seq2[*Raw, error]
	// Underived yields the raws whose contents were not derived yet (landed, and
	// then the process ended), oldest first, without changing them.
	Underived(ctx context.Context) iter.Seq2[*Raw, error]
	// OpenIntents returns the pulls that were begun and never concluded.
	OpenIntents(ctx context.Context) ([]Intent, error)
	LossWindows(ctx context.Context) ([]plan.LossWindow, error)
	Outputs(ctx context.Context) ([]StoredOutput, error)
	Checks(ctx context.Context) ([]plan.Check, error)
	// Outbox yields what is still to be told, oldest first.
	Outbox(ctx context.Context) iter.Seq2[*Notice, error]
	Counts(ctx context.Context) (Counts, error)
	// Note returns a note (see Batch.Notes), "" when unset.
	Note(ctx context.Context, key NoteKey) (string, error)
	Meta(ctx context.Context) (Meta, error)
	// Owners tells who holds the state for writing: nobody, or the one; several where
	// a driver lets several share it.
	Owners(ctx context.Context) ([]Owner, error)

	// Backup writes a consistent copy of the state to a new file.
	Backup(ctx context.Context, path string) error
	Close() error
}

// Meta is what the state says of itself.
type Meta struct {
	Lineage string // made once, tells states apart
	// Serial counts changes of what is declared and of what was observed. Declared
	// counts the first alone: what was tracked, moved, forgotten, or got other
	// arguments; no observation raises it.
	Serial, Declared int64
	// Stored grows with every raw, record and event: of two copies of one state the
	// one with less is the older.
	Stored  int64
	Version int // of the schema
}

// Restored is what is known of a state that was put back.
type Restored struct {
	ID    string    // tells one time from another
	Since time.Time // what was stored later may be gone
	How   string    // it is known, in words
}

// Slot is what the schedule keeps of one tracked item.
type Slot struct {
	ItemID  int64
	Type    string
	Account string
	Due     time.Time // zero: none
}

// Tally is a plan.Tally and how far it counts.
type Tally struct {
	plan.Tally
	UpTo int64 // for ItemWrite.FoldedTo
}

// Counts are the numbers of the metrics.
type Counts struct {
	Items        map[ItemCount]int64
	Records      map[RecordCount]int64
	LossWindows  map[string]int64 // account -> how many
	Expectations map[plan.ExpectationState]int64
	LogBytes     int64 // of what was written and is not in its place yet: SQLite's write-ahead log
}

// ItemCount is a key of Counts.Items.
type ItemCount struct {
	Type    string
	Outcome plan.Outcome
}

// RecordCount is a key of Counts.Records.
type RecordCount struct {
	Type   string
	Status plan.RecordStatus
}
