// Package state is Waybill's memory: what is tracked, what was seen, and the
// vendors' own bytes as evidence. A driver (sqlite) implements Store and passes
// the conformance suite in statetest.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// The errors that callers tell apart.
var (
	// ErrNotFound: no such item, raw or output.
	ErrNotFound = errors.New("not found in the state")
	// ErrNoState: there is no state yet (a reader was opened on a path with no database).
	ErrNoState = errors.New("no state yet")
	// ErrNewer: the database was written by a newer Waybill.
	ErrNewer = errors.New("the state was written by a newer version of Waybill")
	// ErrFull: there is no room on the disk. The store works on once there is.
	ErrFull = errors.New("no room for the state")
	// ErrBusy: another program holds the database for longer than we wait.
	ErrBusy = errors.New("the state is held by another program")
	// ErrCorrupt: what is there is damaged, or no state at all.
	ErrCorrupt = errors.New("the state is damaged")
	// ErrDenied: this user may not read or write there.
	ErrDenied = errors.New("the state may not be opened")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the state is closed")
)

// Store is a state open for writing, by its one writer.
type Store interface {
	Reader

	// Commit makes everything in the batch durable, or nothing of it, before it
	// returns (one fsync may serve many callers). Calls may come from many
	// goroutines; batches are carried out one after the other, in the order in
	// which Commit was called from one goroutine. A cancelled ctx stops waiting,
	// not the write: then it is unknown whether the batch was made durable.
	Commit(ctx context.Context, batch *Batch) error

	// NewItemID and NewRawID give identifiers that were never used in this state,
	// for use in a Batch.
	NewItemID() int64
	NewRawID() int64
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
	// ForgottenItem returns the forgotten item of that identity, whose history a
	// new declaration takes up, or ErrNotFound.
	ForgottenItem(ctx context.Context, typ, account, identity string) (*plan.Item, error)
	// Schedule yields what an agent must remember of every tracked item: cheap,
	// for a million of them at start.
	Schedule(ctx context.Context) iter.Seq2[Slot, error]
	// Tally counts an item's records that count.
	Tally(ctx context.Context, item *plan.Item) (Tally, error)
	// Unfolded returns the ids of tracked items that have records which no Tally
	// that was committed (ItemWrite.FoldedTo) has counted.
	Unfolded(ctx context.Context, limit int) ([]int64, error)

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
	Counts(ctx context.Context) (Counts, error)
	// Note returns a named note of the agent's (see Batch.Notes), "" when unset.
	Note(ctx context.Context, name string) (string, error)
	// Meta tells the lineage (made once), and the serial (counts commits that
	// changed declared or observed values).
	Meta(ctx context.Context) (Meta, error)

	// Backup writes a consistent copy of the state to a new file.
	Backup(ctx context.Context, path string) error
	Close() error
}

// ItemFilter selects items; zero fields select all tracked ones.
type ItemFilter struct {
	Type      string // resource type
	Name      string // block name, with Type
	Unsettled bool   // only those not settled
	Forgotten bool   // forgotten ones instead of tracked ones
	// Declared leaves out what only reading needs, for the diff of a million items:
	// ID, Address, Account, Identity, Args, Origin, Revision, TrackedAt,
	// ForgottenAt, Outcome and Settled are there, the rest may be empty.
	Declared bool
}

// Slot is what the schedule keeps of one tracked item.
type Slot struct {
	ItemID  int64
	Type    string
	Account string
	Due     time.Time // zero: none
	Settled bool
}

// Tally is a plan.Tally and how far it counts.
type Tally struct {
	plan.Tally
	UpTo int64 // for ItemWrite.FoldedTo
}

// HistoryFilter selects events. An Address selects the items that stand, or last
// stood, there, with what happened to them at other addresses; without a key, those
// of all instances of the block.
type HistoryFilter struct {
	Address *plan.Address
	Since   time.Time
	AfterID int64 // only events with a larger Seq
}

// RecordFilter selects records.
type RecordFilter struct {
	Type   string
	Status plan.RecordStatus
	Since  time.Time // of ReceivedAt

	// RawID selects what was made of one raw; the other fields do not count then.
	RawID int64
	// Same selects the contents that stand beside a record: those of its Type,
	// Account and Key, or, without a Key, of its Digest. The other fields do not
	// count then.
	Same *plan.Record
}

