package statetest

import (
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func testTally(t *testing.T, d Driver) {
	t.Run("exact", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		same(t, "of nothing", must(b.Tally(t.Context(), &i.Item))(t), state.Tally{})
		var records []plan.Record
		for n := range 10 {
			r := record("1", string(rune('a'+n)), 1)
			r.Amount, r.Currency, r.Parts, r.RawID = decimal("0.1"), "USD", int64(n), int64(100+n)
			r.EventTime, r.ReceivedAt = at(50-n), at(n)
			records = append(records, r)
		}
		records[3].Outcome, records[3].Code = plan.Failed, "E1"
		records[4].Outcome, records[4].Code = plan.Failed, "E1"
		records[5].Outcome, records[5].Code = plan.Failed, "E2"
		records[6].Outcome, records[6].Code = plan.Unknown, "E3"
		records[7].Amount, records[7].Currency = decimal("12345678901234567890.000000000000000000000000000001"), "CNY"
		records[8].Amount, records[8].Currency = decimal("1E-31"), "CNY"
		records[9].Amount, records[9].Currency = nil, ""
		b.add(records...)
		other := record("2", "z", 1)
		other.Amount, other.Currency = decimal("99"), "USD"
		b.add(other)
		got := must(b.Tally(t.Context(), &i.Item))(t)
		costs := map[string]string{}
		for currency, sum := range got.Costs {
			costs[currency] = sum.Text('f')
		}
		same(t, "costs", costs, map[string]string{"USD": "0.7", "CNY": "12345678901234567890.0000000000000000000000000000011"})
		got.Costs, got.UpTo = nil, 0
		same(t, "tally", got.Tally, plan.Tally{Received: 10, Succeeded: 6, Failed: 3, Unknown: 1, FailedCodes: map[string]int64{"E1": 2, "E2": 1},
			Parts: 45, LastEvent: at(50), LastAt: at(9), LastRawID: 109})
	})

	t.Run("only what counts", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		first, second := record("1", "k", 1), record("1", "k", 2)
		first.Amount, first.Currency, second.Amount, second.Currency = decimal("1"), "USD", decimal("2"), "USD"
		second.EventTime = at(3)
		b.add(first)
		b.add(second)
		b.add(second)
		got := must(b.Tally(t.Context(), &i.Item))(t)
		same(t, "received", got.Received, int64(1))
		same(t, "cost", got.Costs["USD"].String(), "2")
	})

	t.Run("many", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		batch := &state.Batch{}
		for n := range 5000 {
			r := record("1", "key-"+decimal("1").String()+address(check, "a", n).String(), 1)
			r.Amount, r.Currency = apd.New(int64(n), -6), "USD"
			batch.Records = append(batch.Records, r)
		}
		b.commit(batch)
		got := must(b.Tally(t.Context(), &i.Item))(t)
		same(t, "received", got.Received, int64(5000))
		same(t, "sum", got.Costs["USD"].Text('f'), "12.497500")
	})
}

