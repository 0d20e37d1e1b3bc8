package statetest

import (
	"errors"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func testCommit(t *testing.T, d Driver) {
	t.Run("one bad batch costs only itself", func(t *testing.T) {
		b := open(t, d)
		b.track(b.item(address(fax, "taken", nil), "taken"))
		const workers, rounds = 16, 20
		errs := make(chan error, workers*rounds)
		for w := range workers {
			go func() {
				for n := range rounds {
					good := w%4 != 0
					i := b.item(address(fax, "a", w*rounds+n), address(fax, "a", w*rounds+n).String())
					if !good {
						i.Address = address(fax, "taken", nil)
					}
					err := b.Commit(background, &state.Batch{Items: []state.ItemWrite{i}, Records: []plan.Record{record("x", i.Identity, 1)}})
					if (err == nil) != good {
						err = errors.Join(errors.New("a good batch failed, or a bad one did not"), err)
					} else {
						err = nil
					}
					errs <- err
				}
			}()
		}
		for range workers * rounds {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		b.reopen()
		same(t, "items", len(all(t, b.Items(t.Context(), state.ItemFilter{}))), 1+workers*rounds*3/4)
		same(t, "records", len(all(t, b.Records(t.Context(), state.RecordFilter{}))), workers*rounds*3/4)
	})

	t.Run("what is committed is read", func(t *testing.T) {
		b := open(t, d)
		done := make(chan error, 32)
		for w := range cap(done) {
			go func() {
				a := address(fax, "a", w)
				for n := range 10 {
					i := b.item(a, a.String())
					i.ID, i.Failures, i.Version = int64(w+1), n, int64(n)
					if err := b.Commit(background, &state.Batch{Items: []state.ItemWrite{i}}); err != nil {
						done <- err
						return
					}
					if got, err := b.Item(background, a); err != nil || got.Failures != n {
						done <- errors.Join(errors.New("read something else than what was committed before"), err)
						return
					}
				}
				done <- nil
			}()
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("the fields in their order", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		raw := b.rawID()
		b.commit(&state.Batch{
			Raws: []state.Raw{{ID: raw, Kind: state.RawCallback, Body: []byte("x")}}, Derived: []int64{raw},
			Intents: []state.Intent{{ID: "i"}}, Concluded: []string{"i"},
			Items:   []state.ItemWrite{i},
			Records: []plan.Record{record("1", "k", 1)},
		})
		same(t, "underived", len(all(t, b.Underived(t.Context()))), 0)
		same(t, "intents", len(must(b.OpenIntents(t.Context()))(t)), 0)
		same(t, "unfolded", must(b.Unfolded(t.Context(), 10))(t), []int64{i.ID})
	})

	t.Run("nothing at all", func(t *testing.T) {
		b := open(t, d)
		b.commit(&state.Batch{})
	})

	t.Run("closed", func(t *testing.T) {
		b := open(t, d)
		b.commit(&state.Batch{Notes: map[state.NoteKey]string{{Name: "a"}: "1"}})
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Errorf("close, twice: %v", err)
		}
		wantErr(t, "commit", b.Commit(t.Context(), &state.Batch{}), state.ErrClosed)
		_, err := b.Note(t.Context(), state.NoteKey{Name: "a"})
		wantErr(t, "read", err, state.ErrClosed)
	})

	t.Run("a large batch", func(t *testing.T) {
		b := open(t, d)
		batch := &state.Batch{}
		for n := range 30_000 {
			i := b.item(address(fax, "a", n), address(fax, "a", n).String())
			i.Settled = n%2 == 1
			batch.Items = append(batch.Items, i)
			batch.Events = append(batch.Events, plan.Event{At: at(0), ItemID: i.ID, Address: i.Address, Action: plan.Track})
		}
		b.commit(batch)
		b.reopen()
		n := 0
		for i, err := range b.Items(t.Context(), state.ItemFilter{Declared: true}) {
			if err != nil || i.Address != address(fax, "a", n) {
				t.Fatalf("item %d: %v, %v", n, i, err)
			}
			n++
		}
		same(t, "items", n, len(batch.Items))
		n = 0
		for i, err := range b.Items(t.Context(), state.ItemFilter{Unsettled: true}) {
			if err != nil || i.Address != address(fax, "a", n) {
				t.Fatalf("unsettled item %d: %v, %v", n, i, err)
			}
			n += 2
		}
		same(t, "unsettled items", n, len(batch.Items))
	})
}