// RawFilter selects raws.
type RawFilter struct {
	AfterID int64 // only raws with a larger id
	// Quarantined selects those of which a quarantined record was made.
	Quarantined bool
}

// RawKind is how bytes arrived.
type RawKind string

// The kinds of raws.
const (
	RawPoll     RawKind = "poll"
	RawPull     RawKind = "pull"
	RawCallback RawKind = "callback"
)

// Raw is evidence: the vendor's exact bytes.
type Raw struct {
	ID       int64
	Kind     RawKind
	Account  string
	ItemID   int64 // of the polled item or the pull policy; 0 for callbacks
	At       time.Time
	Status   int // HTTP status of an answer, 0 for a callback
	Complete bool
	Body     []byte
	// Derived says that records and differences were made of it. Land a pull with
	// false, then commit what it came to with Batch.Derived.
	Derived bool
}

// Intent is a pull that is about to be made.
type Intent struct {
	ID        string // unique, made by the caller
	ItemID    int64
	Address   plan.Address
	Account   string
	Limit     int
	StartedAt time.Time
}

// Batch is what becomes durable together, carried out in the order of the fields.
type Batch struct {
	Raws      []Raw
	Derived   []int64 // raws that are derived now
	Intents   []Intent
	Concluded []string // intents that are over
	Items     []ItemWrite
	Touches   []Touch
	// Records are stored once each: one of equal (Type, Account, Key, Digest) is
	// kept, the first. A record with an empty Key is stored once for each Digest. Of
	// one key with several digests the latest EventTime counts, else the first; the
	// others get Conflict. The items they belong to become unfolded.
	//
	// Superseded are ids of records that are told otherwise now: they are deleted
	// before Records are written. One of Records may take the place of one of them by
	// having its ID (the ID of any other is given by the store). Of each key concerned
	// it is decided anew which content counts, after Records.
	Superseded  []int64
	Records     []plan.Record
	Events      []plan.Event // Seq is given by the store
	LossWindows []plan.LossWindow
	Outputs     *[]StoredOutput // all of them, replacing what was
	Checks      *[]plan.Check   // likewise
	Notes       map[string]string

	// NewRecords is set by Commit: how many of Records were not there yet.
	NewRecords int
}

// ItemWrite is an item as it is to stand, new or changed (by ID). Setting
// ForgottenAt forgets it; writing a forgotten one with a zero ForgottenAt
// tracks it again. Only the item's differing columns need be written.
type ItemWrite struct {
	plan.Item
	// FoldedTo is the UpTo of the Tally in Values; zero leaves it as it is.
	FoldedTo int64
}

// Touch is the bookkeeping of a read that told nothing new, cheaper than an ItemWrite.
type Touch struct {
	ItemID     int64
	ReadAt     time.Time
	ObservedAt time.Time // zero: as it is
	Due        time.Time
	Failures   int
	Unchanged  int
	LastError  string
}

// StoredOutput is an output as it is kept; a sensitive one has no value.
type StoredOutput struct {
	Name      string
	Sensitive bool
	Known     bool            // false: known after the first read
	Type      json.RawMessage // cty type as JSON
	Value     json.RawMessage // canonical JSON
}

// Counts are the numbers of the metrics.
type Counts struct {
	Items        map[ItemCount]int64
	Records      map[RecordCount]int64
	LossWindows  map[string]int64 // account -> how many
	Expectations map[plan.ExpectationState]int64
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

// Meta is what the state says of itself.
type Meta struct {
	Lineage string
	Serial  int64
	Version int // of the schema
}

// Owner names who holds a state for writing.
type Owner struct {
	ID      string    `json:"id"`
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Started time.Time `json:"started"`
}

// LockedError is returned when another live process writes to the state.
type LockedError struct {
	Path  string
	Owner Owner
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("state %s is in use by pid %d on %s (%s, since %s): stop it first, or wait until it is done",
		e.Path, e.Owner.PID, e.Owner.Host, e.Owner.Command, e.Owner.Started.UTC().Format(time.RFC3339))
}
