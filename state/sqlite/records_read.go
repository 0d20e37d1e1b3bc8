package sqlite

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

const recordColumns = `r.id, r.scope, r.key, s.identity, r.outcome, r.code, r.amount, r.currency, r.parts, r.event_at, r.received_at,
	CAST(r.attributes AS BLOB), r.digest, r.quarantined, r.status, r.raw, i.block, i.key,
	coalesce(r.place, r.id), r.via`

// recordsShape is what a filter asks for; there is a query for each.
type recordsShape struct {
	typ, since, superseded bool
	status                 plan.RecordStatus
}

var recordsQueries = makeRecordsQueries()

func makeRecordsQueries() map[recordsShape]*query {
	queries := make(map[recordsShape]*query)
	for _, typ := range []bool{false, true} {
		for _, since := range []bool{false, true} {
			for _, status := range []plan.RecordStatus{"", plan.Matched, plan.Unmatched, plan.Quarantined} {
				for _, superseded := range []bool{false, true} {
					s := recordsShape{typ, since, superseded, status}
					queries[s] = &query{"records", s.text()}
				}
			}
		}
	}
	return queries
}

func (s recordsShape) text() string {
	where := []string{"r.id > ?3"}
	if !s.superseded {
		where = append(where, "r.status <> 3")
	}
	index := ""
	if s.typ {
		where = append(where, "r.scope IN (SELECT id FROM scopes WHERE type = ?1)")
	}
	if s.since {
		// The second term lets the scan begin where the first can be true.
		where = append(where, "r.received_at >= ?2", "r.id >= (SELECT min(id) FROM records WHERE received_at >= ?2)")
	}
	switch s.status {
	case plan.Matched:
		where = append(where, "r.status <> 2", "s.item IS NOT NULL")
	case plan.Unmatched:
		where = append(where, "r.status <> 2", "s.item IS NULL")
	case plan.Quarantined:
		where = append(where, "r.status = 2")
		index = " INDEXED BY records_quarantined"
	}
	if index == "" {
		index = " NOT INDEXED" // by id
	}
	return "SELECT " + recordColumns + " FROM records r" + index + ` JOIN subjects s ON s.id = r.subject LEFT JOIN items i ON i.id = s.item
		WHERE ` + strings.Join(where, " AND ") + " ORDER BY r.id LIMIT ?4"
}

// scopeNamed is the scope of a type and an account, ?1 and ?2.
const scopeNamed = `(SELECT sc.id FROM scopes sc JOIN accounts ac ON ac.id = sc.account WHERE sc.type = ?1 AND ac.name = ?2)`

var (
	recordsOfRaw = &query{"records of a raw", "SELECT " + recordColumns + ` FROM records r INDEXED BY records_raw
		JOIN subjects s ON s.id = r.subject LEFT JOIN items i ON i.id = s.item WHERE r.raw = ?1 AND r.status <> 3 ORDER BY r.id`}
	recordsOfKey = &query{"records of a key", "SELECT " + recordColumns + ` FROM records r INDEXED BY records_once
		JOIN subjects s ON s.id = r.subject LEFT JOIN items i ON i.id = s.item
		WHERE r.scope = ` + scopeNamed + ` AND r.key = ?3 AND r.status <> 3`}
	recordsOfContent = &query{"records of a content", "SELECT " + recordColumns + ` FROM records r INDEXED BY records_once
		JOIN subjects s ON s.id = r.subject LEFT JOIN items i ON i.id = s.item
		WHERE r.scope = ` + scopeNamed + ` AND r.key = '' AND r.digest = ?3 AND r.status <> 3`}
)

// Records yields records in the order in which they were recorded; those of one
// key come in no order.
func (r *Reader) Records(ctx context.Context, f state.RecordFilter) iter.Seq2[*plan.Record, error] {
	switch {
	case f.RawID != 0:
		return stream(ctx, r, recordsOfRaw, record, f.RawID)
	case f.Same != nil && f.Same.Key != "":
		return stream(ctx, r, recordsOfKey, record, f.Same.Type, f.Same.Account, f.Same.Key)
	case f.Same != nil:
		return stream(ctx, r, recordsOfContent, record, f.Same.Type, f.Same.Account, f.Same.Digest[:])
	}
	shape := recordsShape{typ: f.Type != "", since: !f.Since.IsZero(), superseded: f.Superseded, status: f.Status}
	q, ok := recordsQueries[shape]
	if !ok {
		return func(yield func(*plan.Record, error) bool) {
			yield(nil, fmt.Errorf("records have no status %q: it is %s, %s or %s", f.Status, plan.Matched, plan.Unmatched, plan.Quarantined))
		}
	}
	return after(ctx, r, q, record, func(r *plan.Record) int64 { return r.ID }, noSize, 2, f.Type, timeArg(f.Since), int64(0))
}

