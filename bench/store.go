package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/value"
)

// each transaction of the store's measure has so many rows.
const rowsEach = 1000

// store measures rows that the store writes beside prepared inserts of the same
// bytes.
func store(b *bench) error {
	rows := 300_000
	if b.quick {
		rows = 100_000
	}
	dir := filepath.Join(b.dir, "store")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var bare, records, events []float64
	for range 3 {
		took, err := bareInserts(filepath.Join(dir, "peer.db"), rows)
		if err != nil {
			return err
		}
		bare = append(bare, perSecond(rows, took))
		if took, err = storeRows(filepath.Join(dir, "waybill.db"), rows, recordsBatch); err != nil {
			return err
		}
		records = append(records, perSecond(rows, took))
		if took, err = storeRows(filepath.Join(dir, "waybill.db"), rows, eventsBatch); err != nil {
			return err
		}
		events = append(events, perSecond(rows, took))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	b.add("records written, deduplicated / prepared inserts", rate(mid(records)), rate(mid(bare)), ratio(mid(records)/mid(bare)), "0.5")
	b.add("events written / prepared inserts", rate(mid(events)), rate(mid(bare)), ratio(mid(events)/mid(bare)), "0.5")
	return nil
}

const recordText = `{"batch_no":"901946960376","carrier":"T-Mobile","code":0,"cost":{"currency":"USD","price":0.0012},"mcc":"310","message":"success","mnc":"260","number_status":"valid","phone":"1202555xxxx","request_id":"req-000000"}`

func recordOf(n int) plan.Record {
	key := "req-" + strconv.Itoa(n)
	digest := sha256.Sum256([]byte(key))
	r := plan.Record{
		Type: "nxcloud_number_check", Via: plan.ViaPush, Account: "nxcloud", Key: key, Identity: "901946960376", Outcome: plan.Succeeded, Code: "0",
		Amount: apd.New(12, -4), Currency: "USD", ReceivedAt: time.Unix(1_780_000_000, int64(n)), Attributes: []byte(recordText), RawID: 1,
	}
	copy(r.Digest[:], digest[:])
	return r
}

func bareInserts(path string, rows int) (time.Duration, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, key TEXT, digest BLOB, at INTEGER, attributes TEXT)`); err != nil {
		return 0, err
	}
	begin := time.Now()
	for n := 0; n < rows; {
		tx, err := db.Begin()
		if err != nil {
			return 0, err
		}
		insert, err := tx.Prepare(`INSERT INTO rows VALUES (?, ?, ?, ?, ?)`)
		if err != nil {
			return 0, err
		}
		for range rowsEach {
			n++
			r := recordOf(n)
			if _, err := insert.Exec(n, r.Key, r.Digest[:], r.ReceivedAt.UnixNano(), recordText); err != nil {
				return 0, err
			}
		}
		if err := tx.Commit(); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

func storeRows(path string, rows int, batchOf func(from int) *state.Batch) (took time.Duration, err error) {
	s, err := sqlite.Open(path, state.Owner{ID: "bench", PID: os.Getpid()}, sqlite.Options{})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	for n := 0; n < rows && err == nil; n += rowsEach {
		err = s.Commit(context.Background(), batchOf(n))
	}
	took = time.Since(begin)
	if closed := s.Close(); err == nil {
		err = closed
	}
	return took, err
}

func recordsBatch(from int) *state.Batch {
	b := &state.Batch{}
	for i := range rowsEach {
		b.Records = append(b.Records, recordOf(from+i))
	}
	return b
}

func eventsBatch(from int) *state.Batch {
	b := &state.Batch{}
	for i := range rowsEach {
		b.Events = append(b.Events, plan.Event{
			At: time.Unix(1_780_000_000, 0), ItemID: int64(i + 1), Action: plan.Observe, Revision: "0123456789abcdef0123456789abcdef01234567",
			Address: plan.NewAddress("globfax_recipient", "invoice", plan.StringKey(fmt.Sprintf("INV-%07d", from+i))),
			Changes: []value.Field{{Path: "status", Before: []byte(`"sending"`), After: []byte(`"success"`)}},
		})
	}
	return b
}
