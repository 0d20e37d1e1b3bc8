package value

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"
)

// The short way writes what the long way writes, and amounts take it.
func TestFormatShortAsTheLongWay(t *testing.T) {
	long := func(f *big.Float) string {
		d, _, err := apd.NewFromString(f.Text('e', Digits-1))
		if err != nil {
			t.Fatal(err)
		}
		return FormatDecimal(d)
	}
	for _, text := range []string{
		"0.38", "-0.38", "0.002", "123456789.000001", "99999999999999.999", "0.1", "0.00000001", "-0.000000000001", "1.5e-3", "12345678901234.567",
		"0.9999999999999999", "0.12345678901234567",
	} {
		f := cty.MustParseNumberVal(text).AsBigFloat()
		if got, ok := formatShort(f); !ok || got != long(f) {
			t.Errorf("%s: %q %v, want %s", text, got, ok, long(f))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("%de%d", rapid.Int64().Draw(t, "digits"), rapid.IntRange(-40, 10).Draw(t, "exponent"))
		f := cty.MustParseNumberVal(text).AsBigFloat()
		if rapid.Bool().Draw(t, "computed") {
			f = new(big.Float).Quo(f, big.NewFloat(3))
		}
		if got, ok := formatShort(f); ok && got != long(f) {
			t.Fatalf("%s: %s, want %s", text, got, long(f))
		}
	})
}
