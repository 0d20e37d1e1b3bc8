package value

import (
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"
)

func TestNumbersAreExact(t *testing.T) {
	for text, want := range map[string]string{
		"0.1": "0.1", "1.50": "1.5", "100": "100", "1e3": "1000", "-0.0020": "-0.002", "0": "0", "-0": "0",
		"12345678901234567890123456789012":     "12345678901234567890123456789012",
		"0.1234567890123456789012345678901234": "0.1234567890123456789012345678901234",
		"9007199254740993":                     "9007199254740993",
		"1e400":                                "1E+400",
	} {
		v, err := cty.ParseNumberVal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatNumber(v.AsBigFloat()); got != want {
			t.Errorf("%s leaves as %s", text, got)
		}
	}
	tenth, _ := cty.ParseNumberVal("0.1")
	sum := cty.Zero
	for range 10 {
		sum = sum.Add(tenth)
	}
	if got := FormatNumber(sum.AsBigFloat()); got != "1" {
		t.Errorf("ten times 0.1 is %s", got)
	}
	price, _, _ := apd.NewFromString("0.002")
	total := new(apd.Decimal)
	for range 5000 {
		total = Add(total, price)
	}
	if got := FormatDecimal(total); got != "10" {
		t.Errorf("5000 times 0.002 is %s", got)
	}
}

func TestNumbersFromOutsideAreBounded(t *testing.T) {
	for _, text := range []string{"1e999999999", strings.Repeat("9", 500)} {
		if v, err := Decode([]byte(text), cty.Number); err == nil {
			t.Errorf("%.20s… is taken: %#v", text, v)
		}
	}
}

func TestEncodeRefusesWhatMayNotBeRecorded(t *testing.T) {
	for name, v := range map[string]cty.Value{
		"sensitive":           cty.StringVal("hunter2").Mark("sensitive"),
		"sensitive attribute": cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("hunter2").Mark("sensitive")}),
		"unknown":             cty.UnknownVal(cty.String),
	} {
		if b, err := Encode(v); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %s, %v", name, b, err)
		}
	}
}
