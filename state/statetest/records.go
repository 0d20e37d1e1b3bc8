package statetest

import (
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func decimal(text string) *apd.Decimal {
	d, _, err := apd.NewFromString(text)
	if err != nil {
		panic(err) // the tests' own numbers
	}
	return d
}

// add commits records and returns how many were new.
func (b *bench) add(records ...plan.Record) int {
	b.Helper()
	return b.commit(&state.Batch{Records: records}).NewRecords
}

func (b *bench) records(f state.RecordFilter) []*plan.Record {
	b.Helper()
	return all(b, b.Records(background, f))
}

// flags tells which records are in conflict, in the order of recording.
func (b *bench) flags() (list []bool) {
	b.Helper()
	for _, r := range b.records(state.RecordFilter{}) {
		list = append(list, r.Conflict)
	}
	return list
}

func testRecords(t *testing.T, d Driver) {
	t.Run("every field comes back", func(t *testing.T) {
		b := open(t, d)
		r := plan.Record{Type: message, Via: plan.ViaBackfill, Account: "ucloud", Key: "s1/+8613800000000", Identity: "s1", Outcome: plan.Failed, Code: "UNDELIV",
			Amount: decimal("0.01230"), Currency: "USD", Parts: 3, EventTime: at(1), ReceivedAt: at(2), Attributes: []byte(`{"a":[1,2]}`),
			Digest: [16]byte{1, 2, 15: 16}, Quarantined: "odd", RawID: 77}
		bare := plan.Record{Type: check, Via: plan.ViaPull, Account: "nxcloud", Outcome: plan.Pending}
		same(t, "new", b.add(r, bare), 2)
		b.reopen()
		got := b.records(state.RecordFilter{})
		if len(got) != 2 || got[0].ID >= got[1].ID {
			t.Fatalf("records %+v", got)
		}
		same(t, "amount as it was written", got[0].Amount.String(), "0.01230")
		r.ID, bare.ID, r.Place, bare.Place, r.Amount = got[0].ID, got[1].ID, got[0].ID, got[1].ID, got[0].Amount
		same(t, "record", got[0], &r)
		same(t, "bare record", got[1], &bare)
	})

	t.Run("what is told again in other words is told", func(t *testing.T) {
		b := open(t, d)
		told := func(key string, content byte, odd string) plan.Record {
			return plan.Record{Type: message, Via: plan.ViaPull, Account: "ucloud", Key: key, Identity: "s1", Outcome: plan.Succeeded, Digest: [16]byte{content}, Quarantined: odd}
		}
		counts := func(records ...plan.Record) [2]int {
			batch := b.commit(&state.Batch{Records: records})
			return [2]int{batch.NewRecords, batch.Retold}
		}
		same(t, "new ones", counts(told("k1", 1, ""), told("k2", 2, ""), told("k3", 3, "odd"), told("", 4, "odd")), [2]int{4, 0})
		same(t, "the same", counts(told("k1", 1, ""), told("k3", 3, "odd"), told("", 4, "odd")), [2]int{0, 0})
		same(t, "other contents", counts(told("k1", 5, ""), told("k2", 6, "odd"), told("k3", 7, ""), told("", 8, "odd")), [2]int{4, 3})
	})

	t.Run("a record came in some way", func(t *testing.T) {
		b := open(t, d)
		r := record("1", "k", 1)
		r.Via = "pigeon"
		if err := b.Commit(t.Context(), &state.Batch{Records: []plan.Record{r}}); err == nil {
			t.Error("a record that came by pigeon was stored")
		}
	})

	t.Run("each once", func(t *testing.T) {
		b := open(t, d)
		r := record("1", "k", 1)
		same(t, "twice in one batch", b.add(r, r), 1)
		again := r
		again.ReceivedAt, again.RawID, again.Identity = at(9), 5, "2"
		same(t, "again later", b.add(again), 0)
		b.reopen()
		same(t, "again after a restart", b.add(again), 0)
		other := r
		other.Account = "other"
		same(t, "at another account", b.add(other), 1)
		other = r
		other.Type = message
		same(t, "of another type", b.add(other), 1)
		got := b.records(state.RecordFilter{})
		same(t, "records", len(got), 3)
		same(t, "the first is kept", []any{got[0].ReceivedAt, got[0].Identity}, []any{at(1), "1"})
	})

	t.Run("without a key, once for each content", func(t *testing.T) {
		b := open(t, d)
		same(t, "new", b.add(record("1", "", 1), record("1", "", 2), record("1", "", 1)), 2)
		same(t, "again", b.add(record("1", "", 2), record("", "", 3)), 1)
		same(t, "none in conflict", b.flags(), []bool{false, false, false})
	})

	t.Run("of one key one counts", func(t *testing.T) {
		b := open(t, d)
		timed := func(content byte, event time.Time) plan.Record {
			r := record("1", "k", content)
			r.EventTime = event
			return r
		}
		b.add(timed(1, at(5)))
		b.add(timed(2, at(5)))
		same(t, "equal times: the first", b.flags(), []bool{false, true})
		b.add(timed(3, at(4)))
		same(t, "an earlier one", b.flags(), []bool{false, true, true})
		b.add(timed(4, at(6)))
		same(t, "a later one", b.flags(), []bool{true, true, true, false})
		b.add(timed(5, time.Time{}))
		same(t, "one without a time", b.flags(), []bool{true, true, true, false, true})
		same(t, "one that is there again", b.add(timed(1, at(5))), 0)
		b.reopen()
		same(t, "still", b.flags(), []bool{true, true, true, false, true})
		b.add(record("1", "other", 1))
		same(t, "another key", b.flags()[5], false)

		all := open(t, d)
		all.add(timed(1, time.Time{}), timed(2, at(1)), timed(3, at(3)), timed(4, at(2)))
		same(t, "in one batch", all.flags(), []bool{true, true, false, true})
	})

	t.Run("quarantined ones take no part", func(t *testing.T) {
		b := open(t, d)
		odd := record("1", "k", 1)
		odd.Quarantined, odd.EventTime = "not JSON", at(9)
		b.add(odd)
		b.add(record("1", "k", 2))
		odd.Digest = [16]byte{3}
		b.add(odd)
		same(t, "conflicts", b.flags(), []bool{false, false, false})
		same(t, "received", must(b.Tally(t.Context(), &plan.Item{Address: address(check, "", nil), Account: "acme", Identity: "1"}))(t).Received, int64(1))
	})

	t.Run("matched by whoever declares them", func(t *testing.T) {
		b := open(t, d)
		b.add(record("1", "a", 1), record("1", "b", 1), record("2", "c", 1))
		odd := record("1", "d", 1)
		odd.Quarantined = "odd"
		b.add(odd)
		other := record("1", "e", 1)
		other.Account = "other"
		b.add(other)
		status := func() (list []plan.RecordStatus) {
			for _, r := range b.records(state.RecordFilter{}) {
				list = append(list, r.Status())
			}
			return list
		}
		const m, u, q = plan.Matched, plan.Unmatched, plan.Quarantined
		same(t, "at first", status(), []plan.RecordStatus{u, u, u, q, u})
		i := b.item(address(check, "x", 7), "1")
		b.track(i)
		same(t, "declared", status(), []plan.RecordStatus{m, m, u, q, u})
		same(t, "address", *b.records(state.RecordFilter{})[0].Address, i.Address)
		i.Address = address(check, "y", nil)
		b.track(i)
		same(t, "moved", *b.records(state.RecordFilter{})[0].Address, i.Address)
		i.ForgottenAt = at(5)
		b.track(i)
		b.reopen()
		same(t, "forgotten", status(), []plan.RecordStatus{u, u, u, q, u})
		i.ForgottenAt = time.Time{}
		b.track(i)
		same(t, "declared again", status(), []plan.RecordStatus{m, m, u, q, u})
		i.Identity = "2"
		b.track(i)
		same(t, "of another identity", status(), []plan.RecordStatus{u, u, m, q, u})
		next := b.item(address(check, "z", nil), "1")
		i.Identity, next.Account = "1", "other"
		b.track(next, i)
		same(t, "both", status(), []plan.RecordStatus{m, m, u, q, m})
		b.add(record("1", "f", 1), record("9", "g", 1))
		same(t, "arriving later", status()[5:], []plan.RecordStatus{m, u})
	})

	t.Run("filters", func(t *testing.T) {
		b := open(t, d)
		b.track(b.item(address(check, "x", nil), "1"))
		for n := range 12 {
			r := record([]string{"1", "2", ""}[n%3], string(rune('a'+n)), 1)
			r.ReceivedAt = at(n)
			if n%2 == 1 {
				r.Type = message
			}
			if n >= 9 {
				r.Quarantined = "odd"
			}
			b.add(r)
		}
		keys := func(f state.RecordFilter) (list string) {
			for _, r := range b.records(f) {
				list += r.Key
			}
			return list
		}
		same(t, "all", keys(state.RecordFilter{}), "abcdefghijkl")
		same(t, "of a type", keys(state.RecordFilter{Type: message}), "bdfhjl")
		same(t, "since", keys(state.RecordFilter{Since: at(7)}), "hijkl")
		same(t, "since then, of a type", keys(state.RecordFilter{Since: at(7), Type: check}), "ik")
		same(t, "matched", keys(state.RecordFilter{Status: plan.Matched}), "ag")
		same(t, "unmatched", keys(state.RecordFilter{Status: plan.Unmatched}), "bcdefhi")
		same(t, "quarantined", keys(state.RecordFilter{Status: plan.Quarantined}), "jkl")
		same(t, "quarantined of a type since", keys(state.RecordFilter{Status: plan.Quarantined, Type: message, Since: at(10)}), "l")
		for _, err := range b.Records(t.Context(), state.RecordFilter{Status: "odd"}) {
			if err == nil {
				t.Error("a status that does not exist is no error")
			}
		}
		want := map[state.RecordCount]int64{
			{Type: check, Status: plan.Matched}: 2, {Type: check, Status: plan.Unmatched}: 3, {Type: check, Status: plan.Quarantined}: 1,
			{Type: message, Status: plan.Unmatched}: 4, {Type: message, Status: plan.Quarantined}: 2,
		}
		same(t, "counts", must(b.Counts(t.Context()))(t).Records, want)
	})
}
