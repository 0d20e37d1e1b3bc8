package value

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// partial is how a value is written of which parts are not known: the rest with
// null in their places, and true at each of them, as in Terraform's after_unknown.
type partial struct {
	Known   json.RawMessage `json:"known"`
	Unknown any             `json:"unknown"`
}

// EncodePartly writes a value of which parts may be unknown. Equal values have
// equal bytes. Marked values are errors, as for Encode.
func EncodePartly(v cty.Value) (json.RawMessage, error) {
	known, unknown, err := EncodeKnown(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(partial{Known: known, Unknown: unknown})
}

// EncodeKnown is the canonical JSON of what is known of a value, null in place of
// what is not, and where that is: true, or an object or list of these, nil where
// all is known.
func EncodeKnown(v cty.Value) (known json.RawMessage, unknown any, err error) {
	if v.ContainsMarked() {
		return nil, nil, errSensitive
	}
	rest, unknown := splitUnknown(v)
	known, err = Encode(rest)
	return known, unknown, err
}

// DecodePartly reads what EncodePartly wrote, in the type given.
func DecodePartly(b []byte, ty cty.Type) (cty.Value, error) {
	var p partial
	if err := json.Unmarshal(b, &p); err != nil {
		return cty.DynamicVal, fmt.Errorf("partly known value: %w", err)
	}
	v, err := Decode(p.Known, ty)
	if err != nil {
		return cty.DynamicVal, err
	}
	return joinUnknown(v, ty, p.Unknown), nil
}

// splitUnknown puts null in the place of what is unknown. An element of a set has
// no place: the set is unknown as a whole.
func splitUnknown(v cty.Value) (cty.Value, any) {
	ty := v.Type()
	switch {
	case !v.IsKnown(), ty.IsSetType() && !v.IsWhollyKnown():
		return cty.NullVal(ty), true
	case v.IsWhollyKnown():
		return v, nil
	case ty.IsObjectType(), ty.IsMapType():
		parts, unknown := v.AsValueMap(), map[string]any{}
		for name, part := range parts {
			var at any
			if parts[name], at = splitUnknown(part); at != nil {
				unknown[name] = at
			}
		}
		if ty.IsObjectType() {
			return cty.ObjectVal(parts), unknown
		}
		return cty.MapVal(parts), unknown
	}
	parts := v.AsValueSlice()
	unknown := make([]any, len(parts))
	for i := range parts {
		parts[i], unknown[i] = splitUnknown(parts[i])
	}
	if ty.IsListType() {
		return cty.ListVal(parts), unknown
	}
	return cty.TupleVal(parts), unknown
}

// joinUnknown puts the unknown parts back into what splitUnknown left.
func joinUnknown(v cty.Value, ty cty.Type, unknown any) cty.Value {
	switch at := unknown.(type) {
	case bool:
		if at {
			return cty.UnknownVal(ty)
		}
	case map[string]any:
		if v.IsNull() || !(ty.IsObjectType() || ty.IsMapType()) {
			break
		}
		parts := v.AsValueMap()
		for name, part := range parts {
			partType := part.Type()
			if ty.IsObjectType() {
				partType = ty.AttributeType(name)
			}
			parts[name] = joinUnknown(part, partType, at[name])
		}
		if ty.IsMapType() {
			return cty.MapVal(parts)
		}
		return cty.ObjectVal(parts)
	case []any:
		if v.IsNull() || !(ty.IsTupleType() || ty.IsListType()) || v.LengthInt() != len(at) {
			break
		}
		parts := v.AsValueSlice()
		for i, part := range parts {
			partType := part.Type()
			if ty.IsTupleType() {
				partType = ty.TupleElementType(i)
			}
			parts[i] = joinUnknown(part, partType, at[i])
		}
		if ty.IsListType() {
			return cty.ListVal(parts)
		}
		return cty.TupleVal(parts)
	}
	return v
}
