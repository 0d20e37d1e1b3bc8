package providers

import (
	"errors"
	"time"
)

// Kind says what sort of trouble a vendor, or the way to it, made; the agent
// decides by it alone what to do next.
type Kind uint8

// The kinds of trouble.
const (
	Transient    Kind = iota // time-out, 5xx, connection lost: again later
	Throttled                // too many requests: again later, not before RetryAfter
	Credentials              // wrong key, signature or clock: the account is paused
	Permission               // right key, not allowed: the account is paused
	Rejected                 // the vendor finds fault with the request itself
	WrongContent             // HTML, cut off, oversized, another identifier: not observed
)

var kindNames = [...]string{"transient", "throttled", "credentials", "permission", "rejected", "wrong_content"}

// String is the kind as metrics and logs name it.
func (k Kind) String() string { return kindNames[k] }

// Error is what a vendor said, or how it could not be heard. Its text ends with
// what to do, holds no secret (the vendor's bytes were redacted as they came
// in, see Redactor) and no phone number (see Quote), and at most a short piece
// of the vendor's own message.
type Error struct {
	Kind       Kind
	RetryAfter time.Duration // zero: none given
	Err        error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the *Error in err's chain, Transient where there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Transient
}
