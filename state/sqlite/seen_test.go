package sqlite_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// store stores n raws.
func store(t testing.TB, s *sqlite.Store, n int) {
	t.Helper()
	for range n {
		must(t, s.Commit(background, &state.Batch{Raws: []state.Raw{{ID: rawID(s), Kind: state.RawCallback, At: benchStart, Body: []byte("x"), Derived: true}}}))
	}
}

// crash leaves the files of a state as a process that dies now would.
func crash(t testing.TB, path string) string {
	t.Helper()
	dead := filepath.Join(t.TempDir(), "waybill.db")
	for _, suffix := range []string{"", "-wal", ".seen"} {
		if _, err := os.Stat(path + suffix); err == nil {
			copyFile(t, path+suffix, dead+suffix)
		}
	}
	return dead
}

// waitForNote waits until what was stored is noted.
func waitForNote(t testing.TB, s *sqlite.Store, path string) {
	t.Helper()
	meta, err := s.Meta(background)
	must(t, err)
	want := fmt.Sprintf(`"stored":%d,`, meta.Stored)
	for deadline := time.Now().Add(30 * time.Second); ; {
		text, err := os.ReadFile(path + ".seen")
		if err == nil && strings.Contains(string(text), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the note is %q, %v; want %s", text, err, want)
		}
	}
}

func TestRestored(t *testing.T) {
	// Each begins with a state of five raws, a backup of it, and five more.
	for _, c := range []struct {
		name    string
		dies    bool // the writer, instead of closing
		noted   bool // with what it stored noted, if it dies
		restore func(t *testing.T, path string)
		how     string // "": nothing is known
	}{
		{"nothing happens", false, false, nil, ""},
		{"the writer dies", true, true, nil, ""},
		{"the writer dies before it is noted", true, false, nil, ""},
		{"a backup is moved in", false, false, func(t *testing.T, path string) { replace(t, path+".backup", path) }, "older copy"},
		{"a backup is copied over", false, false, func(t *testing.T, path string) { copyFile(t, path+".backup", path) }, "older copy"},
		{"a backup after a death", true, true, func(t *testing.T, path string) { remove(t, path+"-wal"); replace(t, path+".backup", path) }, "older copy"},
		{"a backup after a death that was not noted", true, false, func(t *testing.T, path string) { remove(t, path+"-wal"); replace(t, path+".backup", path) }, "not what it left"},
		{"a backup beside the log of the dead", true, true, func(t *testing.T, path string) { replace(t, path+".backup", path) }, "older copy"},
		{"a backup beside the log of the dead, copied over", true, true, func(t *testing.T, path string) { copyFile(t, path+".backup", path) }, "older copy"},
		{"a backup beside the log of the dead, not noted", true, false, func(t *testing.T, path string) { replace(t, path+".backup", path) }, "not what it left"},
		{"an empty file beside the log of the dead", true, true, func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, "another state"},
		{"deleted", false, false, func(t *testing.T, path string) { remove(t, path, path+"-wal") }, "another state"},
		{"all of it deleted", false, false, func(t *testing.T, path string) { remove(t, path, path+"-wal", path+".seen") }, ""},
		{"the note is damaged", false, false, func(t *testing.T, path string) { must(t, os.WriteFile(path+".seen", []byte("{"), 0o600)) }, "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "waybill.db")
			s := open(t, path, sqlite.Options{})
			store(t, s, 5)
			waitForNote(t, s, path)
			note, err := os.ReadFile(path + ".seen")
			must(t, err)
			must(t, s.Backup(t.Context(), path+".backup"))
			store(t, s, 5)
			if c.dies {
				if c.noted {
					waitForNote(t, s, path)
				}
				dead := crash(t, path)
				copyFile(t, path+".backup", dead+".backup")
				must(t, s.Close())
				if path = dead; !c.noted {
					must(t, os.WriteFile(path+".seen", note, 0o600))
				}
			} else {
				must(t, s.Close())
			}
			if c.restore != nil {
				c.restore(t, path)
			}
			for n := range 3 { // until it is told, whatever is stored meanwhile
				s = open(t, path, sqlite.Options{})
				got, err := s.Restored(t.Context())
				must(t, err)
				switch {
				case (got != nil) != (c.how != ""):
					t.Fatalf("start %d: restored %+v, want %q", n, got, c.how)
				case got != nil && (!strings.Contains(got.How, c.how) || got.ID == ""):
					t.Errorf("start %d: restored %+v, want %q", n, got, c.how)
				case got != nil && c.how == "older copy" && !got.Since.Equal(benchStart):
					t.Errorf("since %v, want when the last of it was stored, %v", got.Since, benchStart)
				}
				store(t, s, 1)
				must(t, s.Close())
			}
			s = open(t, path, sqlite.Options{})
			must(t, s.RestoreTold(t.Context()))
			must(t, s.Close())
			s = open(t, path, sqlite.Options{})
			if got, err := s.Restored(t.Context()); got != nil || err != nil {
				t.Errorf("after it was told: %+v, %v", got, err)
			}
		})
	}
}

// A note that cannot be written at the end makes no restore of the next start.
func TestUnnotedEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	store(t, s, 5)
	waitForNote(t, s, path)
	store(t, s, 5)
	must(t, os.Mkdir(path+".seen.tmp", 0o700)) // in the way of the note
	must(t, s.Close())
	must(t, os.Remove(path+".seen.tmp"))
	s = open(t, path, sqlite.Options{})
	if got, err := s.Restored(t.Context()); got != nil || err != nil {
		t.Errorf("restored %+v, %v", got, err)
	}
}

// A state with nothing in it is not missed when it is removed again.
func TestEmptyStateIsNotMissed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	must(t, s.Commit(t.Context(), note("x")))
	must(t, s.Close())
	remove(t, path, path+"-wal", path+"-shm")
	s = open(t, path, sqlite.Options{})
	if got, err := s.Restored(t.Context()); got != nil || err != nil {
		t.Errorf("restored %+v, %v", got, err)
	}
}

// An end that has nothing new to note is an end too: the note that something was
// written, which comes a moment later, must not take it back. Whether it comes
// before or after is chance, so it is tried many times.
func TestEndWithNothingNewToNote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	store(t, s, 1)
	must(t, s.Close())
	for i := range 40 {
		s := open(t, path, sqlite.Options{})
		if got, err := s.Restored(t.Context()); got != nil || err != nil {
			t.Fatalf("start %d: restored %+v, %v", i, got, err)
		}
		must(t, s.Commit(t.Context(), note("x"))) // which counts as nothing stored
		must(t, s.Close())
	}
}

// A note that cannot be written for long is told of once, and again only when it was
// written in between.
func TestTroubleWithTheNoteIsSaidOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "waybill.db")
		var log bytes.Buffer
		s := open(t, path, sqlite.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, os.Mkdir(path+".seen.tmp", 0o700)) // in the way of the note
		for range 3 {
			store(t, s, 1)
			time.Sleep(2 * time.Second) // it is noted within one
		}
		_ = s.Close() // which says that it could not be noted
		if n := strings.Count(log.String(), "could go unnoticed"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
	})
}
