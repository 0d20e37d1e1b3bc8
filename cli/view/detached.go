package view

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxWaiting bounds what waits for a reader.
const maxWaiting = 1 << 20

// lastWords is how long the end of a program waits for its reader.
const lastWords = time.Second

// detached is a writer that never waits for its reader, and that the reader's end
// does not trouble: whoever writes has more to lose than a line of a log. What
// does not fit while the reader stands is dropped, and counted where it is missing.
type detached struct {
	w io.Writer

	mu      sync.Mutex
	changed *sync.Cond
	waiting []byte
	dropped int  // lines, since the last that was kept
	writing bool // run is under way
}

func newDetached(w io.Writer) *detached {
	d := &detached{w: w}
	d.changed = sync.NewCond(&d.mu)
	return d
}

// Write implements io.Writer. It takes whole lines or nothing of them, at once.
func (d *detached) Write(text []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting)+len(text) > maxWaiting {
		d.dropped += bytes.Count(text, []byte("\n"))
		return len(text), nil
	}
	if d.dropped > 0 {
		d.waiting = fmt.Appendf(d.waiting, "%d lines are missing here: nobody read them in time\n", d.dropped)
		d.dropped = 0
	}
	d.waiting = append(d.waiting, text...)
	if !d.writing {
		d.writing = true
		go d.run()
	}
	return len(text), nil
}

// run writes what waits, until nothing does. An error costs what was to be
// written: the next may reach somebody again.
func (d *detached) run() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) > 0 {
		text := d.waiting
		d.waiting = nil
		d.mu.Unlock()
		_, _ = d.w.Write(text)
		d.mu.Lock()
	}
	d.writing = false
	d.changed.Broadcast()
}

// drain waits until everything is written, but no longer than that.
func (d *detached) drain(longest time.Duration) {
	expired := false
	timer := time.AfterFunc(longest, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		expired = true
		d.changed.Broadcast()
	})
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.writing && !expired {
		d.changed.Wait()
	}
}
