package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/durable"
	"github.com/waybill-dev/waybill/state"
)

// A backup that is put in the place of a state looks like a state: nothing in it
// says that more was stored here once. So how much that was is remembered beside it,
// in waybill.db.seen: at the end, and while something is stored at most a second
// later. A writer that dies within that second leaves a note that says less than was
// stored; then a state put back is known by the write-ahead log, which a dead writer
// leaves full and a backup does not have.

// seenPath is where it stands. It is no part of a backup.
func seenPath(path string) string { return path + ".seen" }

// rememberEvery is how long what was stored may go unnoted.
const rememberEvery = time.Second

// sighting is a state as it was last seen by its writer.
type sighting struct {
	Lineage string    `json:"lineage"`
	Stored  int64     `json:"stored"` // as in state.Meta
	At      time.Time `json:"at"`
	Closed  bool      `json:"closed"` // nothing was stored afterwards
	First   time.Time `json:"first"`  // when this lineage was first seen here
}

// seen keeps what was last seen of a state. Not safe for concurrent use.
type seen struct {
	path string // of the database
	last sighting
	// restored is what must be told before anything is noted again.
	restored *state.Restored
	closed   bool // nothing more is noted
}

// compare holds what was last seen against what is there. hadLog says whether there was
// a write-ahead log with something in it before the database was opened.
func compare(path string, meta state.Meta, newest time.Time, hadLog bool) (*seen, error) {
	s := &seen{path: path}
	text, err := os.ReadFile(seenPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: what was last seen of it: %w", path, err)
	}
	how := ""
	switch err := json.Unmarshal(text, &s.last); {
	case err != nil:
		how = "what was last seen of it cannot be read"
	case s.last.Lineage != meta.Lineage:
		how = "another state stood here"
	case s.last.Stored > meta.Stored:
		how = "more was stored here: this is an older copy"
	case !s.last.Closed && !hadLog:
		how = "its writer died, and this is not what it left"
	default:
		return s, nil
	}
	since := newest
	if since.IsZero() || s.last.Lineage != meta.Lineage && !s.last.First.IsZero() {
		since = s.last.First
	}
	s.restored = &state.Restored{ID: fmt.Sprintf("%x", sha256.Sum256(text))[:16], Since: since, How: how}
	return s, nil
}

// note writes down what is there, unless what was there before is still to be told.
func (s *seen) note(meta state.Meta, closed bool, now time.Time) error {
	next := sighting{Lineage: meta.Lineage, Stored: meta.Stored, At: now.UTC(), Closed: closed, First: s.last.First}
	if s.closed || s.restored != nil {
		return nil
	}
	if s.last.Lineage == next.Lineage && s.last.Stored == next.Stored && s.last.Closed == closed {
		s.closed = closed // a late note that the state is open must not take this end back
		return nil
	}
	if meta.Stored == 0 && s.last.Lineage == "" {
		return nil // a state with nothing in it cannot be missed: it may be removed again
	}
	if s.last.Lineage != next.Lineage || next.First.IsZero() {
		next.First = next.At
	}
	text, err := json.Marshal(next)
	if err == nil {
		err = durable.Replace(seenPath(s.path), append(text, '\n'))
	}
	if err == nil && closed { // it must not come back as it was before, when the log is empty
		err = durable.SyncDir(filepath.Dir(s.path))
	}
	if err != nil {
		return fmt.Errorf("state %s: note of how much is stored: %w", s.path, err)
	}
	s.last, s.closed = next, closed
	return nil
}

// selectNewest is when something was last stored.
var selectNewest = &query{"newest", `SELECT max(coalesce((SELECT at FROM raws ORDER BY id DESC LIMIT 1), 0),
	coalesce((SELECT at FROM events ORDER BY seq DESC LIMIT 1), 0))`}

func (r *Reader) newest(ctx context.Context) (at time.Time, err error) {
	for at, err := range stream(ctx, r, selectNewest, func(_ *view, s *stmt) (time.Time, error) { return s.time(0), nil }) {
		if at.UnixNano() == 0 {
			at = time.Time{}
		}
		return at, err
	}
	return time.Time{}, nil
}

// lookBack compares the state with what was last seen of it, and returns what the
// state says of itself.
func (r *Reader) lookBack(hadLog bool) (*seen, state.Meta, error) {
	meta, err := r.Meta(background)
	if err != nil {
		return nil, meta, err
	}
	newest, err := r.newest(background)
	if err != nil {
		return nil, meta, err
	}
	s, err := compare(r.path, meta, newest, hadLog)
	return s, meta, err
}

// Restored tells what is known of a state that was put back.
func (s *Store) Restored(context.Context) (*state.Restored, error) {
	s.seenLock.Lock()
	defer s.seenLock.Unlock()
	return s.seen.restored, nil
}

// RestoreTold says that it was told of.
func (s *Store) RestoreTold(context.Context) error {
	s.seenLock.Lock()
	s.seen.restored = nil
	s.seenLock.Unlock()
	return s.remember(false)
}

// remember notes how much is stored. The writer counted that: what stands at the
// path by now may be another state.
func (s *Store) remember(closed bool) error {
	s.seenLock.Lock()
	defer s.seenLock.Unlock()
	return s.seen.note(state.Meta{Lineage: s.lineage, Stored: s.kept.Load()}, closed, time.Now())
}

// rememberAll notes it, a while after something was stored, until the store closes.
func (s *Store) rememberAll() {
	defer close(s.remembered)
	said := "" // a trouble that goes on is said once
	for {
		select {
		case <-s.stopped:
			return
		case <-s.stored:
		}
		if err := s.remember(false); err == nil {
			said = ""
		} else if said != err.Error() {
			said = err.Error()
			s.log.Warn("a restore could go unnoticed", "error", err)
		}
		select {
		case <-s.stopped:
			return
		case <-time.After(rememberEvery):
		}
	}
}
