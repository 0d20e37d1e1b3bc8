package providers_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers"
)

func TestDecodeRepeated(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1,"b":{"c":2,"d":"x:y"}}`:                  "",
		`{"a":1,"a":1}`:                                  "", // alike: means one thing
		`{"a":1,"a":1.0}`:                                "a",
		`{"a":{"b":1,"b":2},"c":[{"d":1,"d":null}]}`:     "a.b c[0].d",
		`{"a":1,"\u0061":2}`:                             "a",
		`{"a":"\":","b":"\\","c":"\\\":"}`:               "",
		`{"a":{"x":1},"a":{"x":1},"b":{"y":1},"b":null}`: "b",
	} {
		_, repeated, err := providers.Decode([]byte(body))
		if err != nil || strings.Join(slices.Sorted(maps.Keys(repeated)), " ") != want {
			t.Errorf("%s: %v, %v", body, repeated, err)
		}
	}
	for _, bad := range []string{"", " ", "{", `{"a":1}x`, "\xef\xbb\xbf", `{"a":01}`, "{} {}"} {
		if v, _, err := providers.Decode([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, v)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"0.10": "0.10", "-5": "-5", "1e64": "1e64", "1e65": "", "1E-65": "", "": "", " 5": "", "+5": "", "05": "", ".5": "", "0x1": "", "NaN": "",
		"Infinity": "", "1_000": "", "1,5": "", strings.Repeat("9", 64): strings.Repeat("9", 64), strings.Repeat("9", 65): "", "true": "", "[1]": "",
	} {
		if n, _ := providers.NumberOf(text); string(n) != want {
			t.Errorf("%q: %q, want %q", text, n, want)
		}
	}
	for text, want := range map[string]int64{"5": 5, "5.0": 5, "5e0": 5, "-0": 0, "9223372036854775807": 1<<63 - 1} {
		if n, ok := providers.IntOf(text); !ok || n != want {
			t.Errorf("%q: %d, %v", text, n, ok)
		}
	}
	for _, bad := range []any{"5.5", "9223372036854775808", "1e64", "", "x", nil, true, []any{}} {
		if n, ok := providers.IntOf(bad); ok {
			t.Errorf("%v: %d", bad, n)
		}
	}
	if d, err := providers.DecimalOf("0.00210000000000000000001"); err != nil || d.Text('f') != "0.00210000000000000000001" {
		t.Errorf("%v, %v", d, err)
	}
}

// What is repeated a million times is told in a moment, and in a few values.
func TestDecodeRepeatedOften(t *testing.T) {
	body := "{" + strings.Repeat(`"a":1,"a":2,`, 100_000) + `"b":1}`
	_, repeated, err := providers.Decode([]byte(body))
	if err != nil || len(repeated) != 1 || len(repeated["a"]) > 8 {
		t.Errorf("%d, %v", len(repeated["a"]), err)
	}
}
