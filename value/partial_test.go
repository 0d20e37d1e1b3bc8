package value

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestPartlyKnown(t *testing.T) {
	a, text, number := cty.StringVal("a"), cty.UnknownVal(cty.String), cty.UnknownVal(cty.Number)
	for _, tc := range []struct {
		v    cty.Value
		want string
	}{
		{a, `{"known":"a","unknown":null}`},
		{text, `{"known":null,"unknown":true}`},
		{cty.TupleVal([]cty.Value{a, text}), `{"known":["a",null],"unknown":[null,true]}`},
		{cty.TupleVal([]cty.Value{cty.NullVal(cty.String), text}), `{"known":[null,null],"unknown":[null,true]}`},
		{cty.ListVal([]cty.Value{text, a}), `{"known":[null,"a"],"unknown":[true,null]}`},
		{cty.MapVal(map[string]cty.Value{"x": number, "y": cty.NumberIntVal(1)}), `{"known":{"x":null,"y":1},"unknown":{"x":true}}`},
		{cty.ObjectVal(map[string]cty.Value{"k": a, "l": cty.ListVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"n": number, "s": a})}), "e": cty.ListValEmpty(cty.String)}),
			`{"known":{"e":[],"k":"a","l":[{"n":null,"s":"a"}]},"unknown":{"l":[{"n":true}]}}`},
		{cty.ObjectVal(map[string]cty.Value{"d": cty.DynamicVal, "k": a}), `{"known":{"d":null,"k":"a"},"unknown":{"d":true}}`},
		{cty.TupleVal([]cty.Value{cty.SetVal([]cty.Value{a, text}), a}), `{"known":[null,"a"],"unknown":[true,null]}`},
	} {
		got, err := EncodePartly(tc.v)
		if err != nil || string(got) != tc.want {
			t.Errorf("%#v is %s (%v), want %s", tc.v, got, err, tc.want)
			continue
		}
		back, err := DecodePartly(got, tc.v.Type())
		if err != nil {
			t.Errorf("%s: %v", got, err)
			continue
		}
		again, err := EncodePartly(back)
		if err != nil || string(again) != tc.want || !back.Type().Equals(tc.v.Type()) {
			t.Errorf("%#v comes back as %#v (%v)", tc.v, back, err)
		}
	}
	if got, err := EncodePartly(cty.TupleVal([]cty.Value{a.Mark("secret"), text})); err == nil {
		t.Errorf("a marked value was written: %s", got)
	}
}
