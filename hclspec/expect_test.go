package hclspec

import (
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// judge judges one expect block of an item with a status.
func judge(t *testing.T, body string, self map[string]cty.Value) plan.Verdict {
	t.Helper()
	c := mustLoad(t, hclFile(`
variable "secret" {
  default   = "hush-hush-hush"
  sensitive = true
}
resource "globfax_recipient" "other" {
  rcpt_ref = "other"
}
resource "globfax_recipient" "i" {
  for_each = { k = { name = "Ann" } }
  rcpt_ref = each.key
  expect "delivered" {
`+body+`
  }
}
`))
	e := c.NewEvaluation(seenMap{"globfax_recipient.other": {plan.NoKey: values(c, "globfax_recipient", map[string]cty.Value{"status": cty.StringVal("success")})}})
	waves(t, c, e)
	if !e.HasExpect("globfax_recipient.i") || e.HasExpect("globfax_recipient.other") {
		t.Error("HasExpect")
	}
	value := values(c, "globfax_recipient", self)
	if self == nil {
		value = cty.UnknownVal(c.types["globfax_recipient"].values)
	}
	verdicts := e.Judge(plan.NewAddress("globfax_recipient", "i", plan.StringKey("k")), value)
	if len(verdicts) != 1 || verdicts[0].Name != "delivered" {
		t.Fatalf("verdicts %+v", verdicts)
	}
	return verdicts[0]
}

func status(s string) map[string]cty.Value { return map[string]cty.Value{"status": cty.StringVal(s)} }

func TestJudge(t *testing.T) {
	const delivered = "condition = self.status == \"success\"\n"
	for _, tc := range []struct {
		name, body   string
		self         map[string]cty.Value
		known, holds bool
		message      string
	}{
		{"holds", delivered + `error_message = "no"`, status("success"), true, true, ""},
		{"fails", delivered + `error_message = "fax ${each.key} of ${each.value.name}: ${coalesce(self.failed_reason, "no result yet")}"`, status("failed"), true, false, "fax k of Ann: no result yet"},
		{"null status", delivered + `error_message = "no"`, map[string]cty.Value{}, true, false, "no"},
		{"not read yet", delivered + `error_message = "no"`, nil, false, false, ""},
		{"other resources", "condition = globfax_recipient.other.status == \"failed\"\nerror_message = \"it is ${globfax_recipient.other.status}\"", status("x"), true, false, "it is success"},
		{"null in the message", delivered + `error_message = "why: ${self.failed_reason}."`, status("failed"), true, false, "why: (null)."},
		{"unknown in the message", "condition = false\nerror_message = \"is ${self.status}\"", nil, true, false, "is (not known yet)"},
		{"secret in the message", delivered + `error_message = "key ${var.secret} failed"`, status("failed"), true, false, "key (sensitive value) failed"},
		{"secret alone", delivered + `error_message = var.secret`, status("failed"), true, false, "(sensitive value)"},
		{"secret in a call", delivered + `error_message = format("%s!", var.secret)`, status("failed"), true, false, "(sensitive value)"},
		{"condition of a secret", "condition = var.secret == \"x\"\nerror_message = \"not x\"", status("failed"), true, false, "not x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := judge(t, tc.body, tc.self)
			if v.Known != tc.known || v.Holds != tc.holds || v.Message != tc.message {
				t.Errorf("%+v", v)
			}
		})
	}
}

// A message that cannot be evaluated never hides a failed expectation, and
// says why; nor does a condition.
func TestJudgeWhatCannotBeEvaluated(t *testing.T) {
	v := judge(t, "condition = self.status == \"success\"\nerror_message = \"code ${upper(self.failed_reason)}, sorry\"", status("failed"))
	if !v.Known || v.Holds || !strings.HasPrefix(v.Message, "code (The error message at main.wb.hcl:14 cannot be evaluated: Invalid function argument.") || !strings.HasSuffix(v.Message, ", sorry") {
		t.Errorf("message: %+v", v)
	}
	v = judge(t, "condition = parseint(self.status, 10) > 1\nerror_message = \"no\"", status("failed"))
	if !v.Known || v.Holds || !strings.HasPrefix(v.Message, "The condition at main.wb.hcl:13 cannot be evaluated") {
		t.Errorf("condition: %+v", v)
	}
	v = judge(t, "condition = self.status == \"success\"\nerror_message = \"${parseint(var.secret, 10)}\"", status("failed"))
	if v.Holds || strings.Contains(v.Message, "hush") {
		t.Errorf("secret: %+v", v)
	}
}

func TestJudgeWithin(t *testing.T) {
	v := judge(t, "condition = false\nwithin = each.key == \"k\" ? \"90s\" : \"1h\"\nerror_message = \"no\"", status("x"))
	if v.Within != 90*time.Second {
		t.Errorf("within %s", v.Within)
	}
}

// An item that is tracked but declared no more is judged without each.
func TestJudgeOfAnUnknownKey(t *testing.T) {
	c := mustLoad(t, hclFile(`
resource "globfax_recipient" "i" {
  for_each = toset(["a"])
  rcpt_ref = each.value
  expect "e" {
    condition     = self.status == "success"
    error_message = "of ${each.value}"
  }
}
`))
	e := c.NewEvaluation(seenMap{})
	waves(t, c, e)
	address := plan.NewAddress("globfax_recipient", "i", plan.StringKey("gone"))
	verdicts := e.Judge(address, values(c, "globfax_recipient", status("failed")))
	if len(verdicts) != 1 || !verdicts[0].Known || verdicts[0].Holds {
		t.Errorf("verdicts %+v", verdicts)
	}
	if e.Judge(plan.NewAddress("globfax_recipient", "nowhere", plan.NoKey), cty.EmptyObjectVal) != nil {
		t.Error("verdicts on a block that is not declared")
	}
}
