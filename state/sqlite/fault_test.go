package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// After trouble of the database the store works on, and an acknowledged batch
// is there while a refused one is not. Each call into the database fails once.
func TestEachCallFailsOnce(t *testing.T) {
	for _, c := range []struct{ fault, want error }{
		{sqlite3.Error{Code: sqlite3.ErrFull}, state.ErrFull},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, state.ErrBusy},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, nil},
		{errors.New("odd"), nil},
	} {
		t.Run(c.fault.Error(), func(t *testing.T) {
			dir := t.TempDir()
			for n := 1; ; n++ {
				path := filepath.Join(dir, fmt.Sprint(n))
				var calls atomic.Int64 // of the writer, and of what notes how much it stored
				var armed atomic.Bool
				s := open(t, path, sqlite.Options{Fault: func(op string) error {
					if armed.Load() && calls.Add(1) == int64(n) {
						return c.fault
					}
					return nil
				}})
				item := state.ItemWrite{Item: plan.Item{ID: itemID(s), Address: plan.NewAddress("t", "n", plan.NoKey), Account: "a", Identity: "1"}}
				raw := rawID(s)
				batch := func(name string) *state.Batch {
					b := note(name)
					b.Raws = []state.Raw{{ID: raw, Kind: state.RawPull, Body: []byte("x")}}
					b.Items = []state.ItemWrite{item}
					b.Records = []plan.Record{{Type: "t", Via: plan.ViaPull, Account: "a", Identity: "1", Key: "k"}}
					b.Events = []plan.Event{{ItemID: item.ID, Address: item.Address}}
					return b
				}
				armed.Store(true)
				failed := s.Commit(t.Context(), batch("first"))
				if failed != nil {
					if c.want != nil && !errors.Is(failed, c.want) {
						t.Fatalf("call %d: error %v, want %v", n, failed, c.want)
					}
					if err := s.Commit(t.Context(), batch("second")); err != nil {
						t.Fatalf("call %d failed; then the store does: %v", n, err)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				r, err := sqlite.OpenReader(path)
				if err != nil {
					t.Fatal(err)
				}
				text, err := r.Note(t.Context(), state.NoteKey{Name: "note"})
				records, events := 0, 0
				for range r.Records(t.Context(), state.RecordFilter{}) {
					records++
				}
				for range r.History(t.Context(), state.HistoryFilter{}) {
					events++
				}
				want := "first"
				if failed != nil {
					want = "second"
				}
				if text != want || err != nil || records != 1 || events != 1 {
					t.Fatalf("call %d: note %q, want %q, %d records, %d events, error %v", n, text, want, records, events, err)
				}
				r.Close()
				if failed == nil && calls.Load() < int64(n) {
					if n < 10 {
						t.Fatalf("only %d calls were made to fail", n-1)
					}
					return
				}
			}
		})
	}
}

// A real disk that is full: what was refused is refused plainly, and room is all
// that the store needs.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("waybill", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "waybill.db")
	s := open(t, path, sqlite.Options{})
	if err := s.Commit(t.Context(), note("before")); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	big := note("big")
	big.Raws = []state.Raw{{ID: rawID(s), Kind: state.RawPull, Body: []byte(strings.Repeat("no room for this", 1<<20)[:400])}}
	for range 2000 {
		big.Notes[state.NoteKey{Name: fmt.Sprint(len(big.Notes))}] = strings.Repeat("x", 1000)
	}
	if err := s.Commit(t.Context(), big); !errors.Is(err, state.ErrFull) {
		t.Errorf("commit on a full disk: %v, want ErrFull", err)
	}
	if text, err := s.Note(t.Context(), state.NoteKey{Name: "note"}); text != "before" || err != nil {
		t.Errorf("note %q, %v", text, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), note("after")); err != nil {
		t.Fatalf("commit with room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, sqlite.Options{})
	if text, err := again.Note(t.Context(), state.NoteKey{Name: "note"}); text != "after" || err != nil {
		t.Errorf("note %q, %v", text, err)
	}
}
