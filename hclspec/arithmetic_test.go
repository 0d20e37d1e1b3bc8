package hclspec

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/value"
)

// Amounts compare, and print inside a text, as decimals do, in both syntaxes.
func TestArithmeticIsDecimal(t *testing.T) {
	for text, want := range map[string]string{
		`0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1`:        `1`,
		`"t ${0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1 + 0.1}"`: `"t 1"`,
		`1.1 + 2.2 == 3.3`:                                   `true`,
		`0.3 - 0.1 == 0.2`:                                   `true`,
		`"${1 / 3} of it"`:                                   `"0.3333333333333333333333333333333333 of it"`,
		`tostring(2 / 3)`:                                    `"0.6666666666666666666666666666666667"`,
		`jsonencode(0.1 * 3)`:                                `"0.3"`,
		`3 * 0.002 == 0.006`:                                 `true`,
		`7 % 0.2 < 0.2`:                                      `true`,
		`(1 / 3) * 3 == 1`:                                   `true`,
		`1 / 3 + 1 / 3 + 1 / 3 == 1`:                         `true`,
		`(1 / 3) * (1 / 3) * 9 == 1`:                         `true`,
		`(1 / 49) * 49 == 1`:                                 `true`,
		`(2 / 3) * 3 == 2`:                                   `true`,
		`10 - (1 / 3) * 3 == 9`:                              `true`,
		`1 + 0.00000000000000000000000000001 == 1`:           `false`,
		`12345678901234567890.01 + 0.02`:                     `12345678901234567890.03`,
		`12345678901234567890123456789012345678901234567890`: `12345678901234567890123456789012345678901234567890`,
		`"n ${12345678901234567890123456789012345678901234567890}"`: `"n 12345678901234567890123456789012345678901234567890"`,
		`pow(2, 0.5)`:                               `1.4142135623730951`,
		`pow(1.05, 3)`:                              `1.157625`,
		`log(100000000000000000000, 3)`:             `41.9180654857877`,
		`ceil(0.1 + 0.2)`:                           `1`,
		`floor(10 * 1.15)`:                          `11`,
		`floor(100 * 1.15)`:                         `115`,
		`format("%f", 0.1 + 0.2)`:                   `"0.300000"`,
		`format("%v", 1 / 3)`:                       `"0.3333333333333333333333333333333333"`,
		`-(0.1 + 0.2) == -0.3`:                      `true`,
		`max(0.1 + 0.2, 0.3) == 0.3`:                `true`,
		`contains([0.3], 0.1 + 0.2)`:                `true`,
		`[for x in [0.1, 0.2] : x + 0.2 == 0.4][1]`: `true`,
	} {
		template, err := json.Marshal("${" + text + "}")
		if err != nil {
			t.Fatal(err)
		}
		for name, source := range map[string]string{
			"main.wb.hcl":  "output \"o\" {\n  value = " + text + "\n}\n",
			"main.wb.json": `{"output": {"o": {"value": ` + string(template) + `}}}`,
		} {
			c := mustLoadOptions(t, testOptions(writeDir(t, map[string]string{name: source})))
			e := c.NewEvaluation(nil)
			waves(t, c, e)
			outputs, diags := e.Outputs(context.Background())
			noErrors(t, c, diags)
			got, err := value.Encode(outputs[0].Value)
			if err != nil || string(got) != want {
				t.Errorf("%s in %s is %s (%v), want %s", text, name, got, err, want)
			}
		}
	}
}

// A division by zero is a mistake, and so is a number of which printing would
// never end, in both syntaxes.
func TestNumbersOutOfRange(t *testing.T) {
	for text, want := range map[string]string{
		`5 / 0`:                         "division by zero",
		`0 / 0`:                         "division by zero",
		`5 % 0`:                         "division by zero",
		`1e300000000`:                   "Number out of range",
		`tonumber("1e300000000")`:       "too large",
		`"1e300000000" + 1`:             "too large",
		`-"1e300000000"`:                "too large",
		`"${1e999 * 1e999}"`:            "too large",
		`log(0, 10)`:                    "not a finite number",
		`yamldecode(".inf")`:            "infinity",
		`[for x in ["1e9999"] : x * 2]`: "too large",
	} {
		template, err := json.Marshal("${" + text + "}")
		if err != nil {
			t.Fatal(err)
		}
		for name, source := range map[string]string{
			"main.wb.hcl":  "output \"o\" {\n  value = " + text + "\n}\n",
			"main.wb.json": `{"output": {"o": {"value": ` + string(template) + `}}}`,
		} {
			c, diags := judgeAll(testOptions(writeDir(t, map[string]string{name: source})), nil)
			if shown := printed(c, diags); !strings.Contains(shown, want) {
				t.Errorf("%s in %s: %s, want %q", text, name, shown, want)
			}
		}
	}
	c, diags := judgeAll(testOptions(writeDir(t, map[string]string{"main.wb.json": `{"output": {"o": {"value": [1, 1e300000000]}}}`})), nil)
	if shown := printed(c, diags); !strings.Contains(shown, "Number out of range") {
		t.Error(shown)
	}
	c, diags = judgeAll(testOptions(writeDir(t, map[string]string{"main.wb.hcl": "variable \"n\" {\n  type    = number\n  default = \"1e300000000\"\n}\n"})), nil)
	if shown := printed(c, diags); !strings.Contains(shown, "too large") {
		t.Error(shown)
	}
}

// A null is neither true nor false: where it decides, && and || say so.
func TestLogicOfNull(t *testing.T) {
	for text, want := range map[string]string{
		`null && true`:                         "argument must not be null",
		`true && null`:                         "argument must not be null",
		`null && null`:                         "argument must not be null",
		`null || false`:                        "argument must not be null",
		`false || null`:                        "argument must not be null",
		`null || null`:                         "argument must not be null",
		`true && tobool(null)`:                 "argument must not be null",
		`[for x in [null, true] : x && true]`:  "argument must not be null",
		`[for x in [true, null] : true && x]`:  "argument must not be null",
		`[for x in [null] : x || local.false]`: "argument must not be null",
		`false && null`:                        "",
		`true || null`:                         "",
		`true && true`:                         "",
		`false || true`:                        "",
	} {
		template, err := json.Marshal("${" + text + "}")
		if err != nil {
			t.Fatal(err)
		}
		for name, source := range map[string]string{
			"main.wb.hcl":  "locals {\n  false = false\n}\noutput \"o\" {\n  value = " + text + "\n}\n",
			"main.wb.json": `{"locals": {"false": false}, "output": {"o": {"value": ` + string(template) + `}}}`,
		} {
			c, diags := judgeAll(testOptions(writeDir(t, map[string]string{name: source})), nil)
			if diags.HasErrors() != (want != "") || !strings.Contains(printed(c, diags), want) {
				t.Errorf("%s in %s: %s, want %q", text, name, printed(c, diags), want)
			}
		}
	}
}
