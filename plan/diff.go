package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/waybill-dev/waybill/value"
)

// Diff compares what is declared with what is tracked. An item is the same item
// by its identity (type, account, vendor identity), whatever its address:
//
//	declared identity   tracked identity   addresses   arguments   change
//	a                   -                  -           -           track
//	a                   a                  same        same        none
//	a                   a                  same        differ      change
//	a                   a                  differ      any         move
//	-                   a                  -           -           forget
//
// so that another identity at an address is a forget and a track. Items whose
// address keep reports true for are never forgotten (their block was not, or
// could not be, evaluated). tracked is read once, as a stream, and holds what
// ItemFilter.Declared gives; the changes come in the order of addresses, a forget before
// a track of the same address.
func Diff(desired []Desired, tracked iter.Seq2[*Item, error], keep func(Address) bool) ([]Change, error) {
	found := make([]bool, len(desired))
	var changes []Change
	match := func(i int, item *Item) error {
		found[i] = true
		change, err := compare(&desired[i], item)
		if err == nil && change.Action != NoOp {
			changes = append(changes, change)
		}
		return err
	}
	// Both come in the order of addresses, so that an item that stayed where it was
	// is met in passing; only what was not goes by its identity. In another order
	// the result is the same, and merely takes longer.
	var others []*Item
	next := 0
	for item, err := range tracked {
		if err != nil {
			return nil, err
		}
		for next < len(desired) && desired[next].Address.Less(item.Address) {
			next++
		}
		if next == len(desired) || desired[next].Address != item.Address || !sameIdentity(&desired[next], item) {
			others = append(others, item)
			continue
		}
		if err := match(next, item); err != nil {
			return nil, err
		}
	}
	byIdentity := make(map[Identity]int32)
	if len(others) > 0 {
		for i := range desired {
			if !found[i] {
				byIdentity[desired[i].FullIdentity()] = int32(i)
			}
		}
	}
	for _, item := range others {
		i, ok := byIdentity[item.FullIdentity()]
		if !ok {
			if !keep(item.Address) {
				changes = append(changes, Change{Action: Forget, Address: item.Address, Item: item})
			}
			continue
		}
		if err := match(int(i), item); err != nil {
			return nil, err
		}
	}
	for i := range desired {
		if found[i] {
			continue
		}
		fields, err := value.Fields(nil, desired[i].Args, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", desired[i].Address, err)
		}
		changes = append(changes, Change{Action: Track, Address: desired[i].Address, Desired: &desired[i], Fields: fields})
	}
	order := func(a, b Change) int {
		switch {
		case a.Address.Less(b.Address):
			return -1
		case b.Address.Less(a.Address):
			return 1
		case a.Action == Forget && b.Action != Forget:
			return -1
		case b.Action == Forget && a.Action != Forget:
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(changes, order) {
		slices.SortStableFunc(changes, order)
	}
	return changes, nil
}

func compare(d *Desired, item *Item) (Change, error) {
	change := Change{Action: NoOp, Address: d.Address, Desired: d, Item: item}
	if !bytes.Equal(d.Args, item.Args) {
		fields, err := value.Fields(item.Args, d.Args, nil)
		if err != nil {
			return change, fmt.Errorf("%s: %w", d.Address, err)
		}
		change.Fields = fields
		if len(fields) > 0 {
			change.Action = Update
		}
	}
	if d.Address != item.Address {
		from := item.Address
		change.Action, change.From = Moved, &from
	}
	return change, nil
}

func sameIdentity(d *Desired, item *Item) bool {
	return d.Identity == item.Identity && d.Account == item.Account && d.Address.typ == item.Address.typ
}

// AddressField is the difference of a move, for the history.
func AddressField(from, to Address) value.Field {
	return value.Field{
		Path:   "address",
		Before: json.RawMessage(value.AppendString(nil, from.String())),
		After:  json.RawMessage(value.AppendString(nil, to.String())),
	}
}
