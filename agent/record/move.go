package record

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// declareMoves records moves, each after, or together with, the one that leaves the
// address it goes to.
func (c *Recorder) declareMoves(ctx context.Context, under *terms, moves []*plan.Change, now time.Time) error {
	for groups := inMoveOrder(moves); len(groups) > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, size := 0, 0
		for n < len(groups) && (n == 0 || size+len(groups[n]) <= atOnce) {
			size += len(groups[n])
			n++
		}
		done, err := c.moveGroups(ctx, under, groups[:n], now)
		if err != nil {
			return fmt.Errorf("record the declaration: %w", err)
		}
		groups = groups[done:]
	}
	return nil
}

// moveGroups commits groups of moves, and says how many: where an item was written
// meanwhile, those before its group, for what comes after may wait for it to go.
func (c *Recorder) moveGroups(ctx context.Context, under *terms, groups [][]*plan.Change, now time.Time) (done int, err error) {
	var ids []int64
	groupOf, change := make(map[int64]int), make(map[int64]*plan.Change)
	for i, group := range groups {
		for _, move := range group {
			ids = append(ids, move.Item.ID)
			groupOf[move.Item.ID], change[move.Item.ID] = i, move
		}
	}
	ctx = context.WithoutCancel(ctx)
	items, err := c.store.ItemsByID(ctx, ids)
	if err != nil {
		return 0, fmt.Errorf("load items: %w", err)
	}
	var pieces []*piece
	for _, item := range items {
		if !item.ForgottenAt.IsZero() {
			continue
		}
		p, err := c.declareOne(ctx, under, change[item.ID], item, now)
		if err != nil {
			return 0, err
		}
		pieces = append(pieces, p)
	}
	for done = len(groups); len(pieces) > 0; {
		stale, err := c.commitPieces(ctx, pieces)
		if err != nil {
			return 0, err
		}
		if stale == nil {
			break
		}
		for _, id := range stale {
			done = min(done, groupOf[id])
		}
		var before []*piece
		for _, p := range pieces {
			if groupOf[p.write.ID] < done {
				before = append(before, p)
			}
		}
		pieces = before
	}
	return done, nil
}

// inMoveOrder sorts moves so that each comes after the one that leaves the address
// it goes to. Those that go round in a circle are one group, and can only be made
// together; any other is a group alone.
func inMoveOrder(moves []*plan.Change) [][]*plan.Change {
	leaves := make(map[plan.Address]int, len(moves)) // by the address: who leaves it
	for i, move := range moves {
		leaves[*move.From] = i
	}
	groups := make([][]*plan.Change, 0, len(moves))
	const unseen, walked, placed = 0, 1, 2
	seen := make([]uint8, len(moves))
	var path []int // each goes where the next one leaves
	for i := range moves {
		path = path[:0]
		at, occupied := i, true
		for occupied && seen[at] == unseen {
			seen[at] = walked
			path = append(path, at)
			var next int
			if next, occupied = leaves[moves[at].Address]; occupied {
				at = next
			}
		}
		circle := len(path)
		if occupied && seen[at] == walked { // the path came back to one of its own
			circle = slices.Index(path, at)
			group := make([]*plan.Change, 0, len(path)-circle)
			for _, on := range path[circle:] {
				group = append(group, moves[on])
			}
			groups = append(groups, group)
		}
		for _, on := range slices.Backward(path[:circle]) {
			groups = append(groups, []*plan.Change{moves[on]})
		}
		for _, on := range path {
			seen[on] = placed
		}
	}
	return groups
}
