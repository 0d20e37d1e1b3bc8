package value

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Encode writes a value as canonical JSON: attributes and keys in order, no
// spaces, numbers as FormatNumber writes them. Equal values have equal bytes.
// Unknown and marked values are errors: neither may be recorded.
func Encode(v cty.Value) (json.RawMessage, error) {
	return Append(nil, v)
}

var errSensitive = errors.New("a sensitive value cannot be written")

// Append is Encode onto the end of b.
func Append(b []byte, v cty.Value) ([]byte, error) {
	if v.IsMarked() {
		return b, errSensitive
	}
	if !v.IsKnown() {
		return b, errors.New("a value that is not known yet cannot be written")
	}
	if v.IsNull() {
		return append(b, "null"...), nil
	}
	ty := v.Type()
	var err error
	switch {
	case ty == cty.String:
		return AppendString(b, v.AsString()), nil
	case ty == cty.Number:
		return append(b, FormatNumber(v.AsBigFloat())...), nil
	case ty == cty.Bool:
		if v.True() {
			return append(b, "true"...), nil
		}
		return append(b, "false"...), nil
	case ty.IsObjectType():
		names := make([]string, 0, 16)
		for name := range ty.AttributeTypes() {
			names = append(names, name)
		}
		slices.Sort(names)
		b = append(b, '{')
		for i, name := range names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, name), ':')
			if b, err = Append(b, v.GetAttr(name)); err != nil {
				return b, fmt.Errorf("%s: %w", name, err)
			}
		}
		return append(b, '}'), nil
	case ty.IsMapType():
		b = append(b, '{')
		first := true
		for it := v.ElementIterator(); it.Next(); { // in the order of keys
			if !first {
				b = append(b, ',')
			}
			first = false
			key, element := it.Element()
			b = append(AppendString(b, key.AsString()), ':')
			if b, err = Append(b, element); err != nil {
				return b, fmt.Errorf("%s: %w", key.AsString(), err)
			}
		}
		return append(b, '}'), nil
	case ty.IsListType(), ty.IsSetType(), ty.IsTupleType():
		b = append(b, '[')
		first := true
		for it := v.ElementIterator(); it.Next(); {
			if !first {
				b = append(b, ',')
			}
			first = false
			_, element := it.Element()
			if b, err = Append(b, element); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
	return b, fmt.Errorf("a value of type %s cannot be written", ty.FriendlyName())
}

// AppendString writes a JSON string, without escapes for HTML.
func AppendString(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			plain = false
			break
		}
	}
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

// DecodeTree reads one JSON value into Go's any, numbers as json.Number, so
// that none passes through a float64. Anything after the value is an error.
func DecodeTree(b []byte) (any, error) {
	if x, ok := decodeQuick(b); ok {
		return x, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var x any
	if err := decoder.Decode(&x); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more text after the JSON value")
	}
	return x, nil
}

// Decode reads what Encode wrote, in the type given.
func Decode(b []byte, ty cty.Type) (cty.Value, error) {
	x, err := DecodeTree(b)
	if err != nil {
		return cty.DynamicVal, err
	}
	return FromTree(x, ty)
}

