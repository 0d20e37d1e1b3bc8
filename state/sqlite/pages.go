package sqlite

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// A statement that is open holds its snapshot, and while any snapshot is held the
// write-ahead log grows past it: a listing whose reader stops in the middle (less)
// must hold none. So long listings are read in pages, each of them whole before
// anything of it is handed on.

// pageRows is how many rows a page has, and pageBytes how much of bodies, unless one
// has more.
const (
	pageRows  = 500
	pageBytes = 4 << 20
)

// pages yields what read gives, page after page, until one is empty.
func pages[T any](read func() ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			page, err := read()
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, value := range page {
				if !yield(value, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// after yields the rows of a query in pages: of its arguments the one at place is the
// id after which a page begins, and the last is how many rows it may have.
func after[T any](ctx context.Context, r *Reader, q *query, decode func(v *view, s *stmt) (T, error), id func(T) int64, size func(T) int, place int, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) { // an iteration may be repeated, from its beginning
		args := append(append([]any(nil), args...), int64(pageRows))
		pages(func() (page []T, err error) {
			bytes := 0
			for value, err := range stream(ctx, r, q, decode, args...) {
				if err != nil {
					return nil, err
				}
				page = append(page, value)
				args[place] = id(value)
				if bytes += size(value); bytes >= pageBytes {
					break
				}
			}
			return page, nil
		})(yield)
	}
}

func noSize[T any](T) int { return 0 }

var (
	selectBlocks = &query{"blocks", `SELECT id FROM blocks WHERE (?1 = '' OR type = ?1) AND (?2 = '' OR module = '' AND name = ?2) ORDER BY module, type, name`}
	itemPages    = makeItemPages()
)

// itemPage is what a page of a block's items is asked for; there is a query for each.
type itemPage struct{ declared, unsettled, next bool }

func makeItemPages() map[itemPage]*query {
	both := []bool{false, true}
	queries := make(map[itemPage]*query)
	for _, declared := range both {
		for _, unsettled := range both {
			for _, next := range both {
				p := itemPage{declared, unsettled, next}
				queries[p] = &query{"page of items", p.text()}
			}
		}
	}
	return queries
}

func (p itemPage) text() string {
	columns, tables := itemColumns, " CROSS JOIN observed o ON o.item = i.id"
	if p.declared {
		columns, tables = declaredColumns, ""
	}
	where := []string{"i.block = ?1", "i.forgotten_at IS NULL"}
	if p.unsettled {
		where = append(where, "r.settled = 0")
	}
	limit := "?2"
	if p.next {
		where, limit = append(where, "i.key > ?2"), "?3"
	}
	return "SELECT " + columns + " FROM items i INDEXED BY items_address CROSS JOIN reads r ON r.item = i.id" + tables +
		" WHERE " + strings.Join(where, " AND ") + " ORDER BY i.key LIMIT " + limit
}

// pagedItems yields tracked items as Items does, a page of a block at a time.
func (r *Reader) pagedItems(ctx context.Context, f state.ItemFilter) iter.Seq2[*plan.Item, error] {
	if f.Forgotten {
		return func(yield func(*plan.Item, error) bool) {
			yield(nil, fmt.Errorf("state %s: forgotten items are not listed in pages", r.path))
		}
	}
	decode := fullItem
	if f.Declared {
		decode = declaredItem
	}
	name := f.Name
	if f.Type == "" {
		name = ""
	}
	return func(yield func(*plan.Item, error) bool) {
		blocks, err := gather(stream(ctx, r, selectBlocks, func(_ *view, s *stmt) (int64, error) { return s.int(0), nil }, f.Type, name))
		if err != nil {
			yield(nil, err)
			return
		}
		shape, key := itemPage{declared: f.Declared, unsettled: f.Unsettled}, any(nil)
		pages(func() ([]*plan.Item, error) {
			for len(blocks) > 0 {
				args := []any{blocks[0], int64(pageRows)}
				if shape.next {
					args = []any{blocks[0], key, int64(pageRows)}
				}
				page, err := gather(stream(ctx, r, itemPages[shape], decode, args...))
				if err != nil || len(page) > 0 {
					if err == nil {
						shape.next, key = true, keyArg(page[len(page)-1].Address.Key())
					}
					return page, err
				}
				blocks, shape.next = blocks[1:], false
			}
			return nil, nil
		})(yield)
	}
}
