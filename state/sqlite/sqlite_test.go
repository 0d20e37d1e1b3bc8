package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/state/statetest"
)

func TestConformance(t *testing.T) {
	statetest.Run(t, statetest.Driver{
		Open: func(place string) (state.Store, error) {
			return sqlite.Open(filepath.Join(place, "waybill.db"), owner(), sqlite.Options{})
		},
		OpenReader: func(place string) (state.Reader, error) { return sqlite.OpenReader(filepath.Join(place, "waybill.db")) },
		OpenBackup: func(path string) (state.Reader, error) { return sqlite.OpenReader(path) },
	})
}

func owner() state.Owner {
	host, _ := os.Hostname() // without one the tests of the lock tell
	return state.Owner{ID: "test", PID: os.Getpid(), Host: host, Command: "waybill test", Started: time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)}
}

func open(t *testing.T, path string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, owner(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func note(text string) *state.Batch { return &state.Batch{Notes: map[string]string{"note": text}} }

// listing names the files of a directory with their modes.
func listing(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %v", e.Name(), info.Mode()))
	}
	return list
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "waybill.db"), sqlite.Options{})
	if err := s.Commit(t.Context(), note("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "copy")); err != nil {
		t.Fatal(err)
	}
	list := listing(t, dir)
	if len(list) != 5 {
		t.Errorf("files: %q, want the database, its -wal and -shm, the lock and the copy", list)
	}
	for _, f := range list {
		if !strings.HasSuffix(f, " -rw-------") {
			t.Errorf("file %s, want mode 0600", f)
		}
	}
}

// A reader leaves no file behind and changes no byte of the state.
func TestReaderCreatesNothing(t *testing.T) {
	for name, closing := range map[string]bool{"beside a writer": false, "after one": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "waybill.db")
			s := open(t, path, sqlite.Options{})
			if err := s.Commit(t.Context(), note("x")); err != nil {
				t.Fatal(err)
			}
			if closing {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			content := func() (all []byte) {
				for _, suffix := range []string{"", "-wal", ".lock"} {
					text, err := os.ReadFile(path + suffix)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, text...)
				}
				return all
			}
			files, bytesBefore := listing(t, dir), content()
			r, err := sqlite.OpenReader(path)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := r.Note(t.Context(), "note"); text != "x" || err != nil {
				t.Errorf("note %q, %v", text, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if after := listing(t, dir); fmt.Sprint(after) != fmt.Sprint(files) {
				t.Errorf("files before %q, after %q", files, after)
			}
			if !bytes.Equal(content(), bytesBefore) {
				t.Error("the state's bytes changed")
			}
		})
	}
	t.Run("where there is none", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "waybill.db")
		if _, err := sqlite.OpenReader(path); !errors.Is(err, state.ErrNoState) {
			t.Errorf("error %v, want ErrNoState", err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.OpenReader(path); !errors.Is(err, state.ErrNoState) {
			t.Errorf("empty file: error %v, want ErrNoState", err)
		}
		if list := listing(t, dir); len(list) != 1 {
			t.Errorf("files: %q", list)
		}
	})
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "what?.db", "no#1.db", "ä+&=.db", "%41.db"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		s := open(t, path, sqlite.Options{})
		if err := s.Commit(t.Context(), note(name)); err != nil {
			t.Fatal(err)
		}
		r, err := sqlite.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := r.Note(t.Context(), "note"); text != name || err != nil {
			t.Errorf("%s: note %q, %v", name, text, err)
		}
		r.Close()
		if list := listing(t, dir); len(list) != 4 || !strings.HasPrefix(list[0], name+" ") {
			t.Errorf("%s: files %q", name, list)
		}
	}
}

