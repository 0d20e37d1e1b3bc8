package state

import (
	"encoding/json"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

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
	// Redacted says that credentials of ours in the body were overwritten, for a
	// raw is exact but for these; Digest is then the SHA-256 of the body as it came.
	Redacted bool
	Digest   [32]byte
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
// An item stands in Items or in Touches, not in both.
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
	// Superseded are ids of records that are told otherwise now, by those of Records or
	// by none: they stay as they are, and count no more. One of Records takes the place
	// of one of them by having its Place, and is what was received there then. Of each
	// key concerned it is decided anew which content counts, after Records.
	Superseded []int64
	Records    []plan.Record // with a Via; ID is given by the store
	Events     []plan.Event  // Seq is given by the store
	// LossWindows are new ones, or those of an ID, of which Backfilled and ClosedAt
	// are written.
	LossWindows []plan.LossWindow
	Outputs     *[]StoredOutput // all of them, replacing what was
	Checks      *[]plan.Check   // likewise
	Outbox      []Notice        // new ones, or those of an ID, of which Due and Attempts are written
	Told        []int64         // notices that are in the outbox no more
	Notes       map[NoteKey]string

	// NewRecords is set by Commit: how many of Records were not there yet. Retold is,
	// too: how many of those are another content of a key that was there.
	NewRecords, Retold int
}

// ItemWrite is an item as it is to stand, new (Version 0) or changed (by ID, with the
// Version that it was loaded with). Setting
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
	Version    int64 // that it was made from, as in plan.Item
	ReadAt     time.Time
	ObservedAt time.Time // zero: as it is
	Due        time.Time
	Failures   int
	Unchanged  int
	LastError  string
}

// NoteKey names a note: a text that an agent leaves for its next life.
type NoteKey struct {
	Agent string // "" where a state has one agent at a time
	Name  string
}

// Notice is something that a target is to be told, at least once.
type Notice struct {
	ID       int64           // given by the store
	Target   string          // the name of its notify block
	ItemID   int64           // that it is about: told in order for each; 0 for none
	Event    json.RawMessage // what is told
	At       time.Time       // when it happened
	Due      time.Time       // when it is tried next
	Attempts int             // that went wrong
}

// StoredOutput is an output as it is kept; a sensitive one has a type and no value.
type StoredOutput struct {
	Name      string
	Sensitive bool
	Known     bool            // false: not, or in part; known after the first read
	Type      json.RawMessage // cty type as JSON
	Value     json.RawMessage // canonical JSON; where not all is known, of value.EncodePartly; empty where nothing is
}
