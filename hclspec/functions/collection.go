package functions

import (
	"errors"
	"fmt"
	"sort"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/value"
)

// sumFunc adds numbers as decimals, exactly. The sum of nothing is 0, so that
// a sum over what was charged so far has a value from the start.
var sumFunc = function.New(&function.Spec{
	Description: "Adds the numbers of a list or set, exactly.",
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		ty := args[0].Type()
		if !ty.IsListType() && !ty.IsSetType() && !ty.IsTupleType() {
			return cty.DynamicVal, function.NewArgErrorf(0, "it is no list or set of numbers but %s", ty.FriendlyName())
		}
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		sum := apd.New(0, 0)
		for it := args[0].ElementIterator(); it.Next(); {
			_, element := it.Element()
			if element.IsNull() {
				return cty.DynamicVal, function.NewArgErrorf(0, "it holds a null, which is no number")
			}
			if err := expressions.CheckNumberText(element); err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			number, err := convert.Convert(element, cty.Number)
			if err != nil {
				return cty.DynamicVal, function.NewArgErrorf(0, "it holds an element that is no number")
			}
			d, err := value.DecimalOf(number)
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			sum = value.Add(sum, d)
		}
		return value.FromDecimal(sum), nil
	},
})

// boolsFunc is alltrue and anytrue: decided settles the answer as soon as one
// element has that value. A null is not true.
func boolsFunc(description string, decided bool) function.Function {
	return function.New(&function.Spec{
		Description: description,
		Params:      []function.Parameter{{Name: "list", Type: cty.List(cty.Bool), AllowUnknown: true}},
		Type:        function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsKnown() {
				return cty.UnknownVal(cty.Bool), nil
			}
			unknown := false
			for it := args[0].ElementIterator(); it.Next(); {
				_, element := it.Element()
				if !element.IsKnown() {
					unknown = true
					continue
				}
				if holds := !element.IsNull() && element.True(); holds == decided {
					return cty.BoolVal(decided), nil
				}
			}
			if unknown {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(!decided), nil
		},
	})
}

var (
	allTrueFunc = boolsFunc("Reports whether all elements are true.", false)
	anyTrueFunc = boolsFunc("Reports whether any element is true.", true)
)

var oneFunc = function.New(&function.Spec{
	Description: "Gives the element of a list or set of at most one, and null where there is none.",
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		switch {
		case ty.IsListType(), ty.IsSetType():
			return ty.ElementType(), nil
		case ty.IsTupleType() && len(ty.TupleElementTypes()) == 0:
			return cty.DynamicPseudoType, nil
		case ty.IsTupleType() && len(ty.TupleElementTypes()) == 1:
			return ty.TupleElementType(0), nil
		}
		return cty.DynamicPseudoType, function.NewArgErrorf(0, "it is no list or set of at most one element")
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		length := args[0].Length()
		if !length.IsKnown() {
			return cty.UnknownVal(ty), nil
		}
		n, _ := length.AsBigFloat().Int64()
		switch n {
		case 0:
			return cty.NullVal(ty), nil
		case 1:
			it := args[0].ElementIterator()
			it.Next()
			_, element := it.Element()
			return element, nil
		}
		return cty.DynamicVal, function.NewArgErrorf(0, "it is no list or set of at most one element")
	},
})

// lengthFunc is that of collections, and of strings in characters.
var lengthFunc = function.New(&function.Spec{
	Description: "Counts the elements of a collection, or the characters of a string.",
	Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true, AllowMarked: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		ty := args[0].Type()
		if ty == cty.String || ty.IsTupleType() || ty.IsObjectType() || ty.IsCollectionType() || ty == cty.DynamicPseudoType {
			return cty.Number, nil
		}
		return cty.Number, errors.New("only a string, a list, a set, a map or an object has a length")
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		value, marks := args[0].Unmark() // those of elements do not touch their number
		length, err := lengthOf(value)
		return length.WithMarks(marks), err
	},
})

func lengthOf(value cty.Value) (cty.Value, error) {
	ty := value.Type()
	switch {
	case ty == cty.DynamicPseudoType:
		return cty.UnknownVal(cty.Number), nil
	case ty.IsTupleType():
		return cty.NumberIntVal(int64(len(ty.TupleElementTypes()))), nil
	case ty.IsObjectType():
		return cty.NumberIntVal(int64(len(ty.AttributeTypes()))), nil
	case ty == cty.String:
		return stdlib.Strlen(value)
	}
	return value.Length(), nil
}

var indexFunc = function.New(&function.Spec{
	Description: "Finds the index of a value in a list.",
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:        function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if ty := args[0].Type(); !ty.IsListType() && !ty.IsTupleType() {
			return cty.DynamicVal, function.NewArgErrorf(0, "it is no list")
		}
		if !args[0].IsKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		for it := args[0].ElementIterator(); it.Next(); {
			i, element := it.Element()
			equal, err := stdlib.Equal(element, args[1])
			if err != nil {
				return cty.DynamicVal, err
			}
			if !equal.IsKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			if equal.True() {
				return i, nil
			}
		}
		return cty.DynamicVal, errors.New("item not found")
	},
})

