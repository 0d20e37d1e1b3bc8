package sqlite

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/state"
)

// explain puts what SQLite said into words: which file, what happened, what to
// do. The trouble that callers tell apart wraps state.ErrFull, ErrBusy,
// ErrCorrupt or ErrDenied. op is a noun phrase such as "commit".
func explain(path, op string, err error) error {
	if err == nil {
		return nil
	}
	var se sqlite3.Error
	if !errors.As(err, &se) {
		return fmt.Errorf("state %s: %s: %w", path, op, err)
	}
	kind, advice := error(nil), ""
	switch se.Code {
	case sqlite3.ErrFull:
		kind, advice = state.ErrFull, "free some space on its disk; nothing that was recorded is lost"
	case sqlite3.ErrIoErr:
		if se.SystemErrno != 0 {
			return &trouble{fmt.Sprintf("state %s: %s: %v (%v): look after its disk", path, op, se, se.SystemErrno), nil, err}
		}
		advice = "look after its disk"
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		kind, advice = state.ErrBusy, "another program holds it: close it there (a sqlite3 shell, a copy under way) and try again"
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		kind, advice = state.ErrCorrupt, "put a backup in its place (keep the damaged file for salvage)"
	case sqlite3.ErrPerm, sqlite3.ErrReadonly, sqlite3.ErrCantOpen:
		kind, advice = state.ErrDenied, "see to it that this user may read and write the file and its directory"
	default:
		return fmt.Errorf("state %s: %s: %w", path, op, err)
	}
	return &trouble{fmt.Sprintf("state %s: %s: %v: %s", path, op, se, advice), kind, err}
}

// trouble is an error in words that wraps its kind and its cause.
type trouble struct {
	text  string
	kind  error // nil: none that callers tell apart
	cause error
}

func (t *trouble) Error() string { return t.text }

func (t *trouble) Unwrap() []error {
	if t.kind == nil {
		return []error{t.cause}
	}
	return []error{t.kind, t.cause}
}

// isConstraint reports whether a statement ran against a constraint: the fault
// of what was to be written, not of the disk.
func isConstraint(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && se.Code == sqlite3.ErrConstraint
}
