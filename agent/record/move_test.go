package record

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waybill-dev/waybill/plan"
)

// Whatever moves where, each group of moves finds its targets free once those
// before it were made, and every move is made once.
func TestInMoveOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 7))
	for round := range 2000 {
		n := 1 + random.IntN(12)
		from, to := random.Perm(n + 4)[:n], random.Perm(n + 4)[:n]
		taken := make(map[int]bool) // addresses at which somebody stands
		var moves []*plan.Change
		at := func(i int) plan.Address {
			return plan.NewAddress("globfax_recipient", fmt.Sprint("r", i), plan.Key{})
		}
		number := make(map[plan.Address]int)
		for i := range n {
			taken[from[i]] = true
			number[at(from[i])], number[at(to[i])] = from[i], to[i]
			if from[i] != to[i] {
				was := at(from[i])
				moves = append(moves, &plan.Change{Action: plan.Moved, Address: at(to[i]), From: &was})
			} else {
				// It stays, and nobody else goes there.
				taken[from[i]] = false
			}
		}
		made := 0
		for _, group := range inMoveOrder(moves) {
			for _, m := range group {
				taken[number[*m.From]] = false
			}
			for _, m := range group {
				if taken[number[m.Address]] {
					t.Fatalf("round %d: %v goes to %v, where somebody stands", round, *m.From, m.Address)
				}
				taken[number[m.Address]] = true
				made++
			}
		}
		if made != len(moves) {
			t.Fatalf("round %d: %d of %d moves were made", round, made, len(moves))
		}
	}
}
