package plan

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Account is one provider block: a set of credentials at one vendor.
type Account struct {
	Name     string // as resources name it: "globfax", "itniotech.eu"
	Provider string // "itniotech"
	// Config is the provider block's complete values, credentials included
	// (marked sensitive by the loader; the marks are taken off here). It must
	// never be printed, logged or stored.
	Config cty.Value
	// Settings are those of Config that are no secret, an object of canonical JSON.
	// What -sandbox puts in place of them is left out.
	Settings json.RawMessage
	Suspend  bool
	Origin   Origin
	// Missing are the credentials that the account has not, as mistakes: they
	// matter to whoever is about to read there. Their values in Config are unknown.
	Missing hcl.Diagnostics
}

// Origin is where in the configuration something was declared.
type Origin struct {
	File string // relative to the configuration directory
	Line int
}

// Desired is one thing that the configuration asks for. There may be a million
// of them, so it holds encoded arguments and shared strings only.
type Desired struct {
	Address  Address
	Account  string // Account.Name
	Identity string // the vendor identity within the account
	// Args is the canonical JSON (value.Encode) of the complete arguments, an
	// object of Type.ArgsType: equal declarations have equal bytes.
	Args json.RawMessage
	// Settings are the meta-arguments among Args, decoded.
	Settings Settings
	Origin   Origin
}

// FullIdentity is what makes the thing the same whatever its address.
func (d *Desired) FullIdentity() Identity {
	return Identity{Type: d.Address.Type(), Account: d.Account, Vendor: d.Identity}
}

// Move is a moved block: what stood at From stands at To now.
type Move struct {
	From, To Address
	Origin   Origin
}

// Output is an output block's value.
type Output struct {
	Name        string
	Description string
	Sensitive   bool
	// Value is cty.NilVal when it is sensitive; unknown before the first read of
	// what it depends on.
	Value cty.Value
	// Type is the type of a sensitive value, which tells nothing of the value;
	// cty.NilType where that cannot be said.
	Type cty.Type
}

// CheckState is the state of a check block or of one of its assertions.
type CheckState string

// The states that a check can have, as Terraform names them.
const (
	CheckPass    CheckState = "pass"
	CheckFail    CheckState = "fail"
	CheckUnknown CheckState = "unknown" // pending: depends on something not read yet
	CheckError   CheckState = "error"
)

// Check is the result of a check block.
type Check struct {
	Name     string
	State    CheckState
	Messages []string // of the assertions that failed
	// Failures tell the same as Messages with their places, as warnings, for
	// whoever shows a pass. They are not stored.
	Failures hcl.Diagnostics
}
