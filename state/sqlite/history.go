package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// historyShape is what a filter asks for; there is a query for each.
type historyShape struct{ block, key, since bool }

var historyQueries = makeHistoryQueries()

func makeHistoryQueries() map[historyShape]*query {
	queries := make(map[historyShape]*query)
	for _, place := range []historyShape{{}, {block: true}, {block: true, key: true}} {
		for _, since := range []bool{false, true} {
			s := historyShape{place.block, place.key, since}
			queries[s] = &query{"history", s.text()}
		}
	}
	return queries
}

func (s historyShape) text() string {
	where, index := []string{"e.seq > ?1"}, " NOT INDEXED"
	if s.block {
		// Of an item that stands, or last stood, there: what happened to it elsewhere
		// belongs to its history.
		place := "block = (SELECT id FROM blocks WHERE module = '' AND type = ?2 AND name = ?3)"
		if s.key {
			place += " AND key = ?4"
		}
		where, index = append(where, "e.item IN (SELECT id FROM items WHERE "+place+" AND forgotten_at IS NULL"+
			" UNION ALL SELECT id FROM items WHERE "+place+" AND forgotten_at IS NOT NULL)"), " INDEXED BY events_item"
	}
	if s.since {
		where = append(where, "e.at >= ?5", "e.seq >= (SELECT min(seq) FROM events WHERE at >= ?5)")
	}
	columns, limit := eventColumns, " LIMIT ?6"
	if s.block { // those of many items come from the index in no order: they are found first
		columns, limit = "e.seq", ""
	}
	return "SELECT " + columns + " FROM events e" + index + " WHERE " + strings.Join(where, " AND ") + " ORDER BY e.seq" + limit
}

const eventColumns = `e.seq, e.at, e.item, e.block, e.key, e.action, e.revision, e.raw, CAST(e.changes AS BLOB), e.account, e."by", e.why`

var selectEvents = &query{"history", "SELECT " + eventColumns + " FROM json_each(?1) j CROSS JOIN events e ON e.seq = j.value"}

// History yields events, oldest first.
func (r *Reader) History(ctx context.Context, f state.HistoryFilter) iter.Seq2[*plan.Event, error] {
	shape := historyShape{since: !f.Since.IsZero()}
	if f.Address == nil {
		return after(ctx, r, historyQueries[shape], event, func(e *plan.Event) int64 { return e.Seq }, noSize, 0,
			f.AfterID, nil, nil, nil, timeArg(f.Since))
	}
	shape.block, shape.key = true, !f.Address.Key().IsNone()
	args := []any{f.AfterID, f.Address.Type(), f.Address.Name(), keyArg(f.Address.Key()), timeArg(f.Since)}
	switch {
	case shape.since:
	case shape.key:
		args = args[:4]
	default:
		args = args[:3]
	}
	return func(yield func(*plan.Event, error) bool) {
		seqs, err := gather(stream(ctx, r, historyQueries[shape], func(_ *view, s *stmt) (int64, error) { return s.int(0), nil }, args...))
		if err != nil {
			yield(nil, err)
			return
		}
		pages(func() ([]*plan.Event, error) {
			n := min(len(seqs), pageRows)
			list, err := json.Marshal(seqs[:n])
			if err != nil || n == 0 {
				return nil, err
			}
			seqs = seqs[n:]
			return gather(stream(ctx, r, selectEvents, event, string(list)))
		})(yield)
	}
}

func event(v *view, s *stmt) (*plan.Event, error) {
	e := &plan.Event{Seq: s.int(0), At: s.time(1), ItemID: s.int(2), Action: plan.Action(s.text(5)), RawID: s.int(7), Why: s.text(11)}
	var err error
	if block := s.int(3); block != 0 {
		if e.Address, err = v.address(block, s.key(4)); err != nil {
			return nil, err
		}
	}
	if !s.null(9) {
		if e.Account, err = v.account(s.int(9)); err != nil {
			return nil, err
		}
	}
	if !s.null(10) {
		if e.By, err = v.word(s.int(10)); err != nil {
			return nil, err
		}
	}
	if e.Revision, err = v.word(s.int(6)); err != nil {
		return nil, err
	}
	if text := s.bytes(8); len(text) > 0 {
		if err := json.Unmarshal(text, &e.Changes); err != nil {
			return nil, fmt.Errorf("state %s: changes of event %d: %w", v.path, e.Seq, err)
		}
	}
	return e, nil
}

var insertEvent = &query{"event", `INSERT INTO events (seq, at, item, block, key, action, revision, raw, changes, account, "by", why)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)`}

func (w *writer) writeEvents(r *request) error {
	for i := range r.batch.Events {
		e := &r.batch.Events[i]
		block, account, by := int64(0), any(nil), any(nil)
		revision, err := w.word(e.Revision)
		if err == nil && !e.Address.IsZero() {
			block, err = w.block(e.Address)
		}
		if err == nil && e.Account != "" {
			account, err = w.account(e.Account)
		}
		if err == nil && e.By != "" {
			by, err = w.word(e.By)
		}
		if err != nil {
			return err
		}
		w.lastSeq++
		err = w.c.exec(insertEvent, w.lastSeq, timeArg(e.At), e.ItemID, block, keyArg(e.Address.Key()), string(e.Action), revision,
			idArg(e.RawID), r.changes[i], account, by, textArg(e.Why))
		if err != nil {
			return err
		}
	}
	return nil
}
