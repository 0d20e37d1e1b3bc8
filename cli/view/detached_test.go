package view

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader is somebody who reads what a program writes.
type reader struct {
	mu    sync.Mutex
	text  bytes.Buffer
	stand chan struct{} // not nil: reads nothing until it is closed
	err   error
}

func (r *reader) Write(b []byte) (int, error) {
	if r.stand != nil {
		<-r.stand
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.text.Write(b)
}

// Whoever writes to a detached stream neither waits for a reader that stands, nor
// hears of one that is gone.
func TestDetachedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{stand: make(chan struct{})}
		s := NewStream(r)
		s.Detach()
		line := strings.Repeat("x", 1023) + "\n"
		for range 3000 {
			if _, err := s.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		if begun := time.Now(); s.Flush() != nil || time.Since(begun) != lastWords {
			t.Errorf("the end waited %s for a reader that stands", time.Since(begun))
		}
		close(r.stand)
		synctest.Wait()
		_, _ = s.Write([]byte("after\n"))
		if begun := time.Now(); s.Flush() != nil || time.Since(begun) != 0 {
			t.Errorf("the end waited %s for a reader that reads", time.Since(begun))
		}
		kept := strings.Count(r.text.String(), line)
		if kept > 2100 || kept < 1000 {
			t.Errorf("%d lines were kept", kept)
		}
		if want := strings.Split(r.text.String(), "\n"); len(want) < 3 || want[len(want)-2] != "after" || !strings.HasSuffix(want[len(want)-3], "lines are missing here: nobody read them in time") {
			t.Errorf("it ends with %q", want[max(0, len(want)-3):])
		}
		r.err = errors.New("broken pipe")
		_, _ = s.Write([]byte("lost\n"))
		if err := s.Flush(); err != nil {
			t.Errorf("a reader that is gone: %v", err)
		}
		r.err = nil
		_, _ = s.Write([]byte("again\n"))
		_ = s.Flush()
		if !strings.HasSuffix(r.text.String(), "again\n") {
			t.Error("what comes after a failed write is not written")
		}
	})
}
