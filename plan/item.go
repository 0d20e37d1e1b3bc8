package plan

import (
	"encoding/json"
	"time"

	"github.com/waybill-dev/waybill/value"
)

// Item is one tracked thing, as the state remembers it.
type Item struct {
	ID int64
	// Version is raised by the state each time the item is written, if only
	// touched: what is written must be made from the present one. 0: never written.
	Version  int64
	Address  Address
	Account  string
	Identity string
	// Args is the canonical JSON of the declared arguments, as in Desired.
	Args json.RawMessage
	// Settings are the meta-arguments among Args, decoded.
	Settings Settings
	// Seen is the canonical JSON of the last observation's attributes, empty
	// before the first good read. Polled types only.
	Seen json.RawMessage
	// NotFound says that the last answer was that there is no such record.
	NotFound bool
	// Values is the canonical JSON of the observed values (Type.ObservedType):
	// what Derive made of the evidence when the item was last recorded.
	Values   json.RawMessage
	Outcome  Outcome // as in Values, for questions by outcome
	Settled  bool    // as in Values
	Origin   Origin
	Revision string // that declared it as it is

	TrackedAt   time.Time
	FirstReadAt time.Time // first good answer, "not found" included; zero before
	ReadAt      time.Time // last attempt to read, good or bad; zero before. The floor counts from here.
	ObservedAt  time.Time // last good answer
	Due         time.Time // next read or pull; zero: none (settled, suspended, counted)
	Failures    int       // failed reads in a row
	Unchanged   int       // good reads in a row that told nothing new
	LastError   string    // of the last read, empty after a good one
	// BodyDigest is a hash of the last good answer's body: an equal answer needs
	// no parsing and keeps no evidence.
	BodyDigest []byte
	RawID      int64 // evidence of the last difference

	Pulls        PullTally // policy items
	Expectations []Expectation
	ForgottenAt  time.Time // zero while tracked
}

// FullIdentity is what makes the item the same whatever its address.
func (i *Item) FullIdentity() Identity {
	return Identity{Type: i.Address.Type(), Account: i.Account, Vendor: i.Identity}
}

// Declare takes over from d what a declaration says of an item: where it
// stands, its arguments and where they are written.
func (i *Item) Declare(d *Desired) {
	i.Address, i.Args, i.Settings, i.Origin = d.Address, d.Args, d.Settings, d.Origin
}

// GiveUpAt is when the item settles with what has arrived; zero for one that is
// waited for without end.
func (i *Item) GiveUpAt() time.Time {
	if i.Settings.GiveUpAfter <= 0 {
		return time.Time{}
	}
	return i.TrackedAt.Add(i.Settings.GiveUpAfter)
}

// GaveUp reports whether give_up_after has passed since tracking.
func (i *Item) GaveUp(now time.Time) bool {
	at := i.GiveUpAt()
	return !at.IsZero() && !now.Before(at)
}

// ExpectationState is how an expectation stands.
type ExpectationState string

// The states of an expectation.
const (
	ExpectPending ExpectationState = "pending"
	ExpectMet     ExpectationState = "met"
	ExpectFailed  ExpectationState = "failed"
	ExpectMetLate ExpectationState = "met late"
)

// Expectation is the state of one expect block of one item.
type Expectation struct {
	Name    string           `json:"name"`
	State   ExpectationState `json:"state"`
	Since   time.Time        `json:"since"`             // of this state
	Message string           `json:"message,omitempty"` // the error message while failed
}

// Event is one line of the history: what happened to one item, or to one account,
// at one time.
type Event struct {
	Seq     int64
	At      time.Time
	ItemID  int64   // 0 of an account
	Address Address // zero of an account
	Account string  // of what concerns an account as a whole; "" of an item
	Action  Action
	// By is who did it, where a person did: the name of a login or a token. Why is
	// what that person said. Both are "" for what the configuration, a vendor or the
	// clock did.
	By, Why  string
	Revision string
	Changes  []value.Field
	RawID    int64 // evidence, 0 where there is none
}
