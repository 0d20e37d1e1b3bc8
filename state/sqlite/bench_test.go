package sqlite_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/value"
)

// The figures are rates beside a bare peer's in the same run: prepared inserts
// through database/sql with the same bytes, synchronous=FULL.
// WAYBILL_BENCH_ITEMS sets how many items the reading benchmarks walk.

var benchStart = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

const (
	benchArgs   = `{"app_id":null,"give_up_after":"72h0m0s","poll":{"interval":"1m0s","max_interval":"15m0s"},"prevent_forget":false,"rcpt_ref":"GLOBFAX-RECIPIENT-0000001","suspend":false}`
	benchValues = `{"charge_mismatch":null,"charged_amount":null,"completed_at":null,"cost":null,"currency":null,"extra":{},"failed_code":null,"failed_reason":null,"fax_number":null,"observed_at":null,"outcome":"pending","page_count":null,"reason":"not read yet","settled":false,"status":null,"unit_price":null}`
	benchRecord = `{"batch_no":"901946960376","carrier":"T-Mobile","code":0,"cost":{"currency":"USD","price":0.0012},"mcc":"310","message":"success","mnc":"260","number_status":"valid","phone":"1202555xxxx","request_id":"req-000000"}`
)

func benchItem(id int64) state.ItemWrite {
	return state.ItemWrite{Item: plan.Item{
		ID: id, Address: plan.NewAddress("globfax_recipient", "invoice", plan.StringKey(fmt.Sprintf("INV-%08d", id))),
		Account: "globfax", Identity: fmt.Sprintf("GLOBFAX-RECIPIENT-%08d", id), Args: []byte(benchArgs), Values: []byte(benchValues),
		Outcome: plan.Pending, Origin: plan.Origin{File: "faxes.wb.hcl", Line: 12}, Revision: "0123456789abcdef0123456789abcdef01234567",
		TrackedAt: benchStart, Due: benchStart.Add(time.Duration(id) * time.Millisecond),
		Expectations: []plan.Expectation{{Name: "delivered", State: plan.ExpectPending, Since: benchStart}},
	}}
}

func benchCallback(n, raw int64) (state.Raw, plan.Record) {
	key := "req-" + strconv.FormatInt(n, 10)
	body := []byte(`{"requestId":"` + key + `","batchNo":"901946960376","code":0,"message":"success","data":{"phone":"1202555xxxx","mcc":"310","mnc":"260","carrier":"T-Mobile","numberStatus":"valid"},"cost":{"price":0.0012,"currency":"USD"}}`)
	digest := sha256.Sum256(body)
	r := plan.Record{Type: "nxcloud_number_check", Via: plan.ViaPush, Account: "nxcloud", Key: key, Identity: "901946960376", Outcome: plan.Succeeded, Code: "0",
		Amount: apd.New(12, -4), Currency: "USD", ReceivedAt: benchStart.Add(time.Duration(n)), Attributes: []byte(benchRecord), RawID: raw}
	copy(r.Digest[:], digest[:])
	return state.Raw{ID: raw, Kind: state.RawCallback, Account: "nxcloud", At: r.ReceivedAt, Complete: true, Body: body, Derived: true}, r
}

func openBench(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "waybill.db"), state.Owner{ID: "bench", PID: os.Getpid()}, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func openPeer(b *testing.B) *sql.DB {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(b.TempDir(), "peer.db")+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func perSecond(b *testing.B, rows int, unit string) {
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), unit+"/s")
}

