package plan_test

import (
	"encoding/json"
	"fmt"
	"iter"

	"github.com/waybill-dev/waybill/plan"
)

// A declaration is compared with what is tracked by the identity of each item, so
// that a fax under a new name is a move and not another fax.
func ExampleDiff() {
	fax := func(name string) plan.Address { return plan.NewAddress("globfax_recipient", name, plan.NoKey) }
	args := func(ref string) json.RawMessage { return json.RawMessage(`{"rcpt_ref":"` + ref + `"}`) }

	tracked := []*plan.Item{
		{Address: fax("invoice"), Account: "globfax", Identity: "rcpt_1", Args: args("rcpt_1")},
		{Address: fax("reminder"), Account: "globfax", Identity: "rcpt_2", Args: args("rcpt_2")},
	}
	desired := []plan.Desired{
		{Address: fax("invoice_january"), Account: "globfax", Identity: "rcpt_1", Args: args("rcpt_1")},
		{Address: fax("offer"), Account: "globfax", Identity: "rcpt_3", Args: args("rcpt_3")},
	}
	changes, err := plan.Diff(desired, stream(tracked), func(plan.Address) bool { return false })
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range changes {
		fmt.Println(c.Action, c.Address)
		if c.From != nil {
			fmt.Println("  from", *c.From)
		}
	}
	// Output:
	// move globfax_recipient.invoice_january
	//   from globfax_recipient.invoice
	// track globfax_recipient.offer
	// forget globfax_recipient.reminder
}

// stream gives items one by one, as the state does.
func stream(items []*plan.Item) iter.Seq2[*plan.Item, error] {
	return func(yield func(*plan.Item, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}
