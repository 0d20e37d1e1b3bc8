// Package statetest is the conformance suite of states: every promise that the
// comments of package state make, as a test that a driver passes. It knows no
// driver: it touches the states that the driver's test opens for it.
package statetest

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// Driver is what the suite must know of a driver. A place is a directory of the
// test's own: the same place is the same state, also after Close.
type Driver struct {
	// Open opens the state of a place for writing and makes it when there is none.
	Open func(place string) (state.Store, error)
	// OpenReader opens the state of a place for reading.
	OpenReader func(place string) (state.Reader, error)
	// OpenBackup opens for reading what Backup wrote to a path.
	OpenBackup func(path string) (state.Reader, error)
}

// Run runs the whole suite.
func Run(t *testing.T, d Driver) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Driver)
	}{
		{"Items", testItems},
		{"Moves", testMoves},
		{"Versions", testVersions},
		{"Records", testRecords},
		{"Superseded", testSuperseded},
		{"Tally", testTally},
		{"Unfolded", testUnfolded},
		{"Evidence", testEvidence},
		{"History", testHistory},
		{"Results", testResults},
		{"Commit", testCommit},
		{"Readers", testReaders},
		{"Pages", testPages},
		{"Model", testModel},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, d) })
	}
}

// bench is a store under test.
type bench struct {
	*testing.T
	state.Store
	d     Driver
	place string
}

// open opens a new state, closed when the test ends.
func open(t *testing.T, d Driver) *bench {
	t.Helper()
	b := &bench{T: t, d: d, place: t.TempDir()}
	b.openStore()
	t.Cleanup(func() {
		if err := b.Store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

func (b *bench) openStore() {
	b.Helper()
	s, err := b.d.Open(b.place)
	if err != nil {
		b.Fatalf("open: %v", err)
	}
	b.Store = s
}

// reopen closes the store and opens it again: what is read after it was durable.
func (b *bench) reopen() {
	b.Helper()
	if err := b.Store.Close(); err != nil {
		b.Fatalf("close: %v", err)
	}
	b.openStore()
}

// commit commits a batch that is right, made from what stands.
func (b *bench) commit(batch *state.Batch) *state.Batch {
	b.Helper()
	for i := range batch.Items {
		batch.Items[i].Version = b.version(batch.Items[i].ID)
	}
	for i := range batch.Touches {
		batch.Touches[i].Version = b.version(batch.Touches[i].ItemID)
	}
	if err := b.Commit(b.Context(), batch); err != nil {
		b.Fatalf("commit: %v", err)
	}
	return batch
}

// version is an item's present version, 0 where there is none.
func (b *bench) version(id int64) int64 {
	b.Helper()
	items, err := b.ItemsByID(background, []int64{id})
	if err != nil {
		b.Fatal(err)
	}
	if len(items) == 0 {
		return 0
	}
	return items[0].Version
}

func (b *bench) itemID() int64 {
	b.Helper()
	return must(b.NewItemID(background))(b)
}

func (b *bench) rawID() int64 {
	b.Helper()
	return must(b.NewRawID(background))(b)
}

// all collects what an iterator yields.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// must is a call's value when it comes without error: must(f())(t).
func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// same fails when two values differ.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// epoch is when the tests take place.
var epoch = time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)

// at is a time with all nine digits in use.
func at(minutes int) time.Time { return epoch.Add(time.Duration(minutes)*time.Minute + 123456789) }

const (
	check   = "nxcloud_number_check"
	message = "ucloud_usms_message"
	fax     = "globfax_recipient"
)

func address(typ, name string, key any) plan.Address {
	a := plan.NewAddress(typ, name, plan.NoKey)
	switch k := key.(type) {
	case int:
		a = a.WithKey(plan.IntKey(k))
	case string:
		a = a.WithKey(plan.StringKey(k))
	}
	return a
}

// item is a new tracked item with little in it.
func (b *bench) item(a plan.Address, identity string) state.ItemWrite {
	return state.ItemWrite{Item: plan.Item{
		ID: b.itemID(), Address: a, Account: "acme", Identity: identity, Args: []byte(`{"a":1}`), Values: []byte(`{"outcome":"pending"}`),
		Settings: plan.Settings{MaxInterval: plan.DefaultMaxInterval}, Outcome: plan.Pending, Revision: "r1", TrackedAt: at(0), Origin: plan.Origin{File: "main.wb.hcl", Line: 3},
	}}
}

// track commits new items and returns them.
func (b *bench) track(items ...state.ItemWrite) {
	b.Helper()
	b.commit(&state.Batch{Items: items})
}

// record is a record with little in it; content tells digests apart.
func record(identity, key string, content byte) plan.Record {
	return plan.Record{Type: check, Via: plan.ViaPush, Account: "acme", Key: key, Identity: identity, Outcome: plan.Succeeded, Code: "0",
		ReceivedAt: at(1), Attributes: []byte(`{"x":"y"}`), Digest: [16]byte{content}}
}

// addresses lists items by their addresses.
func addresses(items []*plan.Item) []string {
	var list []string
	for _, i := range items {
		list = append(list, i.Address.String())
	}
	return list
}

// background outlives the test's context.
var background = context.Background()
