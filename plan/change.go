package plan

import "github.com/waybill-dev/waybill/value"

// Action is what happens, or happened, to an item.
//
//	track    the configuration declares a thing that is not tracked; it is recorded and read from now on
//	change   a tracked thing is declared with other arguments (or its block was edited)
//	forget   a tracked thing is declared no more: no longer read, its history kept
//	move     a tracked thing is declared at another address
//	observe  the vendor, or the clock, made a difference
//	no-op    nothing
type Action string

// The actions.
const (
	Track   Action = "track"
	Update  Action = "change"
	Forget  Action = "forget"
	Moved   Action = "move"
	Observe Action = "observe"
	NoOp    Action = "no-op"
)

// Change is one item's difference.
type Change struct {
	Action  Action
	Address Address
	From    *Address // of a move: the address until now (a move may change arguments too)
	Desired *Desired // nil for forget and observe
	Item    *Item    // nil for track
	Fields  []value.Field
}

// AccountChange is a provider block whose settings differ from those that were last
// carried out. Secrets are not compared.
type AccountChange struct {
	Name   string // "globfax", "itniotech.eu"
	Fields []value.Field
}

// Plan is what would change, or did.
type Plan struct {
	Accounts []AccountChange // in the order of their names
	Changes  []Change        // of the declaration, in the order of addresses
	Drift    []Change        // what vendors and the clock changed: action observe
}

// Counts are the numbers of the summary line.
type Counts struct{ Track, Change, Forget, Remote int }

// Counts counts the plan's changes; a move is a change, and so is a provider block
// with other settings.
func (p *Plan) Counts() Counts {
	c := Counts{Change: len(p.Accounts), Remote: len(p.Drift)}
	for i := range p.Changes {
		switch p.Changes[i].Action {
		case Track:
			c.Track++
		case Update, Moved:
			c.Change++
		case Forget:
			c.Forget++
		}
	}
	return c
}

// Empty reports whether there is nothing: "No changes".
func (c Counts) Empty() bool { return c == Counts{} }
