package sqlite_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// A reader who stops in the middle of a listing keeps no log from being moved into
// the database: it stays as long as it would be without him.
func TestStalledReaderHoldsNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "waybill.db")
	s := open(t, path, sqlite.Options{})
	block := plan.NewAddress("globfax_recipient", "invoice", plan.NoKey)
	batch := &state.Batch{}
	for n := range 2000 {
		i := benchItem(itemID(s))
		_, r := benchCallback(int64(n), 1)
		batch.Items = append(batch.Items, i)
		batch.Events = append(batch.Events, plan.Event{At: benchStart, ItemID: i.ID, Address: i.Address, Action: plan.Track})
		batch.Records = append(batch.Records, r)
		batch.Raws = append(batch.Raws, state.Raw{ID: rawID(s), Kind: state.RawCallback, Body: []byte("x"), Derived: true})
	}
	must(t, s.Commit(t.Context(), batch))
	r, err := sqlite.OpenReader(path) // as another process has it
	must(t, err)
	defer r.Close()
	stall(t, r.Records(t.Context(), state.RecordFilter{}))
	stall(t, r.History(t.Context(), state.HistoryFilter{}))
	stall(t, r.History(t.Context(), state.HistoryFilter{Address: &block}))
	stall(t, r.Raws(t.Context(), state.RawFilter{}))
	stall(t, r.Items(t.Context(), state.ItemFilter{Paged: true}))
	random := rand.New(rand.NewPCG(1, 2))
	const written = 96 << 20
	for range written / (1 << 20) {
		body := make([]byte, 1<<20)
		for i := range body {
			body[i] = byte(random.Uint32())
		}
		must(t, s.Commit(t.Context(), &state.Batch{Raws: []state.Raw{{ID: rawID(s), Kind: state.RawPull, Body: body, Derived: true}}}))
	}
	counts, err := s.Counts(t.Context())
	must(t, err)
	if counts.LogBytes == 0 || counts.LogBytes > written/2 {
		t.Errorf("the log has %d MB after %d MB were written beside stalled readers", counts.LogBytes>>20, written>>20)
	}
}

// stall takes one of a listing and no more, until the test ends.
func stall[T any](t *testing.T, seq iter.Seq2[T, error]) {
	t.Helper()
	next, stop := iter.Pull2(seq)
	t.Cleanup(stop)
	if _, err, ok := next(); err != nil || !ok {
		t.Fatal(fmt.Errorf("nothing is listed: %w", err))
	}
}
