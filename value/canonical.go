package value

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// member is one attribute of a canonical JSON object, its value as it is written.
type member struct {
	name  string
	value json.RawMessage
}

// isNull reports whether the member is absent or null: both mean that there is no value.
func isNull(value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" }

// members takes a canonical JSON object apart at its top level without decoding
// it: the values of a million items are compared, and hardly any differ. ok is
// false for what is not in canonical form there, which is to be decoded instead.
func members(list []member, object json.RawMessage) (_ []member, ok bool) {
	if len(object) == 0 {
		return list, true
	}
	if len(object) < 2 || object[0] != '{' || object[len(object)-1] != '}' {
		return list, false
	}
	first := len(list)
	for at, last := 1, len(object)-1; at < last; {
		if len(list) > first {
			if object[at] != ',' {
				return list, false
			}
			at++
		}
		key := stringEnd(object, at)
		if key < 0 || key >= last || object[key] != ':' || bytes.IndexByte(object[at:key], '\\') >= 0 {
			return list, false
		}
		end := valueEnd(object[:last], key+1)
		if end < 0 {
			return list, false
		}
		m := member{string(object[at+1 : key-1]), object[key+1 : end : end]}
		if len(list) > first && list[len(list)-1].name >= m.name {
			return list, false
		}
		list = append(list, m)
		at = end
	}
	return list, true
}

// EachMember shows the members of a JSON object to visit, in the order of the
// text, without decoding them: the name without its quotes, the value as it is
// written. Both are parts of object and must not be kept. An empty text and null
// have no members. It ends at the first error of visit.
func EachMember(object json.RawMessage, visit func(name, value []byte) error) error {
	if len(object) == 0 || string(object) == "null" {
		return nil
	}
	if object[0] != '{' || object[len(object)-1] != '}' {
		return fmt.Errorf("%.40q is no JSON object", object)
	}
	bad := func() error {
		var compact bytes.Buffer
		if err := json.Compact(&compact, object); err != nil {
			return err
		}
		if compact.Len() == len(object) {
			return fmt.Errorf("%.40q is no plain JSON object", object)
		}
		return EachMember(compact.Bytes(), visit)
	}
	last := len(object) - 1
	for at := 1; at < last; {
		if at > 1 {
			if object[at] != ',' {
				return bad()
			}
			at++
		}
		key := stringEnd(object, at)
		if key < 0 || key >= last || object[key] != ':' {
			return bad()
		}
		end := valueEnd(object[:last], key+1)
		if end < 0 {
			return bad()
		}
		if err := visit(object[at+1:key-1], object[key+1:end]); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// stringEnd is where a JSON string that begins at at has ended; -1 when none does.
func stringEnd(b []byte, at int) int {
	if at >= len(b) || b[at] != '"' {
		return -1
	}
	for i := at + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd is where a JSON value that begins at at has ended; -1 when none does.
func valueEnd(b []byte, at int) int {
	depth := 0
	for i := at; i < len(b); i++ {
		switch b[i] {
		case '"':
			end := stringEnd(b, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth < 0 {
				return -1
			}
		case ',':
			if depth == 0 {
				if i == at {
					return -1
				}
				return i
			}
		case ' ', '\t', '\n', '\r':
			return -1
		}
	}
	if depth != 0 || at >= len(b) {
		return -1
	}
	return len(b)
}

// plainField is the difference of two values of which at least one is no
// object and no list, or one is missing; ok is false when they must be decoded.
func plainField(path string, before, after json.RawMessage) (Field, bool) {
	if !isNull(before) && !isNull(after) && (isTree(before) || isTree(after)) {
		return Field{}, false
	}
	f := Field{Path: path, Before: before, After: after}
	for _, v := range []*json.RawMessage{&f.Before, &f.After} {
		switch {
		case isNull(*v):
			*v = null
		case bytes.IndexByte(*v, '\\') >= 0 || !json.Valid(*v):
			return Field{}, false
		}
	}
	return f, true
}

func isTree(value json.RawMessage) bool { return value[0] == '{' || value[0] == '[' }

// null is shared by all fields; nobody writes into a field's value.
var null = json.RawMessage("null")

// quickFields is Fields for objects in canonical form; ok is false for others.
func quickFields(before, after json.RawMessage, quiet map[string]bool) (_ []Field, ok bool) {
	var room [64]member
	all, ok := members(room[:0], before)
	if !ok {
		return nil, false
	}
	n := len(all)
	if all, ok = members(all, after); !ok {
		return nil, false
	}
	fields := make([]Field, 0, len(all)-n)
	for b, a := all[:n], all[n:]; len(b) > 0 || len(a) > 0; {
		var name string
		var was, is json.RawMessage
		switch {
		case len(a) == 0 || len(b) > 0 && b[0].name < a[0].name:
			name, was, b = b[0].name, b[0].value, b[1:]
		case len(b) == 0 || a[0].name < b[0].name:
			name, is, a = a[0].name, a[0].value, a[1:]
		default:
			name, was, is, b, a = a[0].name, b[0].value, a[0].value, b[1:], a[1:]
		}
		if quiet[name] || string(was) == string(is) || isNull(was) && isNull(is) {
			continue
		}
		if f, plain := plainField(name, was, is); plain {
			fields = append(fields, f)
			continue
		}
		x, err := decodeMember(was)
		if err != nil {
			return nil, false
		}
		y, err := decodeMember(is)
		if err != nil {
			return nil, false
		}
		fields = appendFields(fields, name, x, y)
	}
	if len(fields) == 0 {
		return nil, true
	}
	return fields, true
}

func decodeMember(value json.RawMessage) (any, error) {
	if isNull(value) {
		return nil, nil
	}
	return DecodeTree(value)
}

// quickMerge is Merge for objects in canonical form; ok is false for others.
func quickMerge(a, b json.RawMessage) (_ json.RawMessage, ok bool) {
	var room [64]member
	all, ok := members(room[:0], a)
	if !ok {
		return nil, false
	}
	n := len(all)
	if all, ok = members(all, b); !ok {
		return nil, false
	}
	out := append(make(json.RawMessage, 0, len(a)+len(b)), '{')
	put := func(m member) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), m.name...), '"', ':'), m.value...)
	}
	for x, y := all[:n], all[n:]; len(x) > 0 || len(y) > 0; {
		switch {
		case len(y) == 0 || len(x) > 0 && x[0].name < y[0].name:
			put(x[0])
			x = x[1:]
		default:
			if len(x) > 0 && x[0].name == y[0].name {
				x = x[1:]
			}
			put(y[0])
			y = y[1:]
		}
	}
	return append(out, '}'), true
}
