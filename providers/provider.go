// Package providers is the contract with vendors and what all vendors share.
// A vendor package under this folder implements a Definition: schemas that are
// readable offline, pure parsers, facts that the agent asks for (how long it keeps
// what nobody pulled, how it repeats a push), and a Connect that makes the small
// interfaces it needs: a Poller, a Puller, a Gate.
//
// What comes from a vendor walks one way: its bytes come in, through the Client or
// the receiver, and are redacted there (Redactor); they are kept; a parser unpacks
// them (Open, Unpack) and reads them by one set of rules (Fields, ReadRecord); what
// is wrong becomes an *Error. docs/adding-a-vendor.md shows it for a new vendor.
//
// The package and those below it touch the network through Client alone, and no
// file, no environment and no state; parsers touch nothing but their arguments.
// They import plan and value, and a vendor never imports another.
package providers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// Definition is one vendor.
type Definition struct {
	Schema *plan.Schema

	// Observe reads the answer to a poll: pure, so that replay can do it again.
	// Its errors are *Error; "not found" is an observation, not an error. Nil for
	// vendors that are not polled.
	Observe func(target Target, answer Answer) (plan.Observation, error)

	// Records reads a pulled page or a pushed body: pure. See Page. Nil for vendors
	// that are neither pulled nor push.
	Records func(answer Answer) Page

	// Retention is how long the vendor keeps what nobody pulled. Zero for vendors
	// that are not pulled.
	Retention time.Duration

	// Redelivery is how the vendor repeats a push that was not answered 200. Zero
	// for vendors that do not push.
	Redelivery Redelivery

	// Connect makes a live connection from a provider block's values (marks taken
	// off). It makes no network call.
	Connect func(config cty.Value, options Options) (*Connection, error)
}

// Redelivery is how long a vendor goes on with a push that was not accepted.
type Redelivery struct {
	// For is the time after which it gives up, and a result is lost.
	For time.Duration
	// Chance is a little more than the time between two attempts: once pushes have
	// been accepted for so long, what was refused before has come again.
	Chance time.Duration
}

// Options are what the program gives each connection.
type Options struct {
	// Transport carries the requests; nil means the usual one (tests give another).
	Transport http.RoundTripper
	Now       func() time.Time
	Log       *slog.Logger
	UserAgent string
}

// Connection is one account at one vendor, with those of Poller, Puller and Gate
// that the vendor has; rate limits and concurrency of the account hold inside them.
type Connection struct {
	Poller Poller
	Puller Puller
	Gate   Gate
	// Redactor knows the account's credentials, for what arrives by another way
	// than Poller and Puller, which use it themselves.
	Redactor *Redactor
	// MinInterval is the floor between two reads of one item (polled).
	MinInterval time.Duration
	// Timeout bounds one call.
	Timeout time.Duration
	// Concurrency is how many calls may be under way at once.
	Concurrency int
}

// Target is what a poll asks for.
type Target struct {
	Type     string
	Identity string
	Args     cty.Value // complete arguments of the item
	// Config is the provider block's values, for what decides how an answer is
	// read (globfax's time_zone). cty.NilVal means the defaults.
	Config cty.Value
}

// Poller reads one item. The error is an *Error when no answer arrived; an
// answer of any status is an Answer, judged by Definition.Observe.
type Poller interface {
	Poll(ctx context.Context, target Target) (Answer, error)
}

// Puller takes what is queued, destructively: what it returns, the vendor has
// deleted. It never sends a request twice. When only part of an answer arrived
// it returns that part, Complete false, together with an *Error.
type Puller interface {
	Pull(ctx context.Context, request PullRequest) (Answer, error)
}

// PullRequest is one page.
type PullRequest struct {
	Project string // ucloud's ProjectId, "" for the default
	Limit   int
}

// Gate judges who may push.
type Gate interface {
	// Admit says whether a callback with this path token from this address is
	// authentic. Constant time over the tokens.
	Admit(token string, from netip.Addr) bool
}

// Verifier is a Gate of a vendor that signs what it pushes.
type Verifier interface {
	Gate
	// Verify says whether the body of an admitted callback is what the vendor
	// signed, by its headers. What it refuses is not stored. How old the signature
	// is does not matter: what comes again is a duplicate.
	Verify(header http.Header, body []byte) bool
}

// Answer is what arrived, byte for byte.
type Answer struct {
	At     time.Time // when the last byte arrived (or the attempt ended)
	Status int       // HTTP status, 0 when none arrived
	// RetryAfter is what the vendor asked for, zero when nothing.
	RetryAfter time.Duration
	// Body is read through Open or Unpack: it may be compressed.
	Body []byte
	// Redacted says that credentials of ours in the body were overwritten; Sum is
	// then the SHA-256 of the body as it came.
	Redacted bool
	Sum      [32]byte
	// Complete says that the body arrived to its end and within the size bound.
	Complete bool
	// Reached says that a connection was made, so that the vendor may have seen
	// (and acted on) the request.
	Reached bool
}

// Page is what a pulled page or a pushed body came to.
//
//	Whole   Err    meaning
//	true    nil    understood; Records holds all of it, quarantined ones among them
//	true    set    the vendor refused (RetCode other than 0): nothing was deleted
//	false   set    cut short, not HTTP 200, or not the vendor's envelope; Records holds what was salvaged
//
// Every record has Type, Key, Identity, Outcome, Code, Amount, Currency, Parts,
// EventTime, Attributes and Digest; Account, ReceivedAt and RawID are filled by the caller.
// A record that does not fit is one with Quarantined set and whatever could be read.
type Page struct {
	Records []plan.Record
	Whole   bool
	Err     error
}