// BenchmarkWrite writes 1,000 rows a transaction.
func BenchmarkWrite(b *testing.B) {
	const size = 1000
	ctx := context.Background()
	commit := func(b *testing.B, s *sqlite.Store, batch *state.Batch) {
		if err := s.Commit(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("peer", func(b *testing.B) {
		db := openPeer(b)
		if _, err := db.Exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, key TEXT, digest BLOB, at INTEGER, attributes TEXT)`); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		n := int64(0)
		for b.Loop() {
			tx, err := db.Begin()
			if err != nil {
				b.Fatal(err)
			}
			insert, err := tx.Prepare(`INSERT INTO rows VALUES (?, ?, ?, ?, ?)`)
			if err != nil {
				b.Fatal(err)
			}
			for range size {
				n++
				_, r := benchCallback(n, n)
				if _, err := insert.Exec(n, r.Key, r.Digest[:], r.ReceivedAt.UnixNano(), benchRecord); err != nil {
					b.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, b.N*size, "rows")
	})
	b.Run("records", func(b *testing.B) {
		s := openBench(b)
		n := int64(0)
		for b.Loop() {
			batch := &state.Batch{}
			for range size {
				n++
				_, r := benchCallback(n, 1)
				batch.Records = append(batch.Records, r)
			}
			commit(b, s, batch)
		}
		perSecond(b, b.N*size, "rows")
	})
	b.Run("events", func(b *testing.B) {
		s := openBench(b)
		for b.Loop() {
			batch := &state.Batch{}
			for i := range int64(size) {
				item := benchItem(i)
				batch.Events = append(batch.Events, plan.Event{At: benchStart, ItemID: i + 1, Address: item.Address, Action: plan.Observe, Revision: item.Revision,
					Changes: []value.Field{{Path: "status", Before: []byte(`"sending"`), After: []byte(`"success"`)}}})
			}
			commit(b, s, batch)
		}
		perSecond(b, b.N*size, "rows")
	})
	b.Run("items", func(b *testing.B) { // each is three rows
		s := openBench(b)
		for b.Loop() {
			batch := &state.Batch{}
			for range size {
				batch.Items = append(batch.Items, benchItem(itemID(s)))
			}
			commit(b, s, batch)
		}
		perSecond(b, b.N*size*3, "rows")
		perSecond(b, b.N*size, "items")
	})
	b.Run("changed-items", func(b *testing.B) {
		s := openBench(b)
		batch := &state.Batch{}
		for range 20 * size {
			batch.Items = append(batch.Items, benchItem(itemID(s)))
		}
		commit(b, s, batch)
		items, n := batch.Items, 0
		for b.Loop() {
			change := &state.Batch{}
			for range size {
				item := items[n%len(items)]
				item.Values = []byte(fmt.Sprintf(`{"outcome":"succeeded","n":%d}`, n))
				item.ReadAt = benchStart.Add(time.Duration(n))
				change.Items = append(change.Items, item)
				items[n%len(items)].Version++
				n += 7
			}
			commit(b, s, change)
		}
		perSecond(b, b.N*size, "items")
	})
	b.Run("touches", func(b *testing.B) {
		s := openBench(b)
		batch := &state.Batch{}
		for range 100 * size {
			batch.Items = append(batch.Items, benchItem(itemID(s)))
		}
		commit(b, s, batch)
		n, versions := int64(0), make([]int64, 100*size+1)
		for b.Loop() {
			touch := &state.Batch{}
			for range size {
				n++
				touch.Touches = append(touch.Touches, state.Touch{ItemID: n%(100*size) + 1, Version: 1 + versions[n%(100*size)], ReadAt: benchStart.Add(time.Duration(n)), Due: benchStart, Unchanged: int(n)})
				versions[n%(100*size)]++
			}
			commit(b, s, touch)
		}
		perSecond(b, b.N*size, "items")
	})
}

// BenchmarkRead walks a state of many items.
func BenchmarkRead(b *testing.B) {
	count := 100_000
	if text := os.Getenv("WAYBILL_BENCH_ITEMS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "waybill.db")
	open := func() *sqlite.Store {
		s, err := sqlite.Open(path, state.Owner{ID: "bench"}, sqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	s := open()
	start := time.Now()
	for left := count; left > 0; {
		batch := &state.Batch{}
		for range min(left, 100_000) {
			batch.Items = append(batch.Items, benchItem(itemID(s)))
			left--
		}
		if err := s.Commit(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d items written in %v", count, time.Since(start))
	records := &state.Batch{} // of one identity
	for n := range int64(100_000) {
		_, r := benchCallback(n, 1)
		records.Records = append(records.Records, r)
	}
	if err := s.Commit(ctx, records); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if err := open().Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	s = open()
	defer s.Close()
	items := func(name string, filter state.ItemFilter) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for _, err := range s.Items(ctx, filter) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			perSecond(b, n, "items")
		})
	}
	items("declared", state.ItemFilter{Declared: true})
	items("full", state.ItemFilter{})
	items("unsettled-of-a-type-with-none", state.ItemFilter{Type: "nxcloud_number_check", Unsettled: true})
	b.Run("schedule", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			for _, err := range s.Schedule(ctx) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
		}
		perSecond(b, n, "items")
	})
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Counts(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tally-100k", func(b *testing.B) {
		item := &plan.Item{Address: plan.NewAddress("nxcloud_number_check", "", plan.NoKey), Account: "nxcloud", Identity: "901946960376"}
		for b.Loop() {
			t, err := s.Tally(ctx, item)
			if err != nil || t.Received != 100_000 {
				b.Fatal(t, err)
			}
		}
	})
	b.Run("one-item", func(b *testing.B) {
		a := benchItem(int64(count) / 2).Address
		for b.Loop() {
			if _, err := s.Item(ctx, a); err != nil {
				b.Fatal(err)
			}
		}
	})
}