// alter changes a state behind the driver's back.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func TestUnfitFiles(t *testing.T) {
	made := func(t *testing.T, path string) {
		s := open(t, path, sqlite.Options{})
		for n := range 200 {
			if err := s.Commit(t.Context(), &state.Batch{Notes: map[string]string{fmt.Sprint(n): strings.Repeat("x", 400)}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want error // nil: none that is told apart
		says string
	}{
		{"newer", func(t *testing.T, path string) {
			made(t, path)
			alter(t, path, "PRAGMA user_version = 99")
		}, state.ErrNewer, "schema 99, this one knows 1"},
		{"no database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, bytes.Repeat([]byte("this is no database\n"), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, state.ErrCorrupt, "put a backup in its place"},
		{"damaged", func(t *testing.T, path string) {
			made(t, path)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(text[100:4096], make([]byte, 4096)) // the schema
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, state.ErrCorrupt, "put a backup in its place"},
		{"of another program", func(t *testing.T, path string) { alter(t, path, "CREATE TABLE contacts (name TEXT)") }, nil, "another program"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "waybill.db")
			c.make(t, path)
			for what, open := range map[string]func() error{
				"writer": func() error { _, err := sqlite.Open(path, owner(), sqlite.Options{}); return err },
				"reader": func() error { _, err := sqlite.OpenReader(path); return err },
			} {
				err := open()
				if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.Contains(fmt.Sprint(err), path) {
					t.Errorf("%s: error %v, want %v that names the file and says %q", what, err, c.want, c.says)
				}
			}
			if o, err := sqlite.ReadOwner(path); o != nil || err != nil {
				t.Errorf("the lock is held after a failed open: %v, %v", o, err)
			}
		})
	}
	t.Run("in a directory that is not there", func(t *testing.T) {
		if _, err := sqlite.Open(filepath.Join(t.TempDir(), "no", "waybill.db"), owner(), sqlite.Options{}); err == nil {
			t.Error("opened")
		}
	})
}

func TestBodiesAreKeptSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	long, short := bytes.Repeat([]byte(`{"SessionNo":"d0aa6c6e"},`), 1000), []byte(`{"code":0}`)
	err := s.Commit(t.Context(), &state.Batch{Raws: []state.Raw{{ID: s.NewRawID(), Kind: state.RawPull, Body: long}, {ID: s.NewRawID(), Kind: state.RawPull, Body: short}}})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var first, second int
	if err := db.QueryRow("SELECT min(length(body)), max(length(body)) FROM raws").Scan(&second, &first); err != nil {
		t.Fatal(err)
	}
	if first > len(long)/10 || second > len(short) {
		t.Errorf("bodies of %d and %d bytes take %d and %d", len(long), len(short), first, second)
	}
}

// Nothing of the state is a floating-point number.
func TestNoReals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	open(t, path, sqlite.Options{})
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var columns, odd, loose int
	err = db.QueryRow(`SELECT count(*), total(c.type NOT IN ('INTEGER', 'TEXT', 'BLOB', 'ANY')), total(NOT t.strict)
		FROM pragma_table_list t JOIN pragma_table_info(t.name) c WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'`).Scan(&columns, &odd, &loose)
	if err != nil || columns < 50 || odd != 0 || loose != 0 {
		t.Errorf("%d columns, %d of another type, %d in tables that are not strict, error %v", columns, odd, loose, err)
	}
}

// After trouble of the database the store works on, and an acknowledged batch
// is there while a refused one is not. Each call into the database fails once.
func TestEachCallFailsOnce(t *testing.T) {
	for _, fault := range []error{
		sqlite3.Error{Code: sqlite3.ErrFull}, sqlite3.Error{Code: sqlite3.ErrBusy}, sqlite3.Error{Code: sqlite3.ErrIoErr}, errors.New("odd"),
	} {
		t.Run(fault.Error(), func(t *testing.T) {
			dir := t.TempDir()
			for n := 1; ; n++ {
				path := filepath.Join(dir, fmt.Sprint(n))
				calls, armed := 0, false
				s := open(t, path, sqlite.Options{Fault: func(op string) error {
					if !armed {
						return nil
					}
					if calls++; calls == n {
						return fault
					}
					return nil
				}})
				item := state.ItemWrite{Item: plan.Item{ID: s.NewItemID(), Address: plan.Address{Type: "t", Name: "n"}, Account: "a", Identity: "1"}}
				raw := s.NewRawID()
				batch := func(name string) *state.Batch {
					b := note(name)
					b.Raws = []state.Raw{{ID: raw, Kind: state.RawPull, Body: []byte("x")}}
					b.Items = []state.ItemWrite{item}
					b.Touches = []state.Touch{{ItemID: item.ID}}
					b.Records = []plan.Record{{Type: "t", Account: "a", Identity: "1", Key: "k"}}
					b.Events = []plan.Event{{ItemID: item.ID, Address: item.Address}}
					return b
				}
				armed = true // no goroutine calls before the first Commit
				failed := s.Commit(t.Context(), batch("first"))
				if failed != nil {
					if want := map[sqlite3.ErrNo]error{sqlite3.ErrFull: state.ErrFull, sqlite3.ErrBusy: state.ErrBusy}; true {
						var se sqlite3.Error
						if errors.As(fault, &se) && want[se.Code] != nil && !errors.Is(failed, want[se.Code]) {
							t.Fatalf("call %d: error %v, want %v", n, failed, want[se.Code])
						}
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
				text, err := r.Note(t.Context(), "note")
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
				if failed == nil && calls < n {
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
	big.Raws = []state.Raw{{ID: s.NewRawID(), Kind: state.RawPull, Body: []byte(strings.Repeat("no room for this", 1<<20)[:400])}}
	for range 2000 {
		big.Notes[fmt.Sprint(len(big.Notes))] = strings.Repeat("x", 1000)
	}
	if err := s.Commit(t.Context(), big); !errors.Is(err, state.ErrFull) {
		t.Errorf("commit on a full disk: %v, want ErrFull", err)
	}
	if text, err := s.Note(t.Context(), "note"); text != "before" || err != nil {
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
	if text, err := again.Note(t.Context(), "note"); text != "after" || err != nil {
		t.Errorf("note %q, %v", text, err)
	}
}
