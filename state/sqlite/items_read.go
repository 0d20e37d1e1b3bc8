package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// The columns of an item, in the order in which item reads them. Texts that
// become bytes are cast, which spares a copy.
const (
	declaredColumns = `i.id, i.block, i.key, i.scope, i.identity, CAST(i.args AS BLOB), i.file, i.line, i.revision, i.tracked_at, i.forgotten_at,
		r.outcome, r.settled, r.version`
	itemColumns = declaredColumns + `, r.not_found, r.first_read_at, r.read_at, r.observed_at, r.due, r.failures, r.unchanged, r.last_error,
		r.body_digest, r.raw, r.pull_success_at, r.pulled_total, r.loss_windows,
		CAST(o.seen AS BLOB), CAST(o."values" AS BLOB), CAST(o.expectations AS BLOB)`
	itemTables = ` JOIN reads r ON r.item = i.id JOIN observed o ON o.item = i.id `
)

// itemsShape is what a filter asks for; there is a query for each.
type itemsShape struct {
	typ, name, unsettled, forgotten, declared bool
	few                                       bool // tracked and unsettled, and so few that they are found first and then sorted
}

var itemsQueries = makeItemsQueries()

func makeItemsQueries() map[itemsShape]*query {
	both := []bool{false, true}
	queries := make(map[itemsShape]*query)
	for _, place := range []itemsShape{{}, {typ: true}, {typ: true, name: true}} {
		for _, unsettled := range both {
			for _, forgotten := range both {
				for _, declared := range both {
					s := itemsShape{place.typ, place.name, unsettled, forgotten, declared, false}
					queries[s] = &query{"items", s.text()}
					if s.few = unsettled && !forgotten; s.few {
						queries[s] = &query{"unsettled items", s.text()}
					}
				}
			}
		}
	}
	return queries
}

// text is the query. The joins are CROSS to keep their order. That of tracked
// items is the order of addresses by the index, so that nothing is sorted;
// forgotten ones, of which there is no such index, are.
func (s itemsShape) text() string {
	var b strings.Builder
	b.WriteString("SELECT ")
	if s.declared {
		b.WriteString(declaredColumns)
	} else {
		b.WriteString(itemColumns)
	}
	switch {
	case s.few:
		b.WriteString(" FROM reads r INDEXED BY reads_unsettled CROSS JOIN items i ON i.id = r.item CROSS JOIN blocks b ON b.id = i.block")
	case s.forgotten:
		b.WriteString(" FROM items i INDEXED BY items_forgotten CROSS JOIN blocks b ON b.id = i.block CROSS JOIN reads r ON r.item = i.id")
	default:
		b.WriteString(" FROM blocks b CROSS JOIN items i ON i.block = b.id CROSS JOIN reads r ON r.item = i.id")
	}
	if !s.declared {
		b.WriteString(" CROSS JOIN observed o ON o.item = i.id")
	}
	if s.forgotten {
		b.WriteString(" WHERE i.forgotten_at IS NOT NULL")
	} else {
		b.WriteString(" WHERE i.forgotten_at IS NULL")
	}
	if s.few {
		b.WriteString(" AND r.tracked = 1")
	}
	if s.unsettled {
		b.WriteString(" AND r.settled = 0")
	}
	if s.typ {
		b.WriteString(" AND b.type = ?1")
	}
	if s.name {
		b.WriteString(" AND b.module = '' AND b.name = ?2")
	}
	b.WriteString(" ORDER BY b.module, b.type, b.name, i.key")
	if s.forgotten {
		b.WriteString(", i.id")
	}
	return b.String()
}

