package value

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// decoded is the same object in a form that is not canonical, so that it is
// decoded instead of taken apart.
func decoded(object json.RawMessage) json.RawMessage {
	if len(object) == 0 {
		return object
	}
	return append(json.RawMessage(" "), object...)
}

// Taking objects apart tells the same differences, and merges the same, as
// decoding them.
func TestMembersAsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := encodeTree(tree(t, 2)), encodeTree(tree(t, 2))
		if rapid.Bool().Draw(t, "no before") {
			before = nil
		}
		quick, err := Fields(before, after, nil)
		if err != nil {
			t.Fatal(err)
		}
		slow, err := Fields(decoded(before), decoded(after), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(quick, slow) {
			t.Fatalf("%s -> %s:\nquick %s\nslow  %s", before, after, quick, slow)
		}
		merged, err := Merge(before, after)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Merge(decoded(before), decoded(after))
		if err != nil || string(merged) != string(want) {
			t.Fatalf("%s and %s merge to %s, want %s (%v)", before, after, merged, want, err)
		}
	})
}

// What is damaged is an error, and what is not canonical is decoded.
func TestMembersRefuse(t *testing.T) {
	for _, text := range []string{
		`{`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":[1}`, `{"a":"x}`, `{"a":tru}`, `{"a":{"b":1,}}`, `{"a":[1]]}`, `{"a":1,}`, `{,"a":1}`, `["a"]`, `{"a":1}x`, `{"a":01}`,
	} {
		if fields, err := Fields(nil, json.RawMessage(text), nil); err == nil {
			t.Errorf("%s is taken for %s", text, fields)
		}
		if fields, err := Fields(json.RawMessage(`{"a":"other"}`), json.RawMessage(text), nil); err == nil {
			t.Errorf("%s is taken for %s", text, fields)
		}
	}
	for _, text := range []string{`{"b":1,"a":"2"}`, `{ "a":"2", "b":1}`, `{"\u0061":"2","b":1}`, `{"a":"\u0032","b":1}`, `{"a":"9","a":"2","b":1}`} {
		fields, err := Fields(nil, json.RawMessage(text), nil)
		if err != nil || len(fields) != 2 || fields[0].Path != "a" || string(fields[0].After) != `"2"` {
			t.Errorf("%s comes to %s, %v", text, fields, err)
		}
	}
}
