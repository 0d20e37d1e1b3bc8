package plan

import (
	"encoding/json"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"
)

// Outcome is what became of an item or a record, in Waybill's five words.
type Outcome string

// The outcomes.
const (
	Pending   Outcome = "pending"
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	Partial   Outcome = "partial"
	Unknown   Outcome = "unknown"
)

// Observation is one polled thing as the vendor told it.
type Observation struct {
	// Seen is an object of the vendor's attributes, in the types of the resource
	// type's Attributes; those it does not mention may be missing.
	Seen cty.Value
	// NotFound says that the vendor knows no such record; Seen is then cty.NilVal.
	NotFound bool
	// Message is the vendor's word on a record that was not found.
	Message string
}

// Via is how a record arrived.
type Via string

// The ways of records.
const (
	ViaPull     Via = "pull"
	ViaPush     Via = "push"
	ViaBackfill Via = "backfill" // asked for again, because it could have been lost
)

// Record is one report or callback: one thing that a vendor told once. Its content
// is never edited: what is told otherwise is another record.
type Record struct {
	ID int64 // given by the store
	// Place is the ID of the first record that stood here: its own, unless a replay
	// told that record otherwise. It stays when the ID does not.
	Place    int64
	Via      Via
	Type     string // "ucloud_usms_message" or "nxcloud_number_check"
	Account  string
	Key      string // requestId, or SessionNo/Phone; "" when it could not be read
	Identity string // the identity of the item that it belongs to: session_no or batch_no
	Outcome  Outcome
	Code     string // the vendor's code, for counting failures
	// Amount and Currency are what the vendor charged for it; nil where it does not tell.
	Amount   *apd.Decimal
	Currency string
	Parts    int64 // CostCount: parts charged
	// EventTime is the vendor's own time of it (ReceiptTime), zero where it tells none.
	EventTime  time.Time
	ReceivedAt time.Time
	// Attributes is the canonical JSON of the vendor's fields in snake_case.
	Attributes json.RawMessage
	// Digest tells contents of one key apart: a hash of the content, whatever
	// its spacing and order.
	Digest [16]byte
	// Quarantined says why it could not be understood; "" when it was.
	Quarantined string
	// Conflict says that another content of the same key counts, not this one.
	Conflict bool
	// Superseded says that a replay told it otherwise: a later record of the same
	// Place stands for it.
	Superseded bool
	RawID      int64
	// Address is that of the item it belongs to; nil when nobody declares it.
	// Filled by the store when records are read.
	Address *Address
}

// RecordStatus is how a record stands to the items.
type RecordStatus string

// The statuses of records.
const (
	Matched     RecordStatus = "matched"
	Unmatched   RecordStatus = "unmatched"
	Quarantined RecordStatus = "quarantined"
)

// Status says how the record stands to the items.
func (r *Record) Status() RecordStatus {
	switch {
	case r.Quarantined != "":
		return Quarantined
	case r.Address != nil:
		return Matched
	}
	return Unmatched
}

// Tally is what a counted item's records come to: those that count, one of
// each key.
type Tally struct {
	Received    int64
	Succeeded   int64
	Failed      int64
	Unknown     int64
	FailedCodes map[string]int64
	Parts       int64
	Costs       map[string]*apd.Decimal // currency -> exact sum
	LastEvent   time.Time               // latest EventTime
	LastAt      time.Time               // latest ReceivedAt
	LastRawID   int64
}

// PullTally is what a policy's pulls come to.
type PullTally struct {
	LastSuccessAt time.Time // zero before the first complete answer
	PulledTotal   int64     // reports in the answers, duplicates too
	LossWindows   int64
}

// LossWindow is a stretch of time in which records may have been lost at a
// vendor, or here: visible, bounded where it can be, never silent.
type LossWindow struct {
	ID       int64
	Address  Address // of the pull policy; its Type is "" for an outage of the receiver
	Account  string
	From, To time.Time
	Bound    int64 // at most so many records; -1: no bound
	Salvaged int64 // records saved from a page that was cut short
	Cause    LossCause
	Detail   string // in words
	RawID    int64  // the cut page, 0 where nothing came
	// Backfilled is how many records that may have been lost came in another way
	// since, and ClosedAt when nothing could be missing any more; zero while open.
	Backfilled int64
	ClosedAt   time.Time
}

// LossCause is why a loss window was opened.
type LossCause string

// The causes of loss windows.
const (
	LossPull      LossCause = "pull"      // an answer that did not arrive whole
	LossRetention LossCause = "retention" // nobody pulled for longer than the vendor keeps reports
	LossOutage    LossCause = "outage"    // nobody received for longer than the vendor repeats callbacks
	LossRestore   LossCause = "restore"   // the state is older than the one that was written to here
)
