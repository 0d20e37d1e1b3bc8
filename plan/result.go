package plan

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// Result is what one pass found, and, for apply, did.
type Result struct {
	Plan    Plan
	Outputs []OutputChange
	Checks  []Check
	// Expectations that stand, of all items, failed first, in the order of addresses.
	Expectations []ItemExpectation
	// Warnings are reads and pulls that went wrong; the stored values served.
	Warnings []Warning
	// Pulls are the destructive reads that an apply would make, or made.
	Pulls []Pull
	// Reads is how many items an apply would read, or a pass has read.
	Reads int
	// CredentialsFailed: a vendor refused our credentials; the command exits 1
	// after everything else is recorded.
	CredentialsFailed bool
	// Dependents are the blocks whose instances depend on what is read, so that an
	// apply may track and forget more of them than is shown before it reads.
	Dependents []string
	// Deferred are those of them whose instances cannot be told before something
	// was read for the first time: the present ones stay.
	Deferred []string
	// LossWindows are those that an apply recorded.
	LossWindows []LossWindow
	// Applied says that the plan was carried out.
	Applied bool
	// Diagnostics are the configuration's warnings.
	Diagnostics hcl.Diagnostics
}

// ItemExpectation is an expectation and the item that it is about.
type ItemExpectation struct {
	Address Address
	Expectation
}

// OutputChange is an output before and after. NilVal means that there was, or
// will be, none; unknown means known after the first read.
type OutputChange struct {
	Name          string
	Sensitive     bool
	Before, After cty.Value
	Type          cty.Type // of a sensitive output's value, as Output.Type
}

// Output is the output as it is after the change, and whether there is one.
func (o OutputChange) Output() (Output, bool) {
	if o.After == cty.NilVal {
		return Output{}, false
	}
	return Output{Name: o.Name, Sensitive: o.Sensitive, Value: o.After, Type: o.Type}, true
}

// Changed reports whether the output differs; of a sensitive one nobody can tell.
func (o OutputChange) Changed() bool {
	if o.Before == cty.NilVal || o.After == cty.NilVal {
		return o.Before != o.After
	}
	if o.Sensitive {
		return false
	}
	before, errBefore := value.EncodePartly(o.Before)
	after, errAfter := value.EncodePartly(o.After)
	return errBefore != nil || errAfter != nil || string(before) != string(after)
}

// Warning is a read or pull that went wrong.
type Warning struct {
	Account string
	Address *Address // nil when it concerns the whole account
	Err     error
	Count   int // how many items it stands for
}

// Pull is a destructive read of one policy.
type Pull struct {
	Address Address
	Account string // "ucloud"
	Project string // "org-34", "" for the default project
	Pulled  int    // reports pulled, by apply
}

// Failing reports whether an expectation or check fails (-check-exitcode).
func (r *Result) Failing() bool {
	for i := range r.Expectations {
		if r.Expectations[i].State == ExpectFailed {
			return true
		}
	}
	for i := range r.Checks {
		if r.Checks[i].State == CheckFail || r.Checks[i].State == CheckError {
			return true
		}
	}
	return false
}

// Progress is how far a long step is.
type Progress struct {
	Phase       string // "reading", "tracking"
	Done, Total int64  // Total is 0 where the end is not known
}

// Replayed is what a replay came to.
type Replayed struct {
	Answers     int // raws that were derived again
	Records     int // records that differ
	Items       int // items that differ
	Quarantined int // records that are still not understood, of those replayed
	// Waiting are raws that landed and were not derived yet: the next apply or agent
	// does that.
	Waiting int
	// Unreadable are raws of accounts that this version knows no parser for, and those
	// of which less can be read than before.
	Unreadable int
}

// Difference is one thing that a replay told otherwise: a record or an item.
type Difference struct {
	RawID         int64
	Before, After *Record       // Before is nil of an added record, After of one that is kept although it is derived no more
	Address       *Address      // of an item, else nil
	Fields        []value.Field // of the item at Address
}
