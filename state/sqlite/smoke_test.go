package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s, err := Open(path, state.Owner{ID: "x", PID: os.Getpid(), Started: time.Now()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	id := s.NewItemID()
	rid := s.NewRawID()
	b := &state.Batch{
		Raws: []state.Raw{{ID: rid, Kind: state.RawPoll, Account: "globfax", At: time.Now(), Body: []byte("hello")}},
		Items: []state.ItemWrite{{Item: plan.Item{ID: id, Address: plan.Address{Type: "nxcloud_number_check", Name: "a", Key: plan.StringKey("k")}, Account: "nxcloud", Identity: "b1", Args: []byte(`{"a":1}`), TrackedAt: time.Now()}}},
		Records: []plan.Record{{Type: "nxcloud_number_check", Account: "nxcloud", Identity: "b1", Key: "r1", Outcome: plan.Succeeded, ReceivedAt: time.Now()}},
		Events: []plan.Event{{At: time.Now(), ItemID: id, Address: plan.Address{Type: "nxcloud_number_check", Name: "a", Key: plan.StringKey("k")}, Action: plan.Track, Changes: []plan.Field{{Path: "x", After: []byte("1")}}}},
		Touches: []state.Touch{{ItemID: id, ReadAt: time.Now()}},
		Notes: map[string]string{"a": "b"},
	}
	if err := s.Commit(ctx, b); err != nil {
		t.Fatal(err)
	}
	fmt.Println(b.NewRecords)
	for i, err := range s.Items(ctx, state.ItemFilter{}) {
		fmt.Printf("%+v %v\n", i, err)
	}
	for i, err := range s.Records(ctx, state.RecordFilter{}) {
		fmt.Printf("%+v %v\n", i, err)
	}
	for i, err := range s.History(ctx, state.HistoryFilter{}) {
		fmt.Printf("%+v %v\n", i, err)
	}
	fmt.Println(s.Unfolded(ctx, 10))
	fmt.Println(s.Counts(ctx))
	fmt.Println(s.Meta(ctx))
	fmt.Println(s.Raw(ctx, rid))
	for k := range itemsQueries {
		for i, err := range s.Items(ctx, state.ItemFilter{Type: map[bool]string{true: "nxcloud_number_check"}[k.typ], Name: map[bool]string{true: "a"}[k.name], Unsettled: k.unsettled, Forgotten: k.forgotten, Declared: k.declared}) {
			_ = i
			if err != nil {
				t.Error(k, err)
			}
		}
		s.with(func(v *view) error {
			st, _ := v.prepare(&query{"x", "EXPLAIN QUERY PLAN " + k.text()})
			_ = st
			args := []any{}
			if k.typ || k.name {
				args = append(args, "x")
			}
			if k.name {
				args = append(args, "x")
			}
			fmt.Println(k)
			return v.each(ctx, &query{"x", "EXPLAIN QUERY PLAN " + k.text()}, func(s *stmt) (bool, error) { fmt.Println("   ", s.text(3)); return true, nil }, args...)
		})
	}
	for k := range recordsQueries {
		for _, err := range s.Records(ctx, state.RecordFilter{Type: map[bool]string{true: "nxcloud_number_check"}[k.typ], Status: k.status, Since: map[bool]time.Time{true: time.Unix(1, 0)}[k.since]}) {
			if err != nil {
				t.Error(k, err)
			}
		}
	}
	for k := range historyQueries {
		a := plan.Address{Type: "nxcloud_number_check", Name: "a"}
		if k.key {
			a.Key = plan.StringKey("k")
		}
		f := state.HistoryFilter{Since: map[bool]time.Time{true: time.Unix(1, 0)}[k.since]}
		if k.block {
			f.Address = &a
		}
		n := 0
		for _, err := range s.History(ctx, f) {
			n++
			if err != nil {
				t.Error(k, err)
			}
		}
		fmt.Println(k, n)
	}
	fmt.Println(s.Backup(ctx, path+".bak"))
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		i, _ := e.Info()
		fmt.Println(e.Name(), i.Mode(), i.Size())
	}
	fmt.Println(ReadOwner(path))
	_, err = Open(path, state.Owner{}, Options{})
	fmt.Println(err)
	fmt.Println(s.Close())
	fmt.Println(ReadOwner(path))
	entries, _ = os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		i, _ := e.Info()
		fmt.Println(e.Name(), i.Mode(), i.Size())
	}
	r, err := OpenReader(path)
	fmt.Println(r, err)
	entries, _ = os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		i, _ := e.Info()
		fmt.Println(e.Name(), i.Mode(), i.Size())
	}
}
