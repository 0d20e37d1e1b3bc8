package record_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/nxcloud"
	"github.com/waybill-dev/waybill/providers/providertest"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/value"
)

const checks = "nxcloud_number_check"

// site is a state with many batches of checks, of which each commit is shown before
// it is made.
type site struct {
	state.Store
	t       *testing.T
	rec     *record.Recorder
	catalog providers.Catalog
	account *providers.Account
	before  func(*state.Batch) // may be nil
	changes atomic.Int32       // batches under way that change items
}

// Commit implements state.Store.
func (s *site) Commit(ctx context.Context, batch *state.Batch) error {
	if len(batch.Items) > 0 {
		if s.changes.Add(1) > 1 {
			s.t.Error("a batch is begun before the one before it has ended")
		}
		defer s.changes.Add(-1)
	}
	if s.before != nil {
		s.before(batch)
	}
	return s.Store.Commit(ctx, batch)
}

// newSite tracks n batches of checks.
func newSite(t *testing.T, n int) *site {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "waybill.db"), state.Owner{PID: 1, Command: "test"}, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{Store: store, t: t, catalog: providers.NewCatalog([]*providers.Definition{nxcloud.Definition()})}
	config := providertest.Config(nxcloud.Definition().Schema, map[string]cty.Value{
		"callback.tokens": cty.ListVal([]cty.Value{cty.StringVal("a-token-of-more-than-sixteen")}),
	})
	accounts, err := s.catalog.Connect([]plan.Account{{Name: "nxcloud", Provider: "nxcloud", Config: config}}, providers.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.account = accounts["nxcloud"]
	s.rec = record.New(record.Options{
		Catalog: s.catalog, Store: s, Now: time.Now, Log: slog.New(slog.DiscardHandler), Accounts: accounts, Revision: "r1",
	})
	changes := make([]plan.Change, n)
	for i := range changes {
		changes[i] = plan.Change{Action: plan.Track, Address: address(i), Desired: s.desired(i, 2)}
	}
	if err := s.rec.Declare(t.Context(), changes, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func address(i int) plan.Address {
	return plan.NewAddress(checks, "batch", plan.StringKey(fmt.Sprintf("batch-%05d", i)))
}

// desired declares the batch of that number, of which so many results are expected.
func (s *site) desired(i, expected int) *plan.Desired {
	name := fmt.Sprintf("batch-%05d", i)
	args, err := value.Encode(providertest.Args(s.catalog.Types[checks], map[string]cty.Value{
		"batch_no": cty.StringVal(name), "expected": cty.NumberIntVal(int64(expected)),
	}))
	if err != nil {
		s.t.Fatal(err)
	}
	return &plan.Desired{Address: address(i), Account: "nxcloud", Identity: name, Args: args}
}

// items are all that is tracked, in the order of their addresses.
func (s *site) items() (items []*plan.Item) {
	s.t.Helper()
	for item, err := range s.Items(s.t.Context(), state.ItemFilter{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

// pushed receives a callback with one result of a batch.
func (s *site) pushed(batch string) {
	body := fmt.Sprintf(`{"requestId":"r-%s","batchNo":%q,"code":0}`, batch, batch)
	if result, err := s.rec.Receive(s.t.Context(), s.account, []byte(body)); err != nil || result != "accepted" {
		s.t.Errorf("callback of %s: %s, %v", batch, result, err)
	}
}

// met is one expectation, of every block, that holds.
type met struct{}

func (met) HasExpect(string) bool { return true }
func (met) Judge(plan.Address, cty.Value) []plan.Verdict {
	return []plan.Verdict{{Name: "holds", Known: true, Holds: true}}
}

// Whatever concerns many items is done in batches of a thousand, one at a time, and
// between any two of them callbacks are recorded: none waits for more than the one
// that is under way.
func TestManyItemsAreChangedInBatches(t *testing.T) {
	const n = 2500
	s := newSite(t, n)
	var received errgroup.Group
	received.SetLimit(64)
	for i := range n {
		received.Go(func() error { s.pushed(fmt.Sprintf("batch-%05d", i)); return nil })
	}
	_ = received.Wait()

	declare := func(action plan.Action, expected int) error {
		changes := make([]plan.Change, n)
		for i, item := range s.items() {
			changes[i] = plan.Change{Action: action, Address: item.Address, Item: item}
			if action != plan.Forget {
				changes[i].Desired = s.desired(i, expected)
			}
		}
		return s.rec.Declare(t.Context(), changes, nil)
	}
	for round, c := range []struct {
		what   string
		change func() error
		done   func(*plan.Item) bool
	}{
		{"records are counted", func() error { return s.rec.FoldAll(t.Context()) }, func(item *plan.Item) bool { return !item.FirstReadAt.IsZero() }},
		{"an argument changes", func() error { return declare(plan.Update, 1) }, func(item *plan.Item) bool { return item.Settled }},
		{"an expectation is added", func() error {
			s.rec.Install(met{}, nil, "")
			return s.rec.Rejudge(t.Context(), []plan.Address{plan.NewAddress(checks, "batch", plan.Key{})})
		}, func(item *plan.Item) bool {
			return len(item.Expectations) == 1 && item.Expectations[0].State == plan.ExpectMet
		}},
		{"all are forgotten", func() error { return declare(plan.Forget, 0) }, nil},
	} {
		var sizes []int
		s.before = func(batch *state.Batch) {
			if len(batch.Items) == 0 {
				return // the callback's own
			}
			sizes = append(sizes, len(batch.Items))
			s.pushed(fmt.Sprintf("another-%d-%d", round, len(sizes))) // ends while the batch is held
		}
		if err := c.change(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		s.before = nil
		if want := []int{1000, 1000, 500}; !slices.Equal(sizes, want) {
			t.Errorf("%s: batches of %v items, want %v", c.what, sizes, want)
		}
		items := s.items()
		if c.done == nil && len(items) > 0 || c.done != nil && len(items) != n {
			t.Errorf("%s: %d are tracked", c.what, len(items))
		}
		for _, item := range items {
			if !c.done(item) {
				t.Fatalf("%s: not so of %s: %+v", c.what, item.Address, item)
			}
		}
	}
}

// The end of a context ends what is done in batches after the one under way, and what
// is left is found again.
func TestCountingEndsBetweenBatches(t *testing.T) {
	const n = 2500
	s := newSite(t, n)
	var received errgroup.Group
	received.SetLimit(64)
	for i := range n {
		received.Go(func() error { s.pushed(fmt.Sprintf("batch-%05d", i)); return nil })
	}
	_ = received.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	s.before = func(*state.Batch) { cancel() }
	if err := s.rec.FoldAll(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("counting ended with %v", err)
	}
	s.before = nil
	if left, err := s.Unfolded(t.Context(), 0); err != nil || len(left) != n-1000 {
		t.Errorf("%d are left, %v; want %d", len(left), err, n-1000)
	}
	if err := s.rec.FoldAll(t.Context()); err != nil {
		t.Error(err)
	}
	for _, item := range s.items() {
		if item.FirstReadAt.IsZero() {
			t.Fatalf("%s was not counted", item.Address)
		}
	}
}
