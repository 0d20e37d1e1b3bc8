package state_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// A batch is durable, all of it, before Commit returns. An item is written from the
// version that was read: whoever was slower is refused, and looks again.
func ExampleStore() {
	dir, err := os.MkdirTemp("", "waybill-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := sqlite.Open(filepath.Join(dir, "waybill.db"), state.Owner{PID: os.Getpid(), Command: "example"}, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	ctx := context.Background()
	id, err := store.NewItemID(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	item := plan.Item{ID: id, Address: plan.NewAddress("globfax_recipient", "invoice", plan.NoKey), Account: "globfax", Identity: "rcpt_1"}
	batch := &state.Batch{
		Items:  []state.ItemWrite{{Item: item}},
		Events: []plan.Event{{ItemID: id, Address: item.Address, Action: plan.Track}},
	}
	fmt.Println("tracked:", store.Commit(ctx, batch) == nil)

	item = batch.Items[0].Item // with its version
	first, second := item, item
	first.Outcome, second.Outcome = plan.Succeeded, plan.Failed
	fmt.Println("first writer:", store.Commit(ctx, &state.Batch{Items: []state.ItemWrite{{Item: first}}}) == nil)
	err = store.Commit(ctx, &state.Batch{Items: []state.ItemWrite{{Item: second}}})
	var stale *state.StaleError
	fmt.Println("second writer is told to look again:", errors.As(err, &stale))
	// Output:
	// tracked: true
	// first writer: true
	// second writer is told to look again: true
}