// FromTree makes a value of a type from decoded JSON (see DecodeTree).
// Attributes that are missing are null, those that the type does not have are
// left out, and where the type is dynamic the JSON's own shape decides.
func FromTree(x any, ty cty.Type) (cty.Value, error) {
	if ty == cty.DynamicPseudoType {
		return impliedValue(x)
	}
	if x == nil {
		return cty.NullVal(ty), nil
	}
	switch {
	case ty == cty.String:
		if s, ok := x.(string); ok {
			return cty.StringVal(s), nil
		}
	case ty == cty.Bool:
		if t, ok := x.(bool); ok {
			return cty.BoolVal(t), nil
		}
	case ty == cty.Number:
		if n, ok := x.(json.Number); ok {
			return parseNumber(n)
		}
	case ty.IsObjectType():
		m, ok := x.(map[string]any)
		if !ok {
			break
		}
		types := ty.AttributeTypes()
		attrs := make(map[string]cty.Value, len(types))
		for name, aty := range types {
			v, err := FromTree(m[name], aty)
			if err != nil {
				return cty.DynamicVal, fmt.Errorf("%s: %w", name, err)
			}
			attrs[name] = v
		}
		return cty.ObjectVal(attrs), nil
	case ty.IsMapType():
		m, ok := x.(map[string]any)
		if !ok {
			break
		}
		if len(m) == 0 {
			return cty.MapValEmpty(ty.ElementType()), nil
		}
		elements := make(map[string]cty.Value, len(m))
		for key, e := range m {
			v, err := FromTree(e, ty.ElementType())
			if err != nil {
				return cty.DynamicVal, fmt.Errorf("%s: %w", key, err)
			}
			elements[key] = v
		}
		return cty.MapVal(elements), nil
	case ty.IsTupleType():
		list, ok := x.([]any)
		types := ty.TupleElementTypes()
		if !ok || len(list) != len(types) {
			break
		}
		elements := make([]cty.Value, len(list))
		for i, e := range list {
			v, err := FromTree(e, types[i])
			if err != nil {
				return cty.DynamicVal, fmt.Errorf("[%d]: %w", i, err)
			}
			elements[i] = v
		}
		return cty.TupleVal(elements), nil
	case ty.IsListType(), ty.IsSetType():
		list, ok := x.([]any)
		if !ok {
			break
		}
		elements := make([]cty.Value, len(list))
		for i, e := range list {
			v, err := FromTree(e, ty.ElementType())
			if err != nil {
				return cty.DynamicVal, fmt.Errorf("[%d]: %w", i, err)
			}
			elements[i] = v
		}
		switch {
		case ty.IsListType() && len(elements) == 0:
			return cty.ListValEmpty(ty.ElementType()), nil
		case ty.IsListType():
			return cty.ListVal(elements), nil
		case len(elements) == 0:
			return cty.SetValEmpty(ty.ElementType()), nil
		}
		return cty.SetVal(elements), nil
	}
	return cty.DynamicVal, fmt.Errorf("want %s, have %s", ty.FriendlyName(), kindOfJSON(x))
}

func impliedValue(x any) (cty.Value, error) {
	switch x := x.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case string:
		return cty.StringVal(x), nil
	case bool:
		return cty.BoolVal(x), nil
	case json.Number:
		return parseNumber(x)
	case map[string]any:
		attrs := make(map[string]cty.Value, len(x))
		for name, e := range x {
			v, err := impliedValue(e)
			if err != nil {
				return cty.DynamicVal, err
			}
			attrs[cty.NormalizeString(name)] = v
		}
		return cty.ObjectVal(attrs), nil
	case []any:
		elements := make([]cty.Value, len(x))
		for i, e := range x {
			v, err := impliedValue(e)
			if err != nil {
				return cty.DynamicVal, err
			}
			elements[i] = v
		}
		return cty.TupleVal(elements), nil
	}
	return cty.DynamicVal, fmt.Errorf("a %T is not JSON", x)
}

// maxNumberText bounds the digits and the exponent of a number that is taken
// from outside: beyond any identifier or amount, and cheap to print.
const maxNumberText = 400

func parseNumber(n json.Number) (cty.Value, error) {
	text := string(n)
	if len(text) > maxNumberText {
		return cty.DynamicVal, errors.New("a number of over 400 digits")
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok && len(strings.TrimLeft(exponent, "+-0")) > 3 {
		return cty.DynamicVal, errors.New("a number with an exponent of over 999")
	}
	return cty.ParseNumberVal(text)
}

func kindOfJSON(x any) string {
	switch x.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a bool"
	case json.Number:
		return "a number"
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	}
	return fmt.Sprintf("%T", x)
}
