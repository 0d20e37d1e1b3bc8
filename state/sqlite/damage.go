package sqlite

import (
	"errors"
	"sync"

	"github.com/waybill-dev/waybill/state"
)

// damage remembers that a state was found damaged, by whoever reads or writes it:
// what is written to it from then on could be lost with the rest.
type damage struct {
	mu  sync.Mutex
	err error
}

// note remembers an error that tells of damage, and returns it as it is.
func (d *damage) note(err error) error {
	cut, is := errors.AsType[*cutOff](err)
	if err == nil || !(is && cut.lasting) && !errors.Is(err, state.ErrCorrupt) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	return err
}

// found is the damage that was found first.
func (d *damage) found() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}
