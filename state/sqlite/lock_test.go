package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// background outlives a test's context.
var background = context.Background()

// childPath is set in the environment of a child process: where it is to write.
const childPath = "WAYBILL_TEST_CHILD_STATE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child commits from several goroutines until it is killed, and prints the
// number of each batch once it is acknowledged.
func child(path string) error {
	s, err := sqlite.Open(path, owner(), sqlite.Options{})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	errs := make(chan error)
	for range 8 {
		go func() {
			for {
				n := rawID(s)
				err := s.Commit(background, &state.Batch{
					Raws:    []state.Raw{{ID: n, Kind: state.RawCallback, Body: []byte(strconv.FormatInt(n, 10))}},
					Records: []plan.Record{{Type: "t", Via: plan.ViaPush, Account: "a", Identity: "i", Key: strconv.FormatInt(n, 10), RawID: n}},
				})
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println(n)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

// kill starts a child, reads acknowledgements until there are enough, and kills
// it in the midst of its work. It returns what was acknowledged.
func kill(t *testing.T, path string, enough int) (acknowledged []int64, pid int) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childPath+"="+path)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("child: %q", lines.Text())
		}
		acknowledged = append(acknowledged, n)
		if len(acknowledged) >= enough && !killed {
			killed = true
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Wait() // killed: an error in any case
	if len(acknowledged) < enough {
		t.Fatalf("the child ended by itself after %d batches", len(acknowledged))
	}
	return acknowledged, c.Process.Pid
}

// What a killed process had acknowledged is there, whole batches only, and its
// lock is taken over at once.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	known := map[int64]bool{}
	for round := range 4 {
		acknowledged, pid := kill(t, path, 50+200*round)
		for _, n := range acknowledged {
			if known[n] {
				t.Errorf("raw id %d was given twice", n)
			}
			known[n] = true
		}
		if o, err := sqlite.ReadOwner(path); o != nil || err != nil {
			t.Errorf("owner %+v, %v; want none, for it is dead", o, err)
		}
		text, err := os.ReadFile(path + ".lock")
		if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"pid":%d`, pid)) {
			t.Fatalf("the lock file %q, %v does not name the killed process: the test shows nothing", text, err)
		}
		r, err := sqlite.OpenReader(path) // before any writer mended anything
		if err != nil {
			t.Fatal(err)
		}
		checkWhole(t, r, known)
		r.Close()
		s := open(t, path, sqlite.Options{})
		checkWhole(t, s, known)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkWhole(t *testing.T, r state.Reader, acknowledged map[int64]bool) {
	t.Helper()
	stored := map[int64]bool{}
	for rec, err := range r.Records(background, state.RecordFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		stored[rec.RawID] = true
		raw, err := r.Raw(background, rec.RawID)
		if err != nil || string(raw.Body) != rec.Key {
			t.Errorf("record %s without its raw: %v", rec.Key, err)
		}
	}
	for n := range acknowledged {
		if !stored[n] {
			t.Errorf("batch %d was acknowledged and is not there", n)
		}
	}
	raws := 0
	for _, err := range r.Underived(background) {
		if err != nil {
			t.Fatal(err)
		}
		raws++
	}
	if raws != len(stored) {
		t.Errorf("%d raws and %d records: half a batch is there", raws, len(stored))
	}
}

func TestLockNamesItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	_, err := sqlite.Open(path, state.Owner{ID: "second"}, sqlite.Options{})
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Owner != owner() || locked.Path != path {
		t.Fatalf("second writer: %v, want a LockedError that names the first", err)
	}
	for _, word := range []string{fmt.Sprint(os.Getpid()), owner().Host, "waybill test", "2026-07-01T08:00:00Z"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("message %q lacks %q", err, word)
		}
	}
	if o, err := sqlite.ReadOwner(path); err != nil || o == nil || *o != owner() {
		t.Errorf("owner %+v, %v", o, err)
	}
	if err := s.Commit(t.Context(), note("the first goes on")); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if o, err := sqlite.ReadOwner(path); o != nil || err != nil {
		t.Errorf("owner after close: %+v, %v", o, err)
	}
	open(t, path, sqlite.Options{})
	if o, err := sqlite.ReadOwner(filepath.Join(t.TempDir(), "none")); o != nil || err != nil {
		t.Errorf("owner of nothing: %+v, %v", o, err)
	}
}

// Whoever looks who holds the lock never keeps anybody from taking it.
func TestLookingAtTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	kill(t, path, 1) // leaves the name of a dead owner
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := sqlite.ReadOwner(path); err != nil && !strings.Contains(err.Error(), "empty") {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		s, err := sqlite.Open(path, owner(), sqlite.Options{})
		if err != nil {
			t.Error(err)
			break
		}
		s.Close()
	}
	close(stop)
	wg.Wait()
}
