package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// harms are what may happen to the files of a state under its writer.
var harms = map[string]func(t testing.TB, path string){
	"database deleted":     func(t testing.TB, path string) { remove(t, path) },
	"all deleted":          func(t testing.TB, path string) { remove(t, path, path+"-wal", path+"-shm", path+".lock") },
	"another database":     func(t testing.TB, path string) { replace(t, path+".backup", path) },
	"a backup copied over": func(t testing.TB, path string) { copyFile(t, path+".backup", path) },
	"emptied":              func(t testing.TB, path string) { must(t, os.Truncate(path, 0)) },
	"a directory instead":  func(t testing.TB, path string) { remove(t, path); must(t, os.Mkdir(path, 0o700)) },
	"directory moved away": func(t testing.TB, path string) { must(t, os.Rename(filepath.Dir(path), filepath.Dir(path)+".away")) },
	"log deleted":          func(t testing.TB, path string) { remove(t, path+"-wal") },
	"another log": func(t testing.TB, path string) {
		copyFile(t, path+"-wal", path+".copy")
		replace(t, path+".copy", path+"-wal")
	},
	"log cut off":            func(t testing.TB, path string) { must(t, os.Truncate(path+"-wal", 0)) },
	"log cut off in its end": func(t testing.TB, path string) { cut(t, path+"-wal") },
	"index deleted":          func(t testing.TB, path string) { remove(t, path+"-shm") },
	"lock deleted":           func(t testing.TB, path string) { remove(t, path+".lock") },
	"another lock": func(t testing.TB, path string) {
		copyFile(t, path+".lock", path+".copy")
		replace(t, path+".copy", path+".lock")
	},
}

// Nothing is acknowledged that went into files which are not the state: neither
// after the harm nor in the transaction under which it comes.
func TestFilesReplacedUnderTheWriter(t *testing.T) {
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state", "waybill.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			s := open(t, path, sqlite.Options{})
			must(t, s.Commit(t.Context(), note("before")))
			must(t, s.Backup(t.Context(), path+".backup"))
			must(t, s.Commit(t.Context(), note("and after the copy")))
			harm(t, path)
			for range 3 {
				err := s.Commit(t.Context(), note("lost"))
				if !errors.Is(err, state.ErrReplaced) || !strings.Contains(err.Error(), "restart to go on with what is there now") {
					t.Fatalf("commit: %v, want ErrReplaced with advice", err)
				}
			}
			s.Close() // whatever it says
		})
		t.Run(name+", under a commit", func(t *testing.T) {
			switch name {
			case "log cut off in its end", "a backup copied over":
				t.Skip("what is cut off, or copied over, and written on in one moment looks as if SQLite had done it")
			}
			path := filepath.Join(t.TempDir(), "state", "waybill.db")
			must(t, os.Mkdir(filepath.Dir(path), 0o700))
			var armed atomic.Bool
			s := open(t, path, sqlite.Options{Fault: func(op string) error {
				if op == "commit" && armed.CompareAndSwap(true, false) {
					harm(t, path)
				}
				return nil
			}})
			must(t, s.Commit(t.Context(), note("before")))
			must(t, s.Backup(t.Context(), path+".backup"))
			armed.Store(true)
			for range 3 {
				if err := s.Commit(t.Context(), note("lost")); !errors.Is(err, state.ErrReplaced) {
					t.Fatalf("commit: %v, want ErrReplaced", err)
				}
			}
			s.Close()
		})
	}
}

