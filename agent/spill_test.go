package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// spilledWorld has one spill file of 30 reports and returns its name.
func spilledWorld(t *testing.T) (*world, string) {
	t.Helper()
	w := queueWorld(t, 30)
	broken := false
	store, err := sqlite.Open(w.path, state.Owner{Command: "test"}, sqlite.Options{Fault: func(op string) error {
		if broken {
			return fmt.Errorf("%s: disk I/O error", op)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.runner.Transport = breakAfter{w.vendors.Transport(), func() { broken = true }}
	opts := agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}
	_, _, err = w.runner.Apply(context.Background(), w.config(), store, opts, func(*plan.Result) (bool, error) { return true, nil })
	if err == nil {
		t.Fatal("an apply whose state cannot be written says that all is well")
	}
	broken = false
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w.runner.Transport = w.vendors.Transport()
	names, err := filepath.Glob(filepath.Join(w.path+".spill", "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("spill files: %q %v", names, err)
	}
	return w, names[0]
}

// What is left of a spill file counts for what it is worth: whole under its
// temporary name, cut short, with a byte that changed, or damaged beyond reading.
func TestDamagedSpill(t *testing.T) {
	whole := func(content []byte) []byte { return content }
	for _, c := range []struct {
		name    string
		suffix  string // of the file's name
		harm    func([]byte) []byte
		stored  func(int) bool
		windows int
		left    int
	}{
		{"under its temporary name", ".tmp", whole, func(n int) bool { return n == 30 }, 0, 0},
		{"cut in the answer", ".tmp", func(b []byte) []byte { return b[:len(b)/2] }, func(n int) bool { return n > 5 && n < 30 }, 1, 0},
		{"another byte in the answer", "", func(b []byte) []byte {
			return append(bytes.TrimSuffix(b, []byte("}")), ' ')
		}, func(n int) bool { return n == 30 }, 1, 0},
		{"cut in its header", ".tmp", func(b []byte) []byte { return b[:20] }, func(n int) bool { return n == 0 }, 1, 1},
		{"zeros", "", func(b []byte) []byte { return make([]byte, len(b)) }, func(n int) bool { return n == 0 }, 1, 1},
		{"empty", "", func([]byte) []byte { return nil }, func(n int) bool { return n == 0 }, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, name := spilledWorld(t)
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name+c.suffix, c.harm(content), 0o600); err != nil {
				t.Fatal(err)
			}
			w.apply()
			w.apply()
			if n := w.stored(); !c.stored(n) {
				t.Errorf("%d of 30 records are stored", n)
			}
			windows := w.losses()
			if len(windows) != c.windows {
				t.Errorf("windows: %+v", windows)
			}
			for _, l := range windows {
				if missing := int64(30 - w.stored()); l.Bound < missing {
					t.Errorf("%d records are missing, and the window bounds %d", missing, l.Bound)
				}
			}
			left, err := os.ReadDir(filepath.Dir(name))
			if err != nil || len(left) != c.left {
				t.Errorf("left beside the state: %v %v", left, err)
			}
			historyFolds(t, w)
		})
	}
}

// A pull that made no connection, and whose end could not be recorded, is
// concluded by the same process before the next one, and is no loss: the process
// knows that nothing reached the vendor.
func TestUnrecordedEndOfAPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText()+`resource "ucloud_usms_report_pull" "main" {}`)
		_, err := b.vendors.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Unreachable, Next: 1})
		b.must(err)
		var failed atomic.Bool
		b.fault = func(op string) error {
			if op == "concluded intent" && failed.CompareAndSwap(false, true) {
				return fmt.Errorf("%s: disk I/O error", op)
			}
			return nil
		}
		b.must(b.start())
		time.Sleep(3*time.Minute + 30*time.Second) // between two pulls
		if !failed.Load() || len(b.vendors.Account().Pulls) == 0 {
			t.Fatalf("the end of a pull failed: %v; the vendor answered %d pulls", failed.Load(), len(b.vendors.Account().Pulls))
		}
		if windows := b.losses(); len(windows) != 0 {
			t.Errorf("windows of a pull that made no connection: %+v", windows)
		}
		reader := b.reader()
		defer reader.Close()
		if open, err := reader.OpenIntents(context.Background()); err != nil || len(open) > 0 {
			t.Errorf("pulls that are over and stand open: %+v %v", open, err)
		}
		b.end()
	})
}
