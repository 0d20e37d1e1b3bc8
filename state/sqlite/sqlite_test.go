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

func note(text string) *state.Batch {
	return &state.Batch{Notes: map[state.NoteKey]string{{Name: "note"}: text}}
}

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
		if !strings.Contains(e.Name(), ".seen") { // it comes a moment after what it tells of
			list = append(list, fmt.Sprintf("%s %v", e.Name(), info.Mode()))
		}
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
			if text, err := r.Note(t.Context(), state.NoteKey{Name: "note"}); text != "x" || err != nil {
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
		if text, err := r.Note(t.Context(), state.NoteKey{Name: "note"}); text != name || err != nil {
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
			if err := s.Commit(t.Context(), &state.Batch{Notes: map[state.NoteKey]string{{Name: fmt.Sprint(n)}: strings.Repeat("x", 400)}}); err != nil {
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
		}, state.ErrNewer, "schema 99, this one knows 3"},
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
		}, nil, "it is a directory: give the sqlite backend the path of a file"},
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
	err := s.Commit(t.Context(), &state.Batch{Raws: []state.Raw{{ID: rawID(s), Kind: state.RawPull, Body: long}, {ID: rawID(s), Kind: state.RawPull, Body: short}}})
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

func itemID(s state.Store) int64 { return id(s.NewItemID(background)) }

func rawID(s state.Store) int64 { return id(s.NewRawID(background)) }

func id(n int64, err error) int64 {
	if err != nil {
		panic(err)
	}
	return n
}