func testUnfolded(t *testing.T, d Driver) {
	unfolded := func(b *bench) []int64 {
		b.Helper()
		return must(b.Unfolded(background, 100))(b)
	}
	fold := func(b *bench, i state.ItemWrite) {
		b.Helper()
		i.FoldedTo = must(b.Tally(background, &i.Item))(b).UpTo
		b.track(i)
	}

	t.Run("until a tally is committed", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		same(t, "at first", len(unfolded(b)), 0)
		b.add(record("1", "a", 1))
		same(t, "after a record", unfolded(b), []int64{i.ID})
		b.track(i)
		same(t, "a write that counted nothing", unfolded(b), []int64{i.ID})
		fold(b, i)
		same(t, "folded", len(unfolded(b)), 0)
		b.reopen()
		same(t, "still", len(unfolded(b)), 0)
		b.add(record("1", "a", 1))
		same(t, "a duplicate", len(unfolded(b)), 0)
		b.add(record("1", "b", 1))
		b.reopen()
		same(t, "another record", unfolded(b), []int64{i.ID})
	})

	t.Run("a record between the tally and its commit", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		b.add(record("1", "a", 1))
		i.FoldedTo = must(b.Tally(t.Context(), &i.Item))(t).UpTo
		b.add(record("1", "b", 1))
		b.track(i)
		same(t, "unfolded", unfolded(b), []int64{i.ID})
		fold(b, i)
		same(t, "folded", len(unfolded(b)), 0)
	})

	t.Run("an older tally committed last", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		b.add(record("1", "a", 1))
		older := i
		older.FoldedTo = must(b.Tally(t.Context(), &i.Item))(t).UpTo
		b.add(record("1", "b", 1))
		fold(b, i)
		b.track(older)
		same(t, "unfolded", unfolded(b), []int64{i.ID})
	})

	t.Run("tracked later than its records", func(t *testing.T) {
		b := open(t, d)
		b.add(record("1", "a", 1))
		same(t, "of nobody", len(unfolded(b)), 0)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		same(t, "unfolded", unfolded(b), []int64{i.ID})
	})

	t.Run("forgotten meanwhile", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		b.add(record("1", "a", 1))
		fold(b, i)
		i.ForgottenAt = at(5)
		b.track(i)
		i.ForgottenAt = time.Time{}
		b.track(i)
		same(t, "back, nothing new", len(unfolded(b)), 0)
		i.ForgottenAt = at(6)
		b.track(i)
		b.add(record("1", "b", 1))
		same(t, "forgotten", len(unfolded(b)), 0)
		i.ForgottenAt = time.Time{}
		b.track(i)
		same(t, "back", unfolded(b), []int64{i.ID})
	})

	t.Run("another item at the identity", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		b.add(record("1", "a", 1))
		fold(b, i)
		next := b.item(address(check, "a", nil), "1")
		i.ForgottenAt = at(5)
		b.track(i, next)
		same(t, "unfolded", unfolded(b), []int64{next.ID})
	})

	t.Run("identities exchanged", func(t *testing.T) {
		b := open(t, d)
		one, two := b.item(address(check, "a", 1), "1"), b.item(address(check, "a", 2), "2")
		b.track(one, two)
		b.add(record("1", "a", 1), record("2", "b", 1))
		fold(b, one)
		fold(b, two)
		same(t, "folded", len(unfolded(b)), 0)
		one.Identity, two.Identity = two.Identity, one.Identity
		b.track(one, two)
		same(t, "unfolded", unfolded(b), []int64{one.ID, two.ID})
	})

	t.Run("back at an identity after another", func(t *testing.T) {
		b := open(t, d)
		i := b.item(address(check, "a", nil), "1")
		b.track(i)
		b.add(record("1", "a", 1))
		fold(b, i)
		i.Identity = "2"
		b.track(i)
		i.Identity = "1"
		b.track(i)
		same(t, "unfolded: its values may be of the other", unfolded(b), []int64{i.ID})
	})

	t.Run("a record that another identity's content displaces", func(t *testing.T) {
		b := open(t, d)
		one, two := b.item(address(check, "a", 1), "1"), b.item(address(check, "a", 2), "2")
		b.track(one, two)
		b.add(record("1", "k", 1))
		fold(b, one)
		fold(b, two)
		late := record("2", "k", 2)
		late.EventTime = at(9)
		b.add(late)
		same(t, "both changed", unfolded(b), []int64{one.ID, two.ID})
		same(t, "received", must(b.Tally(t.Context(), &one.Item))(t).Received, int64(0))
	})

	t.Run("quarantined and unreadable ones", func(t *testing.T) {
		b := open(t, d)
		b.track(b.item(address(check, "a", nil), "1"))
		odd := record("1", "k", 1)
		odd.Quarantined = "odd"
		b.add(odd, record("", "", 1))
		same(t, "unfolded", len(unfolded(b)), 0)
	})

	t.Run("limit", func(t *testing.T) {
		b := open(t, d)
		for n := range 5 {
			key := string(rune('a' + n))
			b.track(b.item(address(check, "a", n), key))
			b.add(record(key, key, 1))
		}
		same(t, "some", len(must(b.Unfolded(t.Context(), 3))(t)), 3)
		same(t, "all", len(unfolded(b)), 5)
	})
}
