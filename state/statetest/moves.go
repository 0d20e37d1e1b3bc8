package statetest

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/state"
)

func testMoves(t *testing.T, d Driver) {
	t.Run("items take each other's places", func(t *testing.T) {
		b := open(t, d)
		var items []state.ItemWrite
		for n := range 5 {
			items = append(items, b.item(address(check, "a", n), string(rune('a'+n))))
		}
		b.track(items...)
		where := func() (list []string) {
			for _, i := range all(t, b.Items(t.Context(), state.ItemFilter{})) {
				list = append(list, i.Address.Key().String()+i.Identity)
			}
			return list
		}
		items[0].Address, items[1].Address = items[1].Address, items[0].Address
		b.track(items[0], items[1])
		same(t, "addresses swapped", where(), []string{"[0]b", "[1]a", "[2]c", "[3]d", "[4]e"})
		items[0].Identity, items[1].Identity = items[1].Identity, items[0].Identity
		b.track(items[0], items[1])
		same(t, "identities swapped", where(), []string{"[0]a", "[1]b", "[2]c", "[3]d", "[4]e"})
		first := items[2].Address
		items[2].Address, items[3].Address, items[4].Address = items[3].Address, items[4].Address, first
		b.track(items[2], items[3], items[4])
		b.reopen()
		same(t, "three in a ring", where(), []string{"[0]a", "[1]b", "[2]e", "[3]c", "[4]d"})
	})

	t.Run("a place is free in the batch that gives it up", func(t *testing.T) {
		for _, newFirst := range []bool{false, true} {
			b := open(t, d)
			old := b.item(address(fax, "a", nil), "1")
			b.track(old)
			next := b.item(address(fax, "a", nil), "2")
			old.ForgottenAt = at(5)
			if newFirst {
				b.track(next, old)
			} else {
				b.track(old, next)
			}
			same(t, "at the address", b.at(next.Address).ID, next.ID)
			same(t, "forgotten", b.forgotten(), []int64{old.ID})
		}
	})

	t.Run("the same item twice in a batch", func(t *testing.T) {
		b := open(t, d)
		one, two := b.item(address(fax, "a", 1), "1"), b.item(address(fax, "a", 2), "2")
		later := one
		later.Address = address(fax, "a", 3)
		b.track(one, later, two)
		same(t, "the last one stands", addresses(all(t, b.Items(t.Context(), state.ItemFilter{}))), []string{fax + ".a[2]", fax + ".a[3]"})
		again := later
		again.Address = two.Address
		two.Address = later.Address
		b.track(later, two, again)
		same(t, "moved in the end", []int64{b.at(again.Address).ID, b.at(two.Address).ID}, []int64{one.ID, two.ID})
	})

	t.Run("forgotten and declared again", func(t *testing.T) {
		b := open(t, d)
		a := address(fax, "a", nil)
		old, newer := b.item(a, "1"), b.item(a, "1")
		old.ForgottenAt, newer.ForgottenAt = at(1), at(2)
		b.track(old)
		b.track(newer)
		same(t, "two of one identity", b.forgotten(), []int64{old.ID, newer.ID})
		newer.ForgottenAt = time.Time{}
		newer.Address = address(fax, "b", nil)
		b.track(newer)
		same(t, "tracked again, elsewhere", b.at(newer.Address), &newer.Item)
		same(t, "the other one is left", b.forgotten(), []int64{old.ID})
	})

	t.Run("no two at one place", func(t *testing.T) {
		b := open(t, d)
		b.track(b.item(address(fax, "a", nil), "1"))
		for what, w := range map[string]state.ItemWrite{
			"address":  b.item(address(fax, "a", nil), "2"),
			"identity": b.item(address(fax, "b", nil), "1"),
		} {
			err := b.Commit(t.Context(), &state.Batch{Notes: map[state.NoteKey]string{{Name: "n"}: what}, Items: []state.ItemWrite{w}})
			if err == nil || !strings.Contains(err.Error(), w.Address.String()) {
				t.Errorf("%s taken: error %v, want one that names %s", what, err, w.Address)
			}
			same(t, "note of the refused batch", must(b.Note(t.Context(), state.NoteKey{Name: "n"}))(t), "")
		}
		free := []state.ItemWrite{b.item(address(check, "a", nil), "1"), b.item(address(fax, "c", nil), "3")}
		free[1].Account, free[1].Identity = "other", "1"
		b.track(free...)
		same(t, "items", len(all(t, b.Items(t.Context(), state.ItemFilter{}))), 3)
	})
}

// forgotten are the ids of forgotten items.
func (b *bench) forgotten() (ids []int64) {
	for _, i := range all(b.T, b.Items(background, state.ItemFilter{Forgotten: true})) {
		ids = append(ids, i.ID)
	}
	return ids
}