// record reads the columns of recordColumns.
func record(v *view, s *stmt) (*plan.Record, error) {
	r := &plan.Record{
		ID: s.int(0), Key: s.text(2), Identity: s.text(3), Outcome: s.outcome(4), Code: s.text(5), Currency: s.text(7), Parts: s.int(8),
		EventTime: s.time(9), ReceivedAt: s.time(10), Attributes: s.bytes(11), Quarantined: s.text(13), Conflict: s.int(14) == conflicts, RawID: s.int(15),
		Place: s.int(18), Via: s.via(19), Superseded: s.int(14) == superseded,
	}
	copy(r.Digest[:], s.bytes(12))
	var err error
	if r.Type, r.Account, err = v.scope(s.int(1)); err != nil {
		return nil, err
	}
	if !s.null(6) {
		if r.Amount, _, err = apd.NewFromString(s.text(6)); err != nil {
			return nil, fmt.Errorf("state %s: amount of record %d: %w", v.path, r.ID, err)
		}
	}
	if !s.null(16) {
		address, err := v.address(s.int(16), s.key(17))
		if err != nil {
			return nil, err
		}
		r.Address = &address
	}
	return r, nil
}

var (
	selectTallySubject = &query{"tally", `SELECT u.id, u.mark FROM accounts a JOIN scopes s ON s.account = a.id JOIN subjects u ON u.scope = s.id
		WHERE s.type = +?1 AND a.name = +?2 AND u.identity = +?3`}
	selectTally = &query{"tally", `SELECT outcome, code, currency, amount, count(*), sum(parts), max(event_at), max(received_at), max(id)
		FROM records INDEXED BY records_tally WHERE subject = +?1 AND status = 0
		GROUP BY outcome, code, currency, amount`}
	selectRecordRaw = &query{"tally", `SELECT raw FROM records WHERE id = ?1`}
	selectUnfolded  = &query{"unfolded items", `SELECT item FROM subjects INDEXED BY subjects_unfolded
		WHERE item IS NOT NULL AND mark > folded_to ORDER BY item LIMIT CAST(?1 AS INTEGER)`}
)

// Tally counts an item's records that count.
func (r *Reader) Tally(ctx context.Context, item *plan.Item) (state.Tally, error) {
	var t state.Tally
	err := r.snapshot(func(v *view) error {
		row, ok, err := v.one(selectTallySubject, item.Address.Type(), item.Account, item.Identity)
		if err != nil || !ok {
			return err
		}
		subject, newest := row.int(0), int64(0)
		t.UpTo = row.int(1)
		err = v.each(ctx, selectTally, func(s *stmt) (bool, error) {
			newest = max(newest, s.int(8))
			return true, addTo(&t.Tally, s)
		}, subject)
		if err != nil {
			return fmt.Errorf("tally of %s: %w", item.Address, err)
		}
		if newest == 0 {
			return nil
		}
		if row, ok, err = v.one(selectRecordRaw, newest); err == nil && ok {
			t.LastRawID = row.int(0)
		}
		return err
	})
	return t, err
}

// addTo adds a row of selectTally: records that are equal in all that is summed.
func addTo(t *plan.Tally, s *stmt) error {
	count := s.int(4)
	t.Received += count
	switch s.outcome(0) {
	case plan.Succeeded:
		t.Succeeded += count
	case plan.Unknown:
		t.Unknown += count
	case plan.Failed:
		t.Failed += count
		if t.FailedCodes == nil {
			t.FailedCodes = make(map[string]int64)
		}
		t.FailedCodes[s.text(1)] += count
	}
	t.Parts += s.int(5)
	t.LastEvent = latest(t.LastEvent, s.time(6))
	t.LastAt = latest(t.LastAt, s.time(7))
	if s.null(3) {
		return nil
	}
	amount, _, err := apd.NewFromString(s.text(3))
	if err != nil {
		return fmt.Errorf("amount %q: %w", s.text(3), err)
	}
	if t.Costs == nil {
		t.Costs = make(map[string]*apd.Decimal)
	}
	sum := t.Costs[s.text(2)]
	if sum == nil {
		sum = new(apd.Decimal)
		t.Costs[s.text(2)] = sum
	}
	// The base context has no precision to round to: the sum is exact.
	if _, err = apd.BaseContext.Mul(amount, amount, apd.New(count, 0)); err == nil {
		_, err = apd.BaseContext.Add(sum, sum, amount)
	}
	if err != nil {
		return fmt.Errorf("sum of amounts in %q: %w", s.text(2), err)
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Unfolded returns the ids of tracked items whose records no committed Tally
// has counted; all of them when limit is 0 or less.
func (r *Reader) Unfolded(ctx context.Context, limit int) ([]int64, error) {
	if limit <= 0 {
		limit = -1 // as SQLite says "no limit"
	}
	return gather(stream(ctx, r, selectUnfolded, func(_ *view, s *stmt) (int64, error) { return s.int(0), nil }, int64(limit)))
}
