package plan

import (
	"slices"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Schema is everything the configuration language and the printers must know
// of one vendor, readable offline. Providers publish it; hclspec turns it into
// body schemas; views and documents are made from it.
type Schema struct {
	Provider    string // "globfax"
	Description string
	// Arguments are those of the provider block.
	Arguments []Argument
	// Blocks are nested blocks of the provider block, each at most once
	// (nxcloud's callback).
	Blocks []Block
	// Check judges the provider block's values beyond their types. Unknown
	// values (validate has no environment) are to be let pass.
	Check func(config cty.Value) []Problem
	// Queue names, without secrets, the queue that this vendor's pulls drain
	// (endpoint and public key). Two policies of equal queue and identity are a
	// mistake. Nil where nothing is pulled; called only with known values.
	Queue func(config cty.Value) string
	Types []*Type
}

// Block is a nested block of arguments.
type Block struct {
	Name        string
	Description string
	Arguments   []Argument
}

// Argument is one thing that a user may write in a block.
type Argument struct {
	Name        string
	Type        cty.Type
	Required    bool
	Description string
	// Default stands when the argument is absent; cty.NilVal means null.
	Default cty.Value
	// Env names the environment variable that stands in when the argument is
	// absent (credentials: GLOBFAX_API_KEY). Its value is sensitive.
	Env string
	// Sensitive values never leave the program.
	Sensitive bool
	// Duration says that the string is a Go duration such as "30s", not negative.
	Duration bool
	// FromProvider takes the provider block's argument of the same name when
	// this one is absent (app_id, project_id).
	FromProvider bool
	// Identity says that the argument names the vendor's record, so that a
	// sensitive value is a mistake.
	Identity bool
}

// Type is one resource type.
type Type struct {
	Name        string // "globfax_recipient"
	Description string
	Kind        Kind
	Arguments   []Argument
	// Attributes are what is observed, without those that every type has
	// (see CommonAttributes).
	Attributes []Attribute
	// Identity is the vendor identity within the account, from the complete
	// arguments of the instance. It is called only with known values.
	Identity func(args cty.Value) string
	// Check judges an instance's arguments beyond their types. Unknown values pass.
	Check func(args cty.Value) []Problem
	// Pull says how a policy pulls, from its complete arguments. Policy types only.
	Pull func(args cty.Value) PullPolicy
	// Derive makes the observed values from the evidence: pure, and the only
	// place where a type's outcome, reason, cost and settling are decided. The
	// result has the type ObservedType() and no unknown values.
	Derive func(e Evidence) cty.Value
	// ClockDriven says that Derive looks at Evidence.Now, so that an item may
	// change without a read (besides giving up, which every type does).
	ClockDriven bool

	shapes                           sync.Once
	argsType, observedType, seenType cty.Type // see shape
	quiet                            map[string]bool
}

// shape makes the object types once: they are asked for at every read.
func (t *Type) shape() *Type {
	t.shapes.Do(func() {
		t.argsType, t.observedType = t.makeArgsType(), t.makeObservedType()
		seen := make(map[string]cty.Type, len(t.Attributes))
		for _, a := range t.Attributes {
			seen[a.Name] = a.Type
		}
		t.seenType = cty.Object(seen)
		t.quiet = make(map[string]bool)
		for _, a := range slices.Concat(t.Attributes, CommonAttributes()) {
			if a.Quiet {
				t.quiet[a.Name] = true
			}
		}
	})
	return t
}

// Kind is how a type's evidence arrives.
type Kind uint8

const (
	// Polled items are read one by one.
	Polled Kind = iota
	// Policy items are pull policies: they cause pulls and never settle.
	Policy
	// Counted items wait for records that are pulled or pushed.
	Counted
)

// PullPolicy is how a policy pulls.
type PullPolicy struct {
	Limit int  // how many records one page has at most: the bound of what one failed pull can lose
	Drain bool // whether to pull again at once while pages come full and bring something new
}

// Attribute is one observed value of a type.
type Attribute struct {
	Name        string
	Type        cty.Type
	Description string
	// Quiet says that it moves without being a difference: it tells when somebody
	// looked, not what was seen.
	Quiet bool
}

// Problem is a mistake in a block's values, found by a schema's Check. The
// loader turns it into a diagnostic with a range.
type Problem struct {
	Argument string // the argument at fault; "" for the block; "callback.tokens" in a nested block
	Summary  string // "Invalid rcpt_ref"
	Detail   string // what is wrong and what to write instead, whole sentences
}

// Evidence is what is known of one item when its values are derived.
type Evidence struct {
	Args cty.Value // complete arguments
	// Seen is what the last good read told, an object of the vendor's
	// attributes (attributes it does not mention are null); cty.NilVal before the
	// first read. Polled types only.
	Seen cty.Value
	// NotFound says that the vendor's last answer was that there is no such record.
	NotFound bool
	// Tally is the count of the item's records. Counted types only.
	Tally Tally
	// Pulls is what the item's pulls came to. Policy types only.
	Pulls PullTally

	TrackedAt   time.Time
	FirstReadAt time.Time // zero before the first read
	Now         time.Time
	// GaveUp says that give_up_after has passed since tracking.
	GaveUp bool
}

// CommonAttributes are the observed attributes that every type has.
func CommonAttributes() []Attribute {
	return []Attribute{
		{Name: "outcome", Type: cty.String, Description: "pending, succeeded, failed, partial or unknown"},
		{Name: "reason", Type: cty.String, Description: "the outcome in words, with the vendor page's remedy where it gives one"},
		{Name: "settled", Type: cty.Bool, Description: "whether the outcome is final and the item no longer polled"},
		{Name: "cost", Type: cty.Number, Description: "what the vendor charged, exactly as stated; null where it does not tell"},
		{Name: "currency", Type: cty.String, Description: "currency of cost"},
		{Name: "observed_at", Type: cty.String, Description: "when the vendor last told something of it, RFC 3339 in UTC", Quiet: true},
	}
}

// Argument returns the argument of that name.
func (t *Type) Argument(name string) (Argument, bool) {
	for _, a := range t.Arguments {
		if a.Name == name {
			return a, true
		}
	}
	return Argument{}, false
}

// pollType is that of the block poll, one of the arguments that Waybill adds to a type's
// own, by kind; they are part of an item's arguments and so of its values.
var pollType = cty.Object(map[string]cty.Type{"interval": cty.String, "max_interval": cty.String})

// ArgsType is the object type of an instance's complete arguments: the type's
// own, and poll, give_up_after and suspend where the kind has them.
func (t *Type) ArgsType() cty.Type { return t.shape().argsType }

func (t *Type) makeArgsType() cty.Type {
	attrs := make(map[string]cty.Type, len(t.Arguments)+4)
	for _, a := range t.Arguments {
		attrs[a.Name] = a.Type
	}
	if t.Kind == Polled {
		attrs["poll"] = pollType
	}
	if t.Kind != Policy {
		attrs["give_up_after"] = cty.String
	}
	attrs["suspend"] = cty.Bool
	attrs["prevent_forget"] = cty.Bool
	return cty.Object(attrs)
}

// ObservedType is the object type of what Derive returns: the type's
// attributes and the common ones, without those that are arguments too.
func (t *Type) ObservedType() cty.Type { return t.shape().observedType }

func (t *Type) makeObservedType() cty.Type {
	attrs := make(map[string]cty.Type, len(t.Attributes)+8)
	for _, a := range t.Attributes {
		attrs[a.Name] = a.Type
	}
	for _, a := range CommonAttributes() {
		attrs[a.Name] = a.Type
	}
	for _, a := range t.Arguments {
		delete(attrs, a.Name)
	}
	return cty.Object(attrs)
}

// ValuesType is the object type of an item as configuration refers to it:
// arguments and observed attributes in one object.
func (t *Type) ValuesType() cty.Type {
	attrs := make(map[string]cty.Type)
	for name, ty := range t.ObservedType().AttributeTypes() {
		attrs[name] = ty
	}
	for name, ty := range t.ArgsType().AttributeTypes() {
		attrs[name] = ty
	}
	return cty.Object(attrs)
}

// DefaultInterval and the others are the defaults of PRODUCT.md's meta-arguments.
const (
	DefaultInterval    = 60 * time.Second
	DefaultMaxInterval = 15 * time.Minute
	DefaultGiveUpAfter = 72 * time.Hour
)
