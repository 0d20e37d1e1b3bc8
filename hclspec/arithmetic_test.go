package hclspec

import (
	"context"
	"testing"

	"github.com/waybill-dev/waybill/value"
)

// Amounts compare, and print inside a text, as decimals do.
func TestArithmeticIsDecimal(t *testing.T) {
	for text, want := range map[string]string{
		`0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1`:        `1`,
		`"t ${0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1}"`: `"t 1"`,
		`1.1 + 2.2 == 3.3`:                          `true`,
		`0.3 - 0.1 == 0.2`:                          `true`,
		`"${1 / 3} of it"`:                          `"0.3333333333333333333333333333333333 of it"`,
		`tostring(2 / 3)`:                           `"0.6666666666666666666666666666666667"`,
		`jsonencode(0.1 * 3)`:                       `"0.3"`,
		`3 * 0.002 == 0.006`:                        `true`,
		`7 % 0.2 < 0.2`:                             `true`,
		`[for x in [0.1, 0.2] : x + 0.2 == 0.4][1]`: `true`,
	} {
		c := mustLoadOptions(t, testOptions(writeDir(t, map[string]string{"main.wb.hcl": "output \"o\" {\n  value = " + text + "\n}\n"})))
		e := c.NewEvaluation(nil)
		waves(t, c, e)
		outputs, diags := e.Outputs(context.Background())
		noErrors(t, c, diags)
		got, err := value.Encode(outputs[0].Value)
		if err != nil || string(got) != want {
			t.Errorf("%s is %s (%v), want %s", text, got, err, want)
		}
	}
}
