package statetest

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// whole is an item with something in every field.
func whole(id int64) state.ItemWrite {
	return state.ItemWrite{Item: plan.Item{
		ID: id, Address: address(fax, "invoice", "INV \"1\" ${x}\n\x00é"), Account: "globfax.eu", Identity: "rcpt-1",
		Args:     []byte(`{"give_up_after":"72h","labels":{"suspend":"x"},"poll":{"interval":"1m","max_interval":"2m"},"prevent_forget":true,"rcpt_ref":"rcpt-1","suspend":true}`),
		Settings: plan.Settings{Interval: time.Minute, MaxInterval: 2 * time.Minute, GiveUpAfter: 72 * time.Hour, Suspend: true, PreventForget: true},
		Seen:     []byte(`{"status":"sending"}`), NotFound: true,
		Values: []byte(`{"outcome":"failed","settled":true}`), Outcome: plan.Failed, Settled: true,
		Origin: plan.Origin{File: "faxes.wb.hcl", Line: 12}, Revision: "abc+def",
		TrackedAt: at(1), FirstReadAt: at(2), ReadAt: at(3), ObservedAt: at(4), Due: at(5), Failures: 6, Unchanged: 7,
		LastError: "connection refused", BodyDigest: []byte{0, 1, 2, 255}, RawID: 8,
		Pulls: plan.PullTally{LastSuccessAt: at(9), PulledTotal: 10, LossWindows: 11},
		Expectations: []plan.Expectation{
			{Name: "delivered", State: plan.ExpectFailed, Since: at(12), Message: "late"},
			{Name: "cheap", State: plan.ExpectMetLate, Since: at(13)},
		},
	}}
}

func testItems(t *testing.T, d Driver) {
	t.Run("every field comes back", func(t *testing.T) {
		b := open(t, d)
		w := whole(b.itemID())
		b.track(w)
		b.reopen()
		same(t, "item", b.at(w.Address), &w.Item)

		bare := state.ItemWrite{Item: plan.Item{ID: w.ID, Address: w.Address, Account: "other", Identity: "rcpt-2", Outcome: plan.Unknown,
			Settings: plan.Settings{MaxInterval: plan.DefaultMaxInterval}}}
		b.track(bare)
		b.reopen()
		same(t, "item with all of it taken away", b.at(w.Address), &bare.Item)
		b.track(w)
		same(t, "item with all of it back", b.at(w.Address), &w.Item)
	})

	t.Run("times are exact and come back in UTC", func(t *testing.T) {
		b := open(t, d)
		w := b.item(address(fax, "a", nil), "1")
		zone := time.FixedZone("CST", 8*3600)
		w.TrackedAt = time.Date(2026, 7, 1, 16, 0, 0, 1, zone)
		w.ReadAt = time.Unix(0, 0)
		w.Due = time.Date(2262, 1, 1, 0, 0, 0, 999999999, time.UTC)
		w.Expectations = []plan.Expectation{{Name: "e", State: plan.ExpectMet, Since: w.TrackedAt}}
		b.track(w)
		got := b.at(w.Address)
		same(t, "tracked at", got.TrackedAt, time.Date(2026, 7, 1, 8, 0, 0, 1, time.UTC))
		same(t, "since", got.Expectations[0].Since, got.TrackedAt)
		same(t, "read at the epoch", got.ReadAt, time.Unix(0, 0).UTC())
		same(t, "due", got.Due, w.Due)
		if !got.ObservedAt.IsZero() {
			t.Errorf("observed at %v, want the zero time", got.ObservedAt)
		}
	})

	t.Run("a vendor's absurd time costs nothing else", func(t *testing.T) {
		b := open(t, d)
		r := record("1", "k", 1)
		r.EventTime = time.Date(54321, 1, 1, 0, 0, 0, 0, time.UTC)
		b.commit(&state.Batch{Records: []plan.Record{r}})
		if got := all(t, b.Records(t.Context(), state.RecordFilter{})); len(got) != 1 || got[0].EventTime.Year() < 2262 {
			t.Errorf("records: %+v", got)
		}
	})

	t.Run("order and filters", func(t *testing.T) { testItemFilters(t, d) })

	t.Run("items by id", func(t *testing.T) {
		b := open(t, d)
		one, two := b.item(address(fax, "a", 1), "1"), b.item(address(fax, "a", 2), "2")
		two.ForgottenAt = at(3)
		b.track(one, two)
		got := must(b.ItemsByID(t.Context(), []int64{two.ID, 999, one.ID}))(t)
		if len(got) != 2 {
			t.Fatalf("%d items, want the two that exist", len(got))
		}
		for _, i := range got {
			if i.ID != one.ID && i.ID != two.ID {
				t.Errorf("item %d was not asked for", i.ID)
			}
		}
		same(t, "of no ids", len(must(b.ItemsByID(t.Context(), nil))(t)), 0)
	})

	t.Run("touch", func(t *testing.T) {
		b := open(t, d)
		w := whole(b.itemID())
		b.track(w)
		b.commit(&state.Batch{Touches: []state.Touch{{ItemID: w.ID, ReadAt: at(20), Due: at(21), Failures: 1, LastError: "503"}}})
		want := w.Item
		want.ReadAt, want.Due, want.Failures, want.Unchanged, want.LastError = at(20), at(21), 1, 0, "503"
		same(t, "touched", b.at(w.Address), &want)
		b.commit(&state.Batch{Touches: []state.Touch{{ItemID: w.ID, ReadAt: at(22), ObservedAt: at(22), Unchanged: 3}}})
		want.ReadAt, want.ObservedAt, want.Due, want.Failures, want.Unchanged, want.LastError = at(22), at(22), time.Time{}, 0, 3, ""
		b.reopen()
		same(t, "touched again", b.at(w.Address), &want)

	})

	t.Run("schedule", func(t *testing.T) {
		b := open(t, d)
		one, two, gone := b.item(address(fax, "a", 1), "1"), b.item(address(check, "b", nil), "1"), b.item(address(fax, "c", nil), "3")
		one.Due, two.Settled, two.Outcome, gone.ForgottenAt = at(7), true, plan.Succeeded, at(1)
		b.track(one, two, gone)
		slots := map[int64]state.Slot{}
		for _, s := range all(t, b.Schedule(t.Context())) {
			slots[s.ItemID] = s
		}
		same(t, "schedule", slots, map[int64]state.Slot{
			one.ID: {ItemID: one.ID, Type: fax, Account: "acme", Due: at(7)},
			two.ID: {ItemID: two.ID, Type: check, Account: "acme"},
		})
	})

	t.Run("ids are never given twice", func(t *testing.T) {
		b := open(t, d)
		seen := map[int64]bool{}
		for range 3 {
			for range 5 {
				w := b.item(address(fax, "a", int(len(seen))), string(rune('a'+len(seen))))
				raw := b.rawID()
				if seen[w.ID] || w.ID <= 0 || raw <= 0 {
					t.Fatalf("ids %d, %d", w.ID, raw)
				}
				seen[w.ID] = true
				b.commit(&state.Batch{Items: []state.ItemWrite{w}, Raws: []state.Raw{{ID: raw, Kind: state.RawPoll, Body: []byte("x")}}})
			}
			b.reopen()
		}
	})
}

