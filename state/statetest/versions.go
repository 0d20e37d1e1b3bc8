package statetest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// testVersions: what is written must be made from what stands.
func testVersions(t *testing.T, d Driver) {
	stale := func(t *testing.T, what string, err error, ids ...int64) {
		t.Helper()
		wantErr(t, what, err, state.ErrStale)
		var named *state.StaleError
		if errors.As(err, &named) {
			slices.Sort(named.Items)
			same(t, what+": items", named.Items, ids)
		}
	}
	touch := func(i *plan.Item) state.Touch { return state.Touch{ItemID: i.ID, Version: i.Version, ReadAt: at(9)} }
	load := func(b *bench, w state.ItemWrite) *plan.Item { return must(b.Item(background, w.Address))(b) }

	t.Run("each write raises it", func(t *testing.T) {
		b := open(t, d)
		w := b.item(address(fax, "a", nil), "1")
		batch := &state.Batch{Items: []state.ItemWrite{w}}
		for n := range int64(3) {
			same(t, "before", batch.Items[0].Version, n)
			if err := b.Commit(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			b.reopen()
			same(t, "of the batch, as of the state", batch.Items[0].Version, load(b, w).Version)
		}
		one := load(b, w)
		if err := b.Commit(t.Context(), &state.Batch{Touches: []state.Touch{touch(one)}}); err != nil {
			t.Fatal(err)
		}
		same(t, "a touch too", load(b, w).Version, one.Version+1)
		declared := all(t, b.Items(t.Context(), state.ItemFilter{Declared: true}))
		same(t, "with the declared columns", declared[0].Version, one.Version+1)
	})

	t.Run("what is stale is refused whole", func(t *testing.T) {
		b := open(t, d)
		fresh, other := b.item(address(check, "a", nil), "1"), b.item(address(check, "b", nil), "2")
		b.track(fresh, other)
		was := load(b, fresh)
		b.track(fresh) // meanwhile
		write := state.ItemWrite{Item: *was}
		write.Failures = 7
		good := state.ItemWrite{Item: *load(b, other)}
		good.Failures = 7
		raw := b.rawID()
		batch := func() *state.Batch {
			return &state.Batch{
				Raws: []state.Raw{{ID: raw, Kind: state.RawPull, Body: []byte("x")}}, Intents: []state.Intent{{ID: "i"}},
				Items: []state.ItemWrite{good, write}, Records: []plan.Record{record("1", "k", 1)}, Events: []plan.Event{{ItemID: was.ID}},
				LossWindows: []plan.LossWindow{{Cause: plan.LossPull}}, Notes: map[state.NoteKey]string{{Name: "n"}: "v"},
			}
		}
		stale(t, "an item", b.Commit(t.Context(), batch()), was.ID)
		touched := batch()
		touched.Items = []state.ItemWrite{good}
		touched.Touches = []state.Touch{touch(was)}
		stale(t, "a touch", b.Commit(t.Context(), touched), was.ID)
		both := batch()
		both.Items[0].Version++
		stale(t, "all are named", b.Commit(t.Context(), both), was.ID, other.ID)
		stale(t, "one that is not there", b.Commit(t.Context(), &state.Batch{Touches: []state.Touch{{ItemID: 999, Version: 1}}}), 999)
		again := batch()
		again.Items[1].Version = 0
		stale(t, "one that is new no more", b.Commit(t.Context(), again), was.ID)
		b.reopen()
		for _, i := range []state.ItemWrite{fresh, other} {
			same(t, "as it was", load(b, i).Failures, 0)
		}
		_, err := b.Raw(t.Context(), raw)
		wantErr(t, "its raw", err, state.ErrNotFound)
		same(t, "the rest of it", []int{len(b.records(state.RecordFilter{})), len(all(t, b.History(t.Context(), state.HistoryFilter{}))),
			len(must(b.OpenIntents(t.Context()))(t)), len(must(b.LossWindows(t.Context()))(t))}, []int{0, 0, 0, 0})
		same(t, "its note", must(b.Note(t.Context(), state.NoteKey{Name: "n"}))(t), "")
		redone := batch()
		redone.Items[1].Version = load(b, fresh).Version
		if err := b.Commit(t.Context(), redone); err != nil {
			t.Fatalf("made again from what stands: %v", err)
		}
		same(t, "written", []int{load(b, fresh).Failures, load(b, other).Failures}, []int{7, 7})
	})

	// What waits together is one transaction: the stale ones must not take the
	// others with them.
	t.Run("many at once, each counted once", func(t *testing.T) {
		b := open(t, d)
		w := b.item(address(fax, "a", nil), "1")
		b.track(w)
		const workers, rounds = 16, 25
		var group sync.WaitGroup
		for n := range workers {
			group.Go(func() {
				for range rounds {
					for {
						i, err := b.Item(background, w.Address)
						if err != nil {
							t.Error(err)
							return
						}
						batch := &state.Batch{Records: []plan.Record{record("1", "", byte(n))}}
						if n%2 == 0 {
							i.Unchanged++
							batch.Items = []state.ItemWrite{{Item: *i}}
						} else {
							batch.Touches = []state.Touch{{ItemID: i.ID, Version: i.Version, Unchanged: i.Unchanged + 1}}
						}
						if err = b.Commit(background, batch); err == nil {
							break
						}
						if !errors.Is(err, state.ErrStale) {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		group.Wait()
		same(t, "writes", load(b, w).Unchanged, workers*rounds)
	})
}
