package hclspec

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/plan"
)

// expansion is which instances a resource block has.
type expansion struct {
	keys     []plan.Key
	streamed []plan.Desired // instead of keys and forEach: the instances themselves
	forEach  cty.Value      // of a known for_each, without marks
	deferred bool           // for_each or count is unknown
	failed   bool           // for_each or count is mistaken
}

// list are the keys of the instances, in order.
func (x *expansion) list() []plan.Key {
	if x.streamed == nil {
		return x.keys
	}
	keys := make([]plan.Key, len(x.streamed))
	for i := range x.streamed {
		keys[i] = x.streamed[i].Address.Key()
	}
	return keys
}

// each is each.value of an instance; unknown when the block has no such one.
func (x *expansion) each(key string) cty.Value {
	if x.forEach == cty.NilVal {
		return cty.DynamicVal
	}
	ty := x.forEach.Type()
	switch {
	case ty.IsSetType():
		return cty.StringVal(key)
	case ty.IsObjectType():
		if ty.HasAttribute(key) {
			return x.forEach.GetAttr(key)
		}
	case ty.IsMapType():
		if x.forEach.LengthInt() > 0 {
			index := cty.StringVal(key)
			if has := x.forEach.HasIndex(index); has.IsKnown() && has.True() {
				return x.forEach.Index(index)
			}
		}
	}
	return cty.DynamicVal
}

// maxCount bounds count: beyond it a number is a slip of the pen.
const maxCount = 10_000_000

// expand evaluates count or for_each.
func (e *Evaluation) expand(r *resource) (*expansion, hcl.Diagnostics) {
	switch {
	case r.forEach != nil:
		value, diags := e.scope.evaluate(r.forEach.Expr)
		if diags.HasErrors() {
			return &expansion{failed: true}, diags
		}
		x, d := expandForEach(value, r.forEach.Expr.Range())
		if d != nil {
			diags = append(diags, d)
		}
		return x, diags
	case r.count != nil:
		value, diags := e.scope.evaluate(r.count.Expr)
		if diags.HasErrors() {
			return &expansion{failed: true}, diags
		}
		x, d := expandCount(value, r.count.Expr.Range())
		if d != nil {
			diags = append(diags, d)
		}
		return x, diags
	}
	return &expansion{keys: []plan.Key{plan.NoKey}}, nil
}

func expandForEach(value cty.Value, at hcl.Range) (*expansion, *hcl.Diagnostic) {
	bad := func(detail string) (*expansion, *hcl.Diagnostic) {
		return &expansion{failed: true}, mistake("Invalid for_each argument", detail, at.Ptr())
	}
	// Only the keys must not be sensitive: each.value may hold a secret.
	value, marks := value.Unmark()
	ty := value.Type()
	switch {
	case len(marks) > 0 || (ty.IsSetType() && value.ContainsMarked()):
		return bad("The keys of for_each stand in addresses, which everyone may read, and these are sensitive. Take keys that are not, and keep what is sensitive in the values of a map.")
	case value.IsNull():
		return bad("The value of for_each is null. Give a map or a set of strings; an empty one tracks nothing.")
	case ty == cty.DynamicPseudoType:
		return &expansion{deferred: true}, nil
	case !ty.IsMapType() && !ty.IsSetType() && !ty.IsObjectType():
		return bad(fmt.Sprintf("for_each takes a map or a set of strings, and this is of type %s. Make a set of a list with toset, or a map of it with a for expression.", ty.FriendlyName()))
	case ty.IsSetType() && ty.ElementType() != cty.String && ty.ElementType() != cty.DynamicPseudoType:
		if value.IsKnown() && value.LengthInt() == 0 {
			break
		}
		d := mistake("Invalid for_each set argument", fmt.Sprintf("A set in for_each holds strings, and this one holds elements of type %s. Convert it with toset([for x in ...: tostring(x)]).", ty.ElementType().FriendlyName()), at.Ptr())
		return &expansion{failed: true}, d
	case !value.IsKnown():
		return &expansion{deferred: true}, nil
	}
	x := &expansion{forEach: value}
	if ty.IsObjectType() {
		names := sortedKeys(ty.AttributeTypes())
		x.keys = make([]plan.Key, len(names))
		for i, name := range names {
			x.keys[i] = plan.StringKey(name)
		}
		return x, nil
	}
	x.keys = make([]plan.Key, 0, value.LengthInt())
	for it := value.ElementIterator(); it.Next(); {
		key, _ := it.Element()
		switch {
		case !key.IsKnown():
			return &expansion{deferred: true}, nil
		case key.IsNull():
			d := mistake("Invalid for_each set argument", "The set in for_each holds a null, which cannot be a key. Take it out, as compact does from a list.", at.Ptr())
			return &expansion{failed: true}, d
		}
		x.keys = append(x.keys, plan.StringKey(key.AsString()))
	}
	if !slices.IsSortedFunc(x.keys, compareKeys) {
		slices.SortFunc(x.keys, compareKeys)
	}
	return x, nil
}

func compareKeys(a, b plan.Key) int {
	x, _ := a.Text()
	y, _ := b.Text()
	return strings.Compare(x, y)
}

func expandCount(value cty.Value, at hcl.Range) (*expansion, *hcl.Diagnostic) {
	bad := func(detail string) (*expansion, *hcl.Diagnostic) {
		return &expansion{failed: true}, mistake("Invalid count argument", detail, at.Ptr())
	}
	value, _ = value.Unmark() // how many there are gives no secret away, as Terraform has it
	if value.IsNull() {
		return bad("The value of count is null. Give a whole number; 0 tracks nothing.")
	}
	value, err := expressions.Convert(value, cty.Number)
	if err != nil {
		return bad("The value of count is not suitable: " + err.Error() + ".")
	}
	if !value.IsKnown() {
		return &expansion{deferred: true}, nil
	}
	n, accuracy := value.AsBigFloat().Int64()
	switch {
	case value.AsBigFloat().Sign() < 0:
		return bad("The value of count is negative. Give zero or more.")
	case n > maxCount:
		return bad("The value of count is not a whole number from 0 to " + strconv.Itoa(maxCount) + ".")
	case accuracy != big.Exact:
		return bad("The value of count is not a whole number from 0 to " + strconv.Itoa(maxCount) + ".")
	}
	x := &expansion{keys: make([]plan.Key, n)}
	for i := range x.keys {
		x.keys[i] = plan.IntKey(i)
	}
	return x, nil
}
