package sqlite_test

import (
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// oldState is a database of schema 2 with something in every table, written by the
// last version that knew no newer one.
func oldState(t *testing.T) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", "schema2.db.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	content, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "waybill.db")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// named spells out what a column refers to by a number that may change.
var named = map[string]string{
	"scopes.account":       `(SELECT name FROM accounts WHERE id = account)`,
	"raws.account":         `(SELECT name FROM accounts WHERE id = account)`,
	"intents.account":      `(SELECT name FROM accounts WHERE id = account)`,
	"loss_windows.account": `(SELECT name FROM accounts WHERE id = account)`,
}

// named2 is named of schema 2.
var named2 = map[string]string{
	"raws.account":         `(SELECT text FROM words WHERE id = account)`,
	"intents.account":      `(SELECT text FROM words WHERE id = account)`,
	"loss_windows.account": `(SELECT text FROM words WHERE id = account)`,
}

// content is all rows of the given tables' columns, in an order of their own.
func content(t *testing.T, path string, columns map[string][]string, spelt map[string]string) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := make(map[string][]string)
	for table, names := range columns {
		list := make([]string, len(names))
		for i, name := range names {
			list[i] = `quote("` + name + `")`
			if as, ok := spelt[table+"."+name]; ok {
				list[i] = `quote(` + as + `)`
			}
		}
		rows, err := db.Query(`SELECT ` + strings.Join(list, ` || ' ' || `) + ` FROM ` + table + ` ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		all[table] = []string{}
		for rows.Next() {
			var row string
			if err := rows.Scan(&row); err != nil {
				t.Fatal(err)
			}
			all[table] = append(all[table], row)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// columnsOf are the columns of each table but meta.
func columnsOf(t *testing.T, path string) map[string][]string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string][]string)
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		all[table] = append(all[table], column)
	}
	return all
}

func TestMigrationKeepsEveryRow(t *testing.T) {
	path := oldState(t)
	columns := columnsOf(t, path)
	before := content(t, path, columns, named2)
	for table, rows := range before {
		if len(rows) == 0 {
			t.Errorf("table %s of the old state is empty: the test shows nothing of it", table)
		}
	}
	s := open(t, path, sqlite.Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	after := content(t, path, columns, named)
	for _, table := range slices.Sorted(maps.Keys(before)) {
		if !slices.Equal(before[table], after[table]) {
			t.Errorf("table %s:\nbefore %q\n after %q", table, before[table], after[table])
		}
	}
}

// What a migrated state says, in the words of the contract.
func TestMigratedState(t *testing.T) {
	ctx := t.Context()
	path := oldState(t)
	s := open(t, path, sqlite.Options{})
	at := func(minute int) time.Time { return time.Date(2026, 7, 1, 8, minute, 0, 123456789, time.UTC) }
	var items []string
	for i, err := range s.Items(ctx, state.ItemFilter{}) {
		if err != nil || i.Version != 1 {
			t.Fatalf("item %+v, %v: want version 1", i, err)
		}
		items = append(items, fmt.Sprint(i.Address, " ", i.Account, " ", i.Identity, " ", i.Outcome))
	}
	check(t, "items", items, []string{
		`globfax_recipient.invoice["INV-1"] globfax rcpt_111aaa succeeded`, `globfax_recipient.invoice["INV-2"] globfax rcpt_222bbb pending`,
		`globfax_recipient.moved[7] globfax.eu rcpt_333ccc pending`, `nxcloud_number_check.january nxcloud 901946960376 pending`,
		`ucloud_usms_message.promo ucloud d0aa6c6e pending`, `ucloud_usms_report_pull.main ucloud org-34 pending`,
	})
	var records []string
	for r, err := range s.Records(ctx, state.RecordFilter{}) {
		if err != nil || r.Place != r.ID || r.Superseded {
			t.Fatalf("record %+v, %v", r, err)
		}
		records = append(records, fmt.Sprint(r.Via, " ", r.Account, " ", r.Key, " ", r.Status(), " ", r.Conflict))
	}
	check(t, "records", records, []string{
		"pull ucloud d0aa6c6e/138 matched false", "pull ucloud d0aa6c6e/138 matched true", "pull ucloud unheard/139 unmatched false",
		"push nxcloud q-1 matched false", "push nxcloud  quarantined false", "push nxcloud.eu q-1 unmatched false",
	})
	var raws []string
	for r, err := range s.Raws(ctx, state.RawFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		raws = append(raws, fmt.Sprint(r.Kind, " ", r.Account, " ", len(r.Body), " ", r.Derived))
	}
	check(t, "raws", raws, []string{"poll globfax 20 true", "pull ucloud 4800 true", "pull ucloud 9 false", "callback nxcloud 19 true", "callback nxcloud 6 true", "callback nxcloud.eu 25 true"})
	intents, err := s.OpenIntents(ctx)
	policy := plan.NewAddress("ucloud_usms_report_pull", "main", plan.NoKey)
	check(t, "intents", intents, []state.Intent{{ID: "INTENT1", ItemID: 7, Address: policy, Account: "ucloud", Limit: 100, StartedAt: at(9)}}, err)
	windows, err := s.LossWindows(ctx)
	check(t, "loss windows", windows, []plan.LossWindow{
		{ID: 1, Address: policy, Account: "ucloud", From: at(4), To: at(5), Bound: 100, Salvaged: 3, Cause: plan.LossPull, Detail: "cut short", RawID: 3},
		{ID: 2, Account: "nxcloud", From: at(0), To: at(59), Bound: -1, Cause: plan.LossOutage, Detail: "down"},
	}, err)
	events := 0
	for e, err := range s.History(ctx, state.HistoryFilter{}) {
		if events++; err != nil || e.Address.IsZero() || e.Account != "" || e.By != "" {
			t.Fatalf("event %+v, %v", e, err)
		}
	}
	check(t, "events", events, 10)
	note, err := s.Note(ctx, state.NoteKey{Name: "receiver_alive_at"})
	check(t, "note", note, "2026-07-01T08:09:00Z", err)
	meta, err := s.Meta(ctx)
	check(t, "schema", meta.Version, 3, err)

	// It is written to as any other: what was there takes part.
	again := plan.Record{Type: "nxcloud_number_check", Via: plan.ViaPush, Account: "nxcloud", Key: "q-1", Identity: "901946960376", Digest: [16]byte{4}}
	other := again
	other.Account, other.Digest = "nxcloud.us", [16]byte{9}
	batch := &state.Batch{Records: []plan.Record{again, other}, LossWindows: []plan.LossWindow{{Account: "nxcloud.us", Cause: plan.LossRestore}},
		Intents: []state.Intent{{ID: "INTENT2", ItemID: 7, Address: policy, Account: "globfax"}}}
	if err := s.Commit(ctx, batch); err != nil || batch.NewRecords != 1 {
		t.Errorf("%d new records, want 1: %v", batch.NewRecords, err)
	}
}

func check(t *testing.T, what string, got, want any, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
