package value

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// tree draws a JSON object as an item's values are: no nulls inside lists, since
// no type has a list that may hold them.
func tree(t *rapid.T, depth int) map[string]any {
	m := make(map[string]any)
	for range rapid.IntRange(0, 4).Draw(t, "attributes") {
		name := rapid.SampledFrom([]string{"a", "b", "c d", "266", `q"`, "传"}).Draw(t, "name")
		m[name] = branch(t, depth)
	}
	return m
}

func branch(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if depth == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		return json.Number(rapid.SampledFrom([]string{"0", "1.5", "-3", "0.01368"}).Draw(t, "number"))
	case 1:
		return rapid.SampledFrom([]string{"", "x", "<y>&"}).Draw(t, "string")
	case 2:
		return rapid.Bool().Draw(t, "bool")
	case 3:
		return tree(t, depth-1)
	}
	list := make([]any, 0)
	for range rapid.IntRange(0, 3).Draw(t, "elements") {
		list = append(list, branch(t, depth-1))
	}
	return list
}

// Differences carried out on what was are what is: the history is the state.
func TestFieldsFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := encodeTree(tree(t, 2)), encodeTree(tree(t, 2))
		fields, err := Fields(before, after, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Apply(before, fields)
		if err != nil {
			t.Fatalf("%s -> %s by %+v: %v", before, after, fields, err)
		}
		if string(got) != string(after) {
			t.Fatalf("%s -> %s by %+v comes to %s", before, after, fields, got)
		}
		if again, _ := Fields(after, after, nil); len(again) != 0 {
			t.Fatalf("%s differs from itself: %+v", after, again)
		}
	})
}

func TestFieldPaths(t *testing.T) {
	before := `{"status":"sending","sms":[{"settle_pay":"0.01","status":0}],"failed_codes":{},"observed_at":"x"}`
	after := `{"status":"success","sms":[{"settle_pay":"0.02","status":0}],"failed_codes":{"266":1},"observed_at":"y"}`
	fields, err := Fields(json.RawMessage(before), json.RawMessage(after), map[string]bool{"observed_at": true})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(fields)
	want := `[{"path":"failed_codes[\"266\"]","before":null,"after":1},` +
		`{"path":"sms[0].settle_pay","before":"0.01","after":"0.02"},` +
		`{"path":"status","before":"sending","after":"success"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