// What a cut log leaves is an older state, and no damaged one.
func TestCutLogIsNotMovedIntoTheDatabase(t *testing.T) {
	for _, name := range []string{"log cut off", "log cut off in its end"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "waybill.db")
			victim := exec.Command(os.Args[0], "-test.run=TestWriterOfACutLog") // it keeps the log open until it ends
			victim.Env = append(os.Environ(), victimPath+"="+path, victimHarm+"="+name)
			if out, err := victim.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			s := open(t, path, sqlite.Options{})
			if got, err := s.Restored(t.Context()); err != nil || got == nil {
				t.Errorf("restored %+v, %v: what was cut off was acknowledged, and nobody is told", got, err)
			}
			for _, err := range s.Raws(t.Context(), state.RawFilter{}) {
				must(t, err)
			}
			must(t, s.Commit(t.Context(), note("it goes on")))
			must(t, s.Close())
			db, err := sql.Open("sqlite3", "file:"+path)
			must(t, err)
			defer db.Close()
			var verdict string
			must(t, db.QueryRow("PRAGMA integrity_check").Scan(&verdict))
			check(t, "integrity", verdict, "ok")
		})
	}
}

// Set in the environment of a child process: its state, and what is to happen to it.
const (
	victimPath = "WAYBILL_TEST_VICTIM"
	victimHarm = "WAYBILL_TEST_HARM"
)

func TestWriterOfACutLog(t *testing.T) {
	path := os.Getenv(victimPath)
	if path == "" {
		t.Skip("it is the child of TestCutLogIsNotMovedIntoTheDatabase")
	}
	s := open(t, path, sqlite.Options{})
	for n := range 50 {
		must(t, s.Commit(t.Context(), &state.Batch{Raws: []state.Raw{{ID: rawID(s), Kind: state.RawPull, Body: fmt.Appendf(nil, "%d %0400d", n, 0)}}}))
	}
	harms[os.Getenv(victimHarm)](t, path)
	if err := s.Commit(t.Context(), note("lost")); !errors.Is(err, state.ErrReplaced) {
		t.Fatalf("commit: %v, want ErrReplaced", err)
	}
	must(t, s.Close())
}

// A directory that is moved away and back held what was written all along.
func TestFilesComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "waybill.db")
	s := open(t, path, sqlite.Options{})
	must(t, os.Rename(dir, dir+".away"))
	if err := s.Commit(t.Context(), note("away")); !errors.Is(err, state.ErrReplaced) {
		t.Fatalf("commit: %v, want ErrReplaced", err)
	}
	must(t, os.Rename(dir+".away", dir))
	must(t, s.Commit(t.Context(), note("back")))
	text, err := s.Note(t.Context(), state.NoteKey{Name: "note"})
	check(t, "note", text, "back", err)
}

// Other programs may move the log into the database and empty it: backup tools do.
func TestCheckpointOfAnotherProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	for range 5 {
		must(t, s.Commit(t.Context(), note("before")))
		db, err := sql.Open("sqlite3", "file:"+path)
		must(t, err)
		var busy, frames, moved int
		must(t, db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved))
		must(t, db.Close())
		if info, err := os.Stat(path + "-wal"); busy != 0 || err != nil || info.Size() != 0 {
			t.Fatalf("busy %d, log %v, %v: the test shows nothing", busy, info, err)
		}
		must(t, s.Commit(t.Context(), note("after")))
	}
}

// Nor do backup tools, and a log that began anew many times, look like a backup
// that was copied over.
func TestManyCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 400 {
		body := make([]byte, 200_000)
		for i := range body {
			body[i] = byte(random.Uint32())
		}
		must(t, s.Commit(t.Context(), &state.Batch{Raws: []state.Raw{{ID: rawID(s), Kind: state.RawPull, Body: body, Derived: true}}}))
		if n%7 != 0 {
			continue
		}
		db, err := sql.Open("sqlite3", "file:"+path)
		must(t, err)
		mode := []string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"}[random.IntN(4)]
		var busy, frames, moved int
		must(t, db.QueryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &moved))
		must(t, db.Close())
		must(t, os.Chtimes(path, benchStart, benchStart)) // touched, and nothing else
	}
}