// Items yields items in the order of their addresses.
func (r *Reader) Items(ctx context.Context, f state.ItemFilter) iter.Seq2[*plan.Item, error] {
	if f.Paged {
		return r.pagedItems(ctx, f)
	}
	shape := itemsShape{typ: f.Type != "", name: f.Type != "" && f.Name != "", unsettled: f.Unsettled, forgotten: f.Forgotten, declared: f.Declared}
	var args []any
	if shape.typ {
		args = append(args, f.Type)
	}
	if shape.name {
		args = append(args, f.Name)
	}
	decode := fullItem
	if f.Declared {
		decode = declaredItem
	}
	if !shape.unsettled || shape.forgotten {
		return stream(ctx, r, itemsQueries[shape], decode, args...)
	}
	return func(yield func(*plan.Item, error) bool) {
		few, err := r.fewUnsettled(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		shape := shape // an iteration may be repeated, by then with other numbers
		shape.few = few
		stream(ctx, r, itemsQueries[shape], decode, args...)(yield)
	}
}

// manyUnsettled is from how many on unsettled items are found by walking all
// items in the order of their addresses, which spares the sorting.
const manyUnsettled = 10_000

var countUnsettled = &query{"unsettled items", `SELECT count(*) FROM
	(SELECT 1 FROM reads INDEXED BY reads_unsettled WHERE tracked = 1 AND settled = 0 LIMIT ` + strconv.Itoa(manyUnsettled) + `)`}

func (r *Reader) fewUnsettled(ctx context.Context) (bool, error) {
	for n, err := range stream(ctx, r, countUnsettled, func(_ *view, s *stmt) (int64, error) { return s.int(0), nil }) {
		return n < manyUnsettled, err
	}
	return false, nil
}

var (
	selectItem = &query{"item", `SELECT ` + itemColumns + ` FROM blocks b JOIN items i ON i.block = b.id` + itemTables +
		`WHERE b.module = '' AND b.type = +?1 AND b.name = +?2 AND i.key = +?3 AND i.forgotten_at IS NULL`}
	selectItems = &query{"items by id", `SELECT ` + itemColumns + ` FROM json_each(?1) j CROSS JOIN items i ON i.id = j.value` + itemTables}

	selectSchedule = &query{"schedule", `SELECT item, scope, due FROM reads WHERE tracked = 1`}
)

// Item returns the tracked item at an address.
func (r *Reader) Item(ctx context.Context, a plan.Address) (*plan.Item, error) {
	for item, err := range stream(ctx, r, selectItem, fullItem, a.Type(), a.Name(), keyArg(a.Key())) {
		return item, err
	}
	return nil, fmt.Errorf("%s: %w", a, state.ErrNotFound)
}

// ItemsByID returns the items of those ids, tracked or forgotten.
func (r *Reader) ItemsByID(ctx context.Context, ids []int64) ([]*plan.Item, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("ids of items: %w", err)
	}
	return gather(stream(ctx, r, selectItems, fullItem, string(list)))
}

// Schedule yields what an agent must remember of every tracked item.
func (r *Reader) Schedule(ctx context.Context) iter.Seq2[state.Slot, error] {
	return stream(ctx, r, selectSchedule, func(v *view, s *stmt) (state.Slot, error) {
		typ, account, err := v.scope(s.int(1))
		return state.Slot{ItemID: s.int(0), Type: typ, Account: account, Due: s.time(2)}, err
	})
}

// declaredItem reads the columns of declaredColumns.
func declaredItem(v *view, s *stmt) (*plan.Item, error) {
	i := &plan.Item{
		ID: s.int(0), Identity: s.text(4), Args: s.bytes(5), TrackedAt: s.time(9), ForgottenAt: s.time(10),
		Outcome: s.outcome(11), Settled: s.bool(12), Version: s.int(13),
	}
	i.Origin.Line = int(s.int(7))
	var err error
	if i.Address, err = v.address(s.int(1), s.key(2)); err != nil {
		return nil, err
	}
	if i.Settings, err = plan.DecodeSettings(i.Args); err != nil {
		return nil, fmt.Errorf("state %s: recorded arguments of %s: %w", v.path, i.Address, err)
	}
	if _, i.Account, err = v.scope(s.int(3)); err != nil {
		return nil, err
	}
	if i.Origin.File, err = v.word(s.int(6)); err != nil {
		return nil, err
	}
	i.Revision, err = v.word(s.int(8))
	return i, err
}

// fullItem reads the columns of itemColumns.
func fullItem(v *view, s *stmt) (*plan.Item, error) {
	i, err := declaredItem(v, s)
	if err != nil {
		return nil, err
	}
	i.NotFound = s.bool(14)
	i.FirstReadAt, i.ReadAt, i.ObservedAt, i.Due = s.time(15), s.time(16), s.time(17), s.time(18)
	i.Failures, i.Unchanged, i.LastError = int(s.int(19)), int(s.int(20)), s.text(21)
	i.BodyDigest, i.RawID = s.bytes(22), s.int(23)
	i.Pulls = plan.PullTally{LastSuccessAt: s.time(24), PulledTotal: s.int(25), LossWindows: s.int(26)}
	i.Seen, i.Values = s.bytes(27), s.bytes(28)
	if text := s.bytes(29); len(text) > 0 {
		if err := json.Unmarshal(text, &i.Expectations); err != nil {
			return nil, fmt.Errorf("state %s: expectations of %s: %w", v.path, i.Address, err)
		}
	}
	return i, nil
}
