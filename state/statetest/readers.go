package statetest

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func testReaders(t *testing.T, d Driver) {
	t.Run("no state", func(t *testing.T) {
		_, err := d.OpenReader(filepath.Join(t.TempDir(), "nowhere"))
		wantErr(t, "reader of nothing", err, state.ErrNoState)
	})

	t.Run("beside a writer and after it", func(t *testing.T) {
		b := open(t, d)
		r := must(d.OpenReader(b.place))(t)
		same(t, "at first", len(all(t, r.Items(t.Context(), state.ItemFilter{}))), 0)
		b.track(b.item(address(fax, "a", nil), "1"))
		same(t, "committed meanwhile", len(all(t, r.Items(t.Context(), state.ItemFilter{}))), 1)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		same(t, "the writer gone", len(all(t, r.Items(t.Context(), state.ItemFilter{}))), 1)
		second := must(d.OpenReader(b.place))(t)
		same(t, "opened after it", len(all(t, second.Items(t.Context(), state.ItemFilter{}))), 1)
		if err := errors.Join(r.Close(), second.Close()); err != nil {
			t.Error(err)
		}
		_, err := r.Meta(t.Context())
		wantErr(t, "closed reader", err, state.ErrClosed)
	})

	t.Run("an iteration sees one moment", func(t *testing.T) {
		b := open(t, d)
		const count = 2000
		batch := &state.Batch{}
		for n := range count {
			batch.Items = append(batch.Items, b.item(address(fax, "a", n), address(fax, "a", n).String()))
		}
		b.commit(batch)
		n := 0
		for i, err := range b.Items(t.Context(), state.ItemFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n == 10 { // in the midst of it, change what is still to come and read it otherwise
				changed := &state.Batch{Items: append([]state.ItemWrite(nil), batch.Items[count-100:]...)}
				for c := range changed.Items {
					changed.Items[c].Failures = 1
				}
				changed.Items = append(changed.Items, b.item(address(fax, "b", nil), "new"))
				b.commit(changed)
				same(t, "another read, inside", b.at(batch.Items[count-1].Address).Failures, 1)
			}
			if i.Failures != 0 || i.Address.Name() != "a" {
				t.Fatalf("%s was changed after the iteration began", i.Address)
			}
			n++
		}
		same(t, "items", n, count)
	})

	t.Run("iterations may be left early and given up", func(t *testing.T) {
		b := open(t, d)
		for n := range 3 {
			b.track(b.item(address(fax, "a", n), string(rune('a'+n))))
		}
		for range 50 {
			for range b.Items(t.Context(), state.ItemFilter{}) {
				break
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		n := 0
		for _, err := range b.Items(ctx, state.ItemFilter{}) {
			wantErr(t, "cancelled", err, context.Canceled)
			n++
		}
		same(t, "errors told", n, 1)
	})

	t.Run("many at once", func(t *testing.T) {
		b := open(t, d)
		// The writer moves one unit between two items in each batch: every reader
		// must find the sum unchanged.
		items := []state.ItemWrite{b.item(address(fax, "a", 1), "1"), b.item(address(fax, "a", 2), "2")}
		items[0].Failures = 100
		b.track(items...)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					sum := 0
					for i, err := range b.Items(background, state.ItemFilter{}) {
						if err != nil {
							t.Error(err)
							return
						}
						sum += i.Failures
					}
					if sum != 100 {
						t.Errorf("sum %d: half a batch was seen", sum)
						return
					}
					if _, err := b.Tally(background, &items[0].Item); err != nil {
						t.Error(err)
						return
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		for range 100 {
			items[0].Failures--
			items[1].Failures++
			b.commit(&state.Batch{Items: items, Records: []plan.Record{record("1", items[0].Due.String(), byte(items[1].Failures))}})
		}
		close(stop)
		wg.Wait()
	})
}
