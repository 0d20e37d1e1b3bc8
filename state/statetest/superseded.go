package statetest

import (
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// testSuperseded: records that are told otherwise, as replay does.
func testSuperseded(t *testing.T, d Driver) {
	timed := func(key string, content byte, minute int) plan.Record {
		r := record("1", key, content)
		if minute > 0 {
			r.EventTime = at(minute)
		}
		return r
	}
	ids := func(b *bench) (list []int64) {
		for _, r := range b.records(state.RecordFilter{}) {
			list = append(list, r.ID)
		}
		return list
	}

	t.Run("in the place of another", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		odd := record("", "", 1)
		odd.Quarantined, odd.RawID = "odd", 7
		b.add(record("1", "before", 1), odd, record("1", "after", 1))
		old := ids(b)
		i.FoldedTo = must(b.Tally(background, &i.Item))(b).UpTo
		b.track(i)
		mended := record("1", "mended", 2)
		mended.Place, mended.RawID, mended.ReceivedAt = old[1], 7, odd.ReceivedAt
		batch := b.commit(&state.Batch{Superseded: old[1:2], Records: []plan.Record{mended}})
		same(t, "new", batch.NewRecords, 1)
		b.reopen()
		got := b.records(state.RecordFilter{})[2]
		same(t, "others stay", ids(b)[:2], []int64{old[0], old[2]})
		same(t, "its place", []int64{got.Place, got.ID - old[2]}, []int64{old[1], got.ID - old[2]})
		was := b.records(state.RecordFilter{Superseded: true})[1]
		odd.ID, odd.Place, odd.Superseded = old[1], old[1], true
		same(t, "what it was, to the letter", was, &odd)
		of := b.records(state.RecordFilter{RawID: 7})
		same(t, "what is made of the raw now", []int64{int64(len(of)), of[0].ID}, []int64{1, got.ID})
		same(t, "in its place", []any{got.Key, got.Quarantined, got.ReceivedAt, got.Status()}, []any{"mended", "", odd.ReceivedAt, plan.Matched})
		same(t, "to be counted", must(b.Unfolded(background, 9))(t), []int64{i.ID})
		same(t, "counted", must(b.Tally(background, &i.Item))(t).Received, int64(3))
		same(t, "none in quarantine", len(b.records(state.RecordFilter{Status: plan.Quarantined})), 0)
		want := map[state.RecordCount]int64{{Type: check, Status: plan.Matched}: 3}
		same(t, "counts", must(b.Counts(background))(t).Records, want)
	})

	t.Run("a place that nothing left is not taken", func(t *testing.T) {
		b := open(t, d)
		b.add(record("1", "a", 1), record("1", "b", 1))
		old := ids(b)
		r := record("1", "c", 1)
		r.Place = old[0]
		again := record("1", "d", 1)
		again.Place = old[1]
		b.commit(&state.Batch{Superseded: []int64{old[1], 12345}, Records: []plan.Record{r, again}})
		var keys string
		places := map[string]int64{}
		for _, r := range b.records(state.RecordFilter{}) {
			keys += r.Key
			places[r.Key] = r.Place
		}
		same(t, "records", keys, "acd")
		same(t, "place of one that left none", places["c"] > old[1], true)
		same(t, "place of one that took it", places["d"], old[1])
	})

	t.Run("what counts is decided anew", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		b.add(timed("k", 1, 0), timed("k", 2, 0), timed("k", 3, 0))
		old := ids(b)
		same(t, "the first", b.flags(), []bool{false, true, true})
		fold := func() {
			i.FoldedTo = must(b.Tally(background, &i.Item))(b).UpTo
			b.track(i)
			same(t, "folded", len(must(b.Unfolded(background, 9))(b)), 0)
		}
		fold()
		told := timed("k", 4, 0)
		told.Place = old[0]
		b.commit(&state.Batch{Superseded: old[:1], Records: []plan.Record{told}})
		same(t, "the first in another form", b.flags(), []bool{true, true, false})
		same(t, "to be counted", must(b.Unfolded(background, 9))(t), []int64{i.ID})
		fold()
		later := timed("k", 5, 9)
		later.Place = old[2]
		b.commit(&state.Batch{Superseded: old[2:], Records: []plan.Record{later}})
		same(t, "the latest event", b.flags(), []bool{true, true, false})
		fold()
		b.commit(&state.Batch{Superseded: ids(b)[2:]})
		same(t, "the first again", b.flags(), []bool{true, false})
		same(t, "received", must(b.Tally(background, &i.Item))(t).Received, int64(1))
		same(t, "to be counted again", must(b.Unfolded(background, 9))(t), []int64{i.ID})
		fold()
		other := timed("l", 1, 0)
		other.Place, other.Identity = old[0], "2"
		b.commit(&state.Batch{Superseded: ids(b)[1:], Records: []plan.Record{other}})
		b.reopen()
		same(t, "of another key and item", b.flags(), []bool{false, false})
		same(t, "one is left", must(b.Tally(background, &i.Item))(t).Received, int64(1))
		same(t, "as it was at first once more", b.commit(&state.Batch{Superseded: ids(b), Records: []plan.Record{timed("k", 1, 0)}}).NewRecords, 1)
		same(t, "all that was ever told", len(b.records(state.RecordFilter{Superseded: true})), 7)
		b.commit(&state.Batch{Superseded: ids(b)})
		same(t, "none are left", must(b.Tally(background, &i.Item))(t).Received, int64(0))
		same(t, "the item is to be counted", must(b.Unfolded(background, 9))(t), []int64{i.ID})
		sum := int64(0)
		for _, n := range must(b.Counts(background))(t).Records {
			sum += n
		}
		same(t, "counts of records", sum, int64(0))
	})

	t.Run("an old record told with a later event", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		other := record("2", "", 1)
		b.add(other, timed("k", 1, 0))
		i.FoldedTo = must(b.Tally(background, &i.Item))(t).UpTo
		b.track(i)
		told := timed("k", 2, 5)
		told.Place, told.Identity = ids(b)[0], "2"
		b.commit(&state.Batch{Superseded: ids(b)[:1], Records: []plan.Record{told}})
		same(t, "conflicts", b.flags(), []bool{true, false})
		same(t, "whose record counts no more", must(b.Unfolded(background, 9))(t), []int64{i.ID})
	})

	t.Run("one that is there already", func(t *testing.T) {
		b := open(t, d)
		b.add(record("1", "a", 1), record("1", "b", 1))
		old := ids(b)
		r := record("1", "a", 1)
		r.Place = old[1]
		batch := b.commit(&state.Batch{Superseded: old[1:], Records: []plan.Record{r}})
		same(t, "new", batch.NewRecords, 0)
		same(t, "records", ids(b), old[:1])
	})

	t.Run("found by raw and by key", func(t *testing.T) {
		b := open(t, d)
		var raws []int64
		for n := range 4 {
			id := b.rawID()
			raws = append(raws, id)
			r, odd := record("1", string(rune('a'+n)), 1), record("1", "k", byte(n))
			r.RawID, odd.RawID = id, id
			if n == 2 {
				odd.Quarantined = "odd"
			}
			b.commit(&state.Batch{Raws: []state.Raw{{ID: id, Kind: state.RawCallback, Account: "acme", Body: []byte{byte(n)}, Derived: n != 3}},
				Records: []plan.Record{r, odd}})
		}
		b.reopen()
		keys := func(f state.RecordFilter) (n int, list string) {
			for _, r := range b.records(f) {
				list += r.Key
				n++
			}
			return n, list
		}
		_, got := keys(state.RecordFilter{RawID: raws[1]})
		same(t, "of a raw", got, "bk")
		n, _ := keys(state.RecordFilter{RawID: 999})
		same(t, "of none", n, 0)
		sought := record("", "k", 77)
		n, _ = keys(state.RecordFilter{Same: &sought})
		same(t, "of a key", n, 4)
		sought.Account = "other"
		n, _ = keys(state.RecordFilter{Same: &sought})
		same(t, "of a key elsewhere", n, 0)
		b.add(record("1", "", 5), record("1", "", 6))
		sought = record("", "", 6)
		n, _ = keys(state.RecordFilter{Same: &sought})
		same(t, "of a content without a key", n, 1)
		rawIDs := func(f state.RawFilter) (list []int64) {
			for _, r := range all(t, b.Raws(background, f)) {
				list = append(list, r.ID)
				if len(r.Body) != 1 || r.Derived != (r.ID != raws[3]) {
					t.Errorf("raw %+v", r)
				}
			}
			return list
		}
		same(t, "raws", rawIDs(state.RawFilter{}), raws)
		same(t, "raws after one", rawIDs(state.RawFilter{AfterID: raws[1]}), raws[2:])
		same(t, "raws of quarantined records", rawIDs(state.RawFilter{Quarantined: true}), raws[2:3])
	})
}