var lookupFunc = function.New(&function.Spec{
	Description: "Takes one element of a map by its key, or the default where it is missing.",
	Params:      []function.Parameter{{Name: "inputMap", Type: cty.DynamicPseudoType, AllowMarked: true}, {Name: "key", Type: cty.String, AllowMarked: true}},
	VarParam:    &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true, AllowNull: true, AllowMarked: true},
	Type: func(args []cty.Value) (cty.Type, error) {
		if len(args) > 3 {
			return cty.DynamicPseudoType, fmt.Errorf("lookup takes a map, a key and at most one default, and here are %d arguments", len(args))
		}
		ty := args[0].Type()
		switch {
		case ty.IsObjectType():
			named, _ := args[1].Unmark()
			if !named.IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			key := named.AsString()
			switch {
			case ty.HasAttribute(key):
				return ty.AttributeType(key), nil
			case len(args) == 3:
				return args[2].Type(), nil
			}
			return cty.DynamicPseudoType, function.NewArgErrorf(0, "it has no attribute %q", shown(args[1]))
		case ty.IsMapType():
			if len(args) == 3 {
				if _, err := convert.Convert(args[2], ty.ElementType()); err != nil {
					return cty.DynamicPseudoType, function.NewArgErrorf(2, "the default does not have the type of the elements of the map")
				}
			}
			return ty.ElementType(), nil
		}
		return cty.DynamicPseudoType, function.NewArgErrorf(0, "it is no map")
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		// Of the elements only the one that is found matters.
		from, mapMarks := args[0].Unmark()
		named, keyMarks := args[1].Unmark()
		if !from.IsKnown() || !named.IsKnown() {
			return cty.UnknownVal(ty).WithMarks(mapMarks, keyMarks), nil
		}
		key := named.AsString()
		if from.Type().IsObjectType() {
			if from.Type().HasAttribute(key) {
				return from.GetAttr(key).WithMarks(mapMarks, keyMarks), nil
			}
		} else if from.HasIndex(named).True() {
			return from.Index(named).WithMarks(mapMarks, keyMarks), nil
		}
		if len(args) == 3 {
			value, err := convert.Convert(args[2], ty)
			return value.WithMarks(mapMarks, keyMarks), err
		}
		return cty.DynamicVal, fmt.Errorf("lookup failed to find key %q", shown(args[1]))
	},
})

// shown is a text for a message, unless it is sensitive.
func shown(v cty.Value) string {
	if v.IsMarked() {
		return "(sensitive value)"
	}
	return v.AsString()
}

var matchKeysFunc = function.New(&function.Spec{
	Description: "Takes the values whose keys, at the same index of another list, are among those searched.",
	Params: []function.Parameter{{Name: "values", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "keys", Type: cty.List(cty.DynamicPseudoType)}, {Name: "searchset", Type: cty.List(cty.DynamicPseudoType)}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if ty, _ := convert.UnifyUnsafe([]cty.Type{args[1].Type(), args[2].Type()}); ty == cty.NilType {
			return cty.NilType, errors.New("the keys and what is searched among them differ in type")
		}
		return args[0].Type(), nil
	},
	Impl: func(args []cty.Value, ty cty.Type) (cty.Value, error) {
		if !args[0].IsKnown() || !args[1].IsWhollyKnown() || !args[2].IsWhollyKnown() {
			return cty.UnknownVal(ty), nil
		}
		if args[0].LengthInt() != args[1].LengthInt() {
			return cty.DynamicVal, errors.New("there are not as many keys as values")
		}
		common, _ := convert.UnifyUnsafe([]cty.Type{args[1].Type(), args[2].Type()})
		for i := 1; i <= 2; i++ {
			converted, err := convert.Convert(args[i], common)
			if err != nil {
				return cty.NilVal, function.NewArgError(i, err)
			}
			args[i] = converted
		}
		var found []cty.Value
		values, keys := args[0].AsValueSlice(), args[1].AsValueSlice()
		for i, key := range keys {
			for _, wanted := range args[2].AsValueSlice() {
				if equal, err := stdlib.Equal(key, wanted); err == nil && equal.IsKnown() && equal.True() {
					found = append(found, values[i])
					break
				}
			}
		}
		if len(found) == 0 {
			return cty.ListValEmpty(ty.ElementType()), nil
		}
		return cty.ListVal(found), nil
	},
})

// containsFunc is the library's, but that an untyped null is told: it would be
// unknown for ever.
var containsFunc = function.New(&function.Spec{
	Description: stdlib.ContainsFunc.Description(),
	Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType, AllowUnknown: true}, {Name: "value", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true}},
	Type:        function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		return stdlib.ContainsFunc.Call(args)
	},
})

var transposeFunc = function.New(&function.Spec{
	Description: "Turns a map of lists around: each string becomes a key, with the keys that had it.",
	Params:      []function.Parameter{{Name: "values", Type: cty.Map(cty.List(cty.String))}},
	Type:        function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(cty.Map(cty.List(cty.String))), nil
		}
		lists := map[string][]string{}
		for it := args[0].ElementIterator(); it.Next(); {
			key, list := it.Element()
			if list.IsNull() {
				return cty.DynamicVal, errors.New("a list in the map is null")
			}
			for of := list.ElementIterator(); of.Next(); {
				_, text := of.Element()
				if text.IsNull() {
					return cty.DynamicVal, errors.New("a string in a list is null")
				}
				lists[text.AsString()] = append(lists[text.AsString()], key.AsString())
			}
		}
		if len(lists) == 0 {
			return cty.MapValEmpty(cty.List(cty.String)), nil
		}
		out := map[string]cty.Value{}
		for text, keys := range lists {
			sort.Strings(keys)
			values := make([]cty.Value, len(keys))
			for i, key := range keys {
				values[i] = cty.StringVal(key)
			}
			out[text] = cty.ListVal(values)
		}
		return cty.MapVal(out), nil
	},
})