func testItemFilters(t *testing.T, d Driver) {
	b := open(t, d)
	ordered := []plan.Address{
		address(fax, "a", nil),
		address(fax, "b", 0), address(fax, "b", 2), address(fax, "b", 10),
		address(fax, "b", ""), address(fax, "b", "10"), address(fax, "b", "2"), address(fax, "b", "Z"), address(fax, "b", "a"), address(fax, "b", "é"),
		address(fax, "b-2", nil),
		address(check, "a", nil),
		address(message, "a", "x"),
	}
	var batch []state.ItemWrite
	var want []string
	for n, a := range ordered {
		w := b.item(a, a.String())
		w.Settled = n%2 == 0
		batch = append(batch, w)
		want = append(want, a.String())
	}
	for i := range ordered[1:] {
		if !ordered[i].Less(ordered[i+1]) {
			t.Fatalf("%s is not before %s: mend the test", ordered[i], ordered[i+1])
		}
	}
	for i := range batch { // written in another order
		j := (i*7 + 3) % len(batch)
		b.track(batch[j])
	}
	list := func(f state.ItemFilter) []string { return addresses(all(t, b.Items(t.Context(), f))) }
	same(t, "order", list(state.ItemFilter{}), want)
	same(t, "declared", list(state.ItemFilter{Declared: true}), want)
	same(t, "of a type", list(state.ItemFilter{Type: check}), want[11:12])
	same(t, "of a block", list(state.ItemFilter{Type: fax, Name: "b"}), want[1:10])
	same(t, "unsettled", list(state.ItemFilter{Unsettled: true}), []string{want[1], want[3], want[5], want[7], want[9], want[11]})
	same(t, "unsettled of a block", list(state.ItemFilter{Type: fax, Name: "b", Unsettled: true}), []string{want[1], want[3], want[5], want[7], want[9]})
	same(t, "of a type that nobody has", list(state.ItemFilter{Type: "x"}), []string(nil))

	batch[2].ForgottenAt, batch[12].ForgottenAt = at(5), at(4)
	b.track(batch[2], batch[12])
	same(t, "forgotten", list(state.ItemFilter{Forgotten: true}), []string{want[2], want[12]})
	same(t, "forgotten of a type", list(state.ItemFilter{Forgotten: true, Type: message}), []string{want[12]})
	same(t, "tracked ones left", len(list(state.ItemFilter{})), len(want)-2)
	_, err := b.Item(t.Context(), ordered[2])
	wantErr(t, "forgotten item by address", err, state.ErrNotFound)

	full := b.at(ordered[1])
	declared := all(t, b.Items(t.Context(), state.ItemFilter{Type: fax, Name: "b", Declared: true}))[0]
	promised := func(i *plan.Item) plan.Item {
		return plan.Item{ID: i.ID, Address: i.Address, Account: i.Account, Identity: i.Identity, Args: i.Args, Settings: i.Settings, Origin: i.Origin, Revision: i.Revision,
			TrackedAt: i.TrackedAt, ForgottenAt: i.ForgottenAt, Outcome: i.Outcome, Settled: i.Settled}
	}
	same(t, "declared leaves out no more than it says", promised(declared), promised(full))
}

// at is the item that is tracked at an address.
func (b *bench) at(a plan.Address) *plan.Item {
	b.Helper()
	i := must(b.Item(background, a))(b)
	i.Version = 0 // testVersions speaks of it
	return i
}
