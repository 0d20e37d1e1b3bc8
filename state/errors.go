package state

import (
	"errors"
	"fmt"
	"time"
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
	// ErrReplaced: what is at the state's path is not what this process opened there.
	ErrReplaced = errors.New("the state was deleted or replaced under this process")
	// ErrStale: an item was written since what is to be written was made from it.
	ErrStale = errors.New("the item was changed meanwhile")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the state is closed")
)

// StaleError names the items of a batch that were written since the batch was
// made from them. It is ErrStale.
type StaleError struct{ Items []int64 }

func (e *StaleError) Error() string {
	return fmt.Sprintf("%v (%d of the batch, such as item %d)", ErrStale, len(e.Items), e.Items[0])
}

// Is makes a StaleError an ErrStale.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

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
	if e.Owner.PID == 0 {
		return fmt.Sprintf("state %s is in use by another process, which its lock file does not name (was it removed?): stop it first, or wait until it is done", e.Path)
	}
	return fmt.Sprintf("state %s is in use by pid %d on %s (%s, since %s): stop it first, or wait until it is done",
		e.Path, e.Owner.PID, e.Owner.Host, e.Owner.Command, e.Owner.Started.UTC().Format(time.RFC3339))
}
