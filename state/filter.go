package state

import (
	"time"

	"github.com/waybill-dev/waybill/plan"
)

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
	// Paged reads tracked items in pages, each its own snapshot, for whoever may take
	// his time over them (a terminal, a pipe): what moves meanwhile may be yielded twice
	// or not at all. Otherwise all of them are one snapshot, which is held as long as
	// the iteration lasts.
	Paged bool
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
	// Superseded adds the records that a replay told otherwise, which are left out else.
	Superseded bool

	// RawID selects what is made of one raw; the other fields do not count then.
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
