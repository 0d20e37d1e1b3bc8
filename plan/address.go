// Package plan holds Waybill's nouns and its one algorithm: what is wanted
// (Desired), what is tracked (Item), what was seen (Observation, Record) and
// what differs (Change, Plan). It is pure: no I/O and no clock; whatever time
// it is comes in as an argument.
package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Key is the instance key of a resource with for_each (a string) or count (an
// integer); the zero Key is that of a resource with neither. Keys are
// comparable, so they serve as map keys.
type Key struct {
	kind keyKind
	text string
	num  int
}

type keyKind uint8

const (
	keyNone keyKind = iota
	keyInt
	keyString
)

// NoKey is the key of a resource without for_each and count.
var NoKey = Key{}

// IntKey is the key of one instance of a resource with count.
func IntKey(n int) Key { return Key{kind: keyInt, num: n} }

// StringKey is the key of one instance of a resource with for_each. It is
// normalised as the keys of HCL's own values are (NFC): a text that somebody
// types, whose accents may be characters of their own, names the same instance.
func StringKey(s string) Key { return Key{kind: keyString, text: cty.NormalizeString(s)} }

// IsNone reports whether the key is that of a resource without instances.
func (k Key) IsNone() bool { return k.kind == keyNone }

// Int returns the number of a count key, and whether it is one.
func (k Key) Int() (int, bool) { return k.num, k.kind == keyInt }

// Text returns the text of a for_each key, and whether it is one.
func (k Key) Text() (string, bool) { return k.text, k.kind == keyString }

// Value is the key as HCL sees it: a number, a string, or a null of no type.
func (k Key) Value() cty.Value {
	switch k.kind {
	case keyInt:
		return cty.NumberIntVal(int64(k.num))
	case keyString:
		return cty.StringVal(k.text)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// String is the key as it stands in an address: nothing, [0] or ["a"].
func (k Key) String() string {
	switch k.kind {
	case keyInt:
		return "[" + strconv.Itoa(k.num) + "]"
	case keyString:
		return "[" + quote(k.text) + "]"
	}
	return ""
}

// Less orders keys as Terraform lists them: none, then numbers, then strings.
func (k Key) Less(o Key) bool {
	if k.kind != o.kind {
		return k.kind < o.kind
	}
	if k.kind == keyInt {
		return k.num < o.num
	}
	return k.text < o.text
}

// Address is how a user names a tracked thing: globfax_recipient.invoice["INV-1"].
type Address struct {
	typ  string // "globfax_recipient"
	name string // "invoice"
	key  Key
}

// NewAddress is the address of one instance of a block; NoKey where the block
// has neither for_each nor count. The name is normalised as keys are.
func NewAddress(typ, name string, key Key) Address {
	return Address{typ: typ, name: cty.NormalizeString(name), key: key}
}

// Type is the resource type: "globfax_recipient".
func (a Address) Type() string { return a.typ }

// Name is the block's name: "invoice".
func (a Address) Name() string { return a.name }

// Key is the key of the instance.
func (a Address) Key() Key { return a.key }

// IsZero reports whether this is no address at all.
func (a Address) IsZero() bool { return a == Address{} }

// WithKey is the address of another instance of the same block.
func (a Address) WithKey(key Key) Address {
	a.key = key
	return a
}

// Block is the address of the resource block that declares this instance:
// "globfax_recipient.invoice".
func (a Address) Block() string { return a.typ + "." + a.name }

// String is the address as a user writes it.
func (a Address) String() string { return a.typ + "." + a.name + a.key.String() }

// Less orders addresses by type, name and key.
func (a Address) Less(o Address) bool {
	if a.typ != o.typ {
		return a.typ < o.typ
	}
	if a.name != o.name {
		return a.name < o.name
	}
	return a.key.Less(o.key)
}

// Covers reports whether a names o: the same instance, or, when a has no key,
// any instance of the same block (as -target and moved blocks mean it).
func (a Address) Covers(o Address) bool {
	if a.typ != o.typ || a.name != o.name {
		return false
	}
	return a.key.IsNone() || a.key == o.key
}

// ParseAddress reads an address as a user writes it on the command line or in
// a moved block. The error says what a right one looks like.
func ParseAddress(s string) (Address, error) {
	if a, ok := parsePlain(s); ok {
		return a, nil
	}
	traversal, diags := hclsyntax.ParseTraversalAbs([]byte(s), "", hcl.InitialPos)
	if diags.HasErrors() {
		return Address{}, badAddress(s)
	}
	a, ok := AddressOf(traversal)
	if !ok {
		return Address{}, badAddress(s)
	}
	return a, nil
}

// AddressOf reads an address from an HCL traversal such as those of moved
// blocks; ok is false when the traversal is not type.name or type.name[key].
func AddressOf(traversal hcl.Traversal) (a Address, ok bool) {
	if len(traversal) < 2 || len(traversal) > 3 {
		return Address{}, false
	}
	root, ok := traversal[0].(hcl.TraverseRoot)
	if !ok {
		return Address{}, false
	}
	name, ok := traversal[1].(hcl.TraverseAttr)
	if !ok {
		return Address{}, false
	}
	a = NewAddress(root.Name, name.Name, NoKey)
	if len(traversal) == 2 {
		return a, true
	}
	index, ok := traversal[2].(hcl.TraverseIndex)
	if !ok {
		return Address{}, false
	}
	switch index.Key.Type() {
	case cty.String:
		a.key = StringKey(index.Key.AsString())
		return a, true
	case cty.Number:
		n, accuracy := index.Key.AsBigFloat().Int64()
		if accuracy != 0 || n < 0 {
			return Address{}, false
		}
		a.key = IntKey(int(n))
		return a, true
	}
	return Address{}, false
}

// parsePlain reads type.name without a key, and type.name["key"] whose key
// needs no escapes: the forms that are read back by the million from a state.
func parsePlain(s string) (Address, bool) {
	typ, rest, ok := strings.Cut(s, ".")
	if !ok || !hclsyntax.ValidIdentifier(typ) {
		return Address{}, false
	}
	name, key, keyed := strings.Cut(rest, "[")
	if !hclsyntax.ValidIdentifier(name) {
		return Address{}, false
	}
	a := NewAddress(typ, name, NoKey)
	if !keyed {
		return a, true
	}
	if len(key) < 3 || key[0] != '"' || !strings.HasSuffix(key, `"]`) {
		return Address{}, false
	}
	text := key[1 : len(key)-2]
	if strings.ContainsAny(text, "\"\\$%\n\r\t") {
		return Address{}, false
	}
	a.key = StringKey(text)
	return a, true
}

func badAddress(s string) error {
	return fmt.Errorf("%q is not an address: write type.name, type.name[0] or type.name[\"key\"], such as globfax_recipient.invoice[\"INV-1\"]", s)
}

// quote writes a string as HCL does, template openings escaped.
func quote(s string) string {
	if !strings.ContainsAny(s, "\"\\$%\n\r\t") && !hasControl(s) {
		return `"` + s + `"`
	}
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"':
			b.WriteString(`\"`)
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