// A state that anybody finds damaged takes nothing more.
func TestDamageStopsTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	batch := &state.Batch{}
	for range 500 {
		batch.Raws = append(batch.Raws, state.Raw{ID: rawID(s), Kind: state.RawPull, Body: []byte(fmt.Sprint("whole ", strings.Repeat("x", 400))), Derived: true})
	}
	must(t, s.Commit(t.Context(), batch))
	must(t, s.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	leaf := len(content) / 2 / 4096 * 4096 // one of many, and not the last
	if !bytes.Contains(content[leaf:leaf+4096], []byte("whole ")) {
		t.Fatal("the page in the middle holds no body: the test shows nothing")
	}
	clear(content[leaf : leaf+4096])
	must(t, os.WriteFile(path, content, 0o600))
	s = open(t, path, sqlite.Options{})
	must(t, s.Commit(t.Context(), note("nobody looked yet")))
	var found error
	for _, err := range s.Raws(t.Context(), state.RawFilter{}) {
		found = err
	}
	if !errors.Is(found, state.ErrCorrupt) {
		t.Fatalf("raws: %v, want ErrCorrupt", found)
	}
	if err := s.Commit(t.Context(), note("later")); !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("commit: %v, want ErrCorrupt", err)
	}
}

// A lock file that is removed lets no second writer in.
func TestRemovedLockLetsNobodyIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	must(t, os.Remove(path+".lock"))
	for range 2 {
		_, err := sqlite.Open(path, owner(), sqlite.Options{})
		var locked *state.LockedError
		if !errors.As(err, &locked) || !strings.Contains(err.Error(), "in use by another process") {
			t.Fatalf("second writer: %v, want a LockedError", err)
		}
	}
	if err := s.Commit(t.Context(), note("x")); !errors.Is(err, state.ErrReplaced) {
		t.Errorf("the first: %v, want ErrReplaced", err)
	}
	must(t, s.Close())
	open(t, path, sqlite.Options{})
}

// Two paths to one database are one state.
func TestLinkedDatabase(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real", "waybill.db"), filepath.Join(dir, "link.db")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	must(t, open(t, path, sqlite.Options{}).Close())
	must(t, os.Symlink(path, link))
	s := open(t, link, sqlite.Options{})
	must(t, s.Commit(t.Context(), note("by the link")))
	var locked *state.LockedError
	if _, err := sqlite.Open(path, owner(), sqlite.Options{}); !errors.As(err, &locked) {
		t.Errorf("second writer: %v, want a LockedError", err)
	}
	must(t, s.Close())
}

// Nothing is written through a link at the lock's path.
func TestLockIsNoLink(t *testing.T) {
	dir := t.TempDir()
	path, precious := filepath.Join(dir, "waybill.db"), filepath.Join(dir, "precious")
	must(t, os.WriteFile(precious, []byte("precious"), 0o600))
	must(t, os.Symlink(precious, path+".lock"))
	_, err := sqlite.Open(path, owner(), sqlite.Options{})
	if !errors.Is(err, state.ErrDenied) || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("open: %v, want ErrDenied that names the link", err)
	}
	content, err := os.ReadFile(precious)
	check(t, "what the link points to", string(content), "precious", err)
	if _, err := os.Stat(path); err == nil {
		t.Error("a state was made all the same")
	}
	must(t, os.Remove(path+".lock"))
	must(t, os.Mkdir(path+".lock", 0o700))
	if _, err := sqlite.Open(path, owner(), sqlite.Options{}); !errors.Is(err, state.ErrDenied) {
		t.Errorf("open with a directory for a lock: %v, want ErrDenied", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, paths ...string) {
	for _, path := range paths {
		must(t, os.Remove(path))
	}
}

// replace puts a file in the place of another, as mv does.
func replace(t testing.TB, from, to string) {
	must(t, os.Rename(from, to))
}

func copyFile(t testing.TB, from, to string) {
	content, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, content, 0o600))
}

// cut takes the last page off a file.
func cut(t testing.TB, path string) {
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()-4096))
}
