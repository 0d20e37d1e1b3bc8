package statetest

import (
	"fmt"
	"iter"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// testPages: long listings are read in pages; nobody sees where one ends.
func testPages(t *testing.T, d Driver) {
	const n = 2500
	b := open(t, d)
	batch := &state.Batch{}
	blocks := []plan.Address{address(check, "a", nil), address(fax, "a", nil), address(fax, "b", nil)}
	var want []string
	for i := range n {
		a := blocks[i%3]
		switch {
		case i >= 6 && i%3 == 0:
			a = a.WithKey(plan.IntKey(i))
		case i >= 6:
			a = a.WithKey(plan.StringKey(fmt.Sprintf("k%05d", i)))
		case i >= 3:
			a = a.WithKey(plan.IntKey(0))
		}
		w := b.item(a, fmt.Sprint(i))
		w.Settled = i%2 == 0
		batch.Items = append(batch.Items, w)
		batch.Events = append(batch.Events, plan.Event{At: at(i), ItemID: w.ID, Address: a, Action: plan.Track})
		batch.Records = append(batch.Records, record(fmt.Sprint(i%7), fmt.Sprint(i), 1))
		batch.Raws = append(batch.Raws, state.Raw{ID: b.rawID(), Kind: state.RawCallback, Body: make([]byte, i), Derived: true})
	}
	b.commit(batch)
	want = addresses(all(t, b.Items(t.Context(), state.ItemFilter{})))

	t.Run("items", func(t *testing.T) {
		for _, f := range []state.ItemFilter{{}, {Declared: true}, {Unsettled: true}, {Type: fax}, {Type: fax, Name: "b"}, {Type: "none"}} {
			paged := f
			paged.Paged = true
			one, pages := addresses(all(t, b.Items(t.Context(), f))), addresses(all(t, b.Items(t.Context(), paged)))
			same(t, fmt.Sprintf("%+v", f), pages, one)
		}
		same(t, "how many", len(want), n)
		for _, err := range b.Items(t.Context(), state.ItemFilter{Forgotten: true, Paged: true}) {
			if err == nil {
				t.Error("forgotten items in pages, which nobody promised")
			}
		}
	})

	t.Run("records, events and raws", func(t *testing.T) {
		for i, r := range b.records(state.RecordFilter{}) {
			if r.Key != fmt.Sprint(i) {
				t.Fatalf("record %d has key %s", i, r.Key)
			}
		}
		same(t, "records", len(b.records(state.RecordFilter{})), n)
		same(t, "unmatched ones", len(b.records(state.RecordFilter{Status: plan.Unmatched, Since: at(1)})), len(b.records(state.RecordFilter{Status: plan.Unmatched})))
		events := all(t, b.History(t.Context(), state.HistoryFilter{}))
		same(t, "events", len(events), n)
		same(t, "events after one", len(all(t, b.History(t.Context(), state.HistoryFilter{AfterID: events[9].Seq}))), n-10)
		block := blocks[1]
		of := all(t, b.History(t.Context(), state.HistoryFilter{Address: &block}))
		same(t, "events of a block", len(of), (n+1)/3)
		for i := 1; i < len(of); i++ {
			if of[i].Seq <= of[i-1].Seq {
				t.Fatalf("event %d after %d", of[i].Seq, of[i-1].Seq)
			}
		}
		raws := all(t, b.Raws(t.Context(), state.RawFilter{}))
		same(t, "raws", len(raws), n)
		same(t, "raws after one", len(all(t, b.Raws(t.Context(), state.RawFilter{AfterID: raws[99].ID}))), n-100)
	})

	// What is written while somebody reads is seen or not, and nothing twice.
	t.Run("beside a writer", func(t *testing.T) {
		count := 0
		for r, err := range b.Records(t.Context(), state.RecordFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if count < n && r.Key != fmt.Sprint(count) {
				t.Fatalf("record %d has key %s", count, r.Key)
			}
			if count%100 == 0 && count < n {
				b.add(record("x", fmt.Sprint("meanwhile ", count), 1))
			}
			count++
		}
		if count < n || count > n+25 {
			t.Errorf("%d records, want %d and what came meanwhile", count, n)
		}
	})

	t.Run("begun again", func(t *testing.T) {
		twice(t, "events", b.History(t.Context(), state.HistoryFilter{}))
		twice(t, "events of a block", b.History(t.Context(), state.HistoryFilter{Address: &blocks[1]}))
		twice(t, "raws", b.Raws(t.Context(), state.RawFilter{}))
		twice(t, "items", b.Items(t.Context(), state.ItemFilter{Paged: true}))
	})
}

// twice iterates twice over one sequence: each begins at its beginning.
func twice[T any](t *testing.T, what string, seq iter.Seq2[T, error]) {
	t.Helper()
	same(t, what, len(all(t, seq)), len(all(t, seq)))
}
