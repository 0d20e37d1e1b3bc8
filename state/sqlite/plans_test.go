package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// The connection that writes syncs each commit. This is what a power loss would
// ask for; killing the process does not show it.
func TestWriterSyncs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	w, err := openWriter(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]any{
		"synchronous": int64(2), "journal_mode": "wal", "foreign_keys": int64(1), "busy_timeout": int64(5000), "fullfsync": int64(0),
	} {
		row, ok, err := w.c.one(&query{"pragma", "PRAGMA " + pragma})
		if err != nil || !ok || row.row[0] != want {
			t.Errorf("%s is %v, want %v (%v)", pragma, row.row, want, err)
		}
	}
	if err := w.c.close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if !exists(path + suffix) {
			t.Errorf("%s went with the last connection: readers, who may create nothing, cannot read", suffix)
		}
	}
}

// Questions that are asked of a million items walk an index and sort nothing.
func TestQueryPlans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s, err := Open(path, state.Owner{}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	queries := map[*query]string{
		selectOld:          "SEARCH i USING INTEGER PRIMARY KEY",
		selectItem:         "",
		selectItems:        "",
		selectSchedule:     "",
		selectUnfolded:     "subjects_unfolded",
		selectTally:        "COVERING INDEX records_tally",
		selectTallySubject: "",
		selectSame:         "records_once",
		selectSameContent:  "records_once",
		countItems:         "COVERING INDEX reads_counts",
		selectUnderived:    "",
		selectRaws:         "SEARCH w USING INTEGER PRIMARY KEY",
		selectContents:     "records_once",
		recordsOfRaw:       "records_raw",
		recordsOfKey:       "records_once",
		recordsOfContent:   "records_once",

		selectQuarantinedRaws: "SEARCH w USING INTEGER PRIMARY KEY",
		insertSubject:         "items_identity",
	}
	for shape, q := range itemsQueries {
		if !shape.forgotten && !shape.few {
			queries[q] = "items_address"
		}
	}
	for shape, q := range historyQueries {
		if !shape.block { // that of one item, or of a block's, is sorted
			queries[q] = ""
		}
	}
	for _, q := range recordsQueries {
		queries[q] = ""
	}
	for _, q := range itemPages {
		queries[q] = "items_address"
	}
	queries[selectBlocks], queries[selectEvents] = "", ""
	err = s.with(func(v *view) error {
		for q, index := range queries {
			explain := &query{"plan", "EXPLAIN QUERY PLAN " + q.text}
			prepared, err := v.prepare(explain)
			if err != nil {
				return err
			}
			var lines []string
			err = v.each(background, explain, func(s *stmt) (bool, error) {
				lines = append(lines, s.text(3))
				return true, nil
			}, make([]any, len(prepared.args))...)
			if err != nil {
				return err
			}
			text := strings.Join(lines, "\n")
			if !strings.Contains(text, index) {
				t.Errorf("%s does not use %s:\n%s\n%s", q.op, index, q.text, text)
			}
			if strings.Contains(text, "TEMP B-TREE FOR ORDER BY") || strings.Contains(text, "LAST TERM OF ORDER BY") || strings.Contains(text, "AUTOMATIC") {
				t.Errorf("%s sorts, or makes an index for itself:\n%s\n%s", q.op, q.text, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A statement that SQLite prepares again at each run costs ten times as much;
// see the comment of query. The driver keeps the count to itself.
func TestNoStatementIsPreparedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	w, err := openWriter(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.c.close()
	packer, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newReader(path, reading, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx := context.Background()
	touched, err := packer.prepare(&state.Batch{Items: []state.ItemWrite{{Item: plan.Item{ID: 3, Account: "a", Address: plan.NewAddress("t", "touched", plan.NoKey)}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.transact([]*request{touched}); err != nil {
		t.Fatal(err)
	}
	const rounds = 20
	for n := range rounds {
		batch := &state.Batch{Derived: []int64{int64(n)}, Concluded: []string{fmt.Sprint(n - 1)}, Touches: []state.Touch{{ItemID: 3, Version: int64(n + 1)}},
			Raws: []state.Raw{{ID: int64(n + 1), Body: []byte{1}}}, Intents: []state.Intent{{ID: fmt.Sprint(n)}},
			Events: []plan.Event{{Address: plan.NewAddress("t", "n", plan.NoKey)}}, Notes: map[state.NoteKey]string{{Name: "a"}: fmt.Sprint(n)}}
		for i := range 2 {
			identity := fmt.Sprint(i, n%3)
			item := state.ItemWrite{FoldedTo: 1, Item: plan.Item{ID: int64(i + 1), Version: int64(n), Account: "a", Address: plan.NewAddress("t", "n", plan.IntKey(i*n)),
				Identity: identity, Values: []byte(fmt.Sprint(n)), Settled: n%2 == 0}}
			if n%5 == 0 {
				item.ForgottenAt = time.Unix(int64(n), 0)
			}
			batch.Items = append(batch.Items, item)
			batch.Records = append(batch.Records,
				plan.Record{Type: "t", Via: plan.ViaPull, Account: "a", Identity: identity, Key: fmt.Sprint(n), EventTime: time.Unix(int64(i), 0), Digest: [16]byte{byte(n), byte(i)}},
				plan.Record{Type: "t", Via: plan.ViaPull, Account: "a", Digest: [16]byte{byte(n), byte(i)}})
		}
		prepared, err := packer.prepare(batch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.transact([]*request{prepared}); err != nil {
			t.Fatal(err)
		}
		_, err = r.Tally(ctx, &batch.Items[0].Item)
		if err != nil {
			t.Fatal(err)
		}
		for _, read := range []func() error{
			func() error { _, err := r.Unfolded(ctx, n); return err },
			func() error { _, err := r.Raw(ctx, int64(n+1)); return err },
			func() error { _, err := r.ItemsByID(ctx, []int64{int64(n)}); return err },
			func() error { _, err := r.Counts(ctx); return err },
		} {
			if err := read(); err != nil {
				t.Fatal(err)
			}
		}
		r.Item(ctx, batch.Items[0].Address) // may not be there
	}
	for _, c := range []*conn{w.c, r.idle[0].conn} {
		for q, s := range c.stmts {
			count := reflect.ValueOf(s.s).Elem().FieldByName("repreps")
			if !count.IsValid() {
				t.Skip("the driver counts no more")
			}
			if count.Int() > rounds/4 {
				t.Errorf("%s was prepared %d times: %s", q.op, count.Int(), q.text)
			}
		}
	}
}
