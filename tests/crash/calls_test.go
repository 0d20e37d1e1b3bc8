package crash

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/oracle"
)

func endpoints(config string, at sandbox.Endpoints) string {
	return strings.NewReplacer("@globfax", at.GlobFax, "@ucloud", at.UCloud).Replace(config)
}

// nth lets the n-th call into the database fail, and notes when and what it was.
type nth struct {
	n     int64
	code  sqlite3.ErrNo
	calls atomic.Int64
	op    atomic.Value
	at    atomic.Int64
}

func (f *nth) fault(op string) error {
	if f.calls.Add(1) != f.n {
		return nil
	}
	f.op.Store(op)
	f.at.Store(time.Now().UnixNano())
	return sqlite3.Error{Code: f.code}
}

func (f *nth) struck() (op string, ok bool) {
	op, ok = f.op.Load().(string)
	return op, ok
}

// Each call into the database fails once, one after the other, until a run meets
// no failure any more. The same process, or the next one, finishes what was
// begun, and nothing is lost.
func TestEveryDatabaseCallFailsOnce(t *testing.T) {
	codes := map[string]sqlite3.ErrNo{"io": sqlite3.ErrIoErr, "busy": sqlite3.ErrBusy, "full": sqlite3.ErrFull}
	advice := map[string]string{
		"io": "look after its disk", "busy": "close it there", "full": "free some space",
	}
	runs := map[string]func(*inside, func(string) error) error{
		"apply": func(w *inside, fault func(string) error) error { return w.apply(fault) },
		"agent": func(w *inside, fault func(string) error) error { return w.agent(fault, 130*time.Second) },
	}
	for command, run := range runs {
		for name, code := range codes {
			t.Run(command+"/"+name, func(t *testing.T) {
				t.Parallel()
				n := int64(1)
				for ; ; n++ {
					more := true
					synctest.Test(t, func(t *testing.T) { more = failsAt(t, n, code, advice[name], run) })
					if !more || t.Failed() {
						break
					}
				}
				if n < 50 {
					t.Errorf("only %d calls were made", n)
				}
				t.Logf("%d calls failed, one after the other", n-1)
			})
		}
	}
}

func failsAt(t *testing.T, n int64, code sqlite3.ErrNo, advice string, run func(*inside, func(string) error) error) (more bool) {
	w := newInside(t)
	f := &nth{n: n, code: code}
	err := run(w, f.fault)
	op, struck := f.struck()
	if err != nil && !struck {
		t.Fatalf("without a fault: %v", err)
	}
	if err != nil && !strings.Contains(err.Error(), advice) {
		t.Errorf("call %d (%s): the error does not say what to do: %v", n, op, err)
	}
	if struck {
		at := time.Unix(0, f.at.Load())
		w.limits.Failing = []oracle.Span{{From: at.Add(-time.Second), To: at.Add(time.Second)}}
		w.limits.Kills = []time.Time{at}
	}
	time.Sleep(time.Minute) // of the bubble: every floor has passed
	if err := w.agent(nil, 3*time.Minute); err != nil {
		t.Fatalf("call %d (%s): the next process: %v", n, op, err)
	}
	reader, err := sqlite.OpenReader(w.path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	report, err := oracle.Check(context.Background(), w.vendors.Account(), reader, w.limits)
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Errorf("call %d (%s):\n%s", n, op, report)
	}
	if report.Deleted != 3 || report.Accepted != 2 || report.InWindows > 0 || report.Windows > 0 {
		t.Errorf("call %d (%s): %s", n, op, report.Counts())
	}
	if left, err := os.ReadDir(w.path + ".spill"); err == nil && len(left) > 0 {
		t.Errorf("call %d (%s): %d spill files are left", n, op, len(left))
	}
	return struck
}
