package hclspec

import (
	"context"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/plan"
)

// An accent may be one character or two: the name is the same.
func TestNamesAreNormalised(t *testing.T) {
	const one, two = "caf\u00e9", "cafe\u0301"
	configuration := func(declared, referred string) map[string]string {
		return map[string]string{
			"f.csv":              "id," + declared + "\nr-" + declared + ",x\n",
			"waybill.wbvars.hcl": referred + ` = "r1"` + "\n",
			"main.wb.hcl": strings.NewReplacer("DECL", declared, "REF", referred).Replace(`
variable "DECL" {}
locals {
  DECL = var.REF
  rows = { for r in csvdecode(file("f.csv")) : r.id => r }
}
resource "globfax_recipient" "DECL" {
  rcpt_ref = local.REF
}
resource "ucloud_usms_message" "m" {
  for_each   = local.rows
  session_no = each.value.REF
}
output "DECL" {
  value = [globfax_recipient.REF.rcpt_ref, ucloud_usms_message.m["r-REF"].session_no]
}
moved {
  from = globfax_recipient.old
  to   = globfax_recipient.REF
}
`),
		}
	}
	for _, files := range []map[string]string{configuration(one, two), configuration(two, one), configuration(two, two)} {
		c := mustLoad(t, files)
		e := c.NewEvaluation(seenMap{})
		first := waves(t, c, e)[0]
		want := []plan.Address{plan.NewAddress("globfax_recipient", one, plan.NoKey), plan.NewAddress("ucloud_usms_message", "m", plan.StringKey("r-"+one))}
		if len(first.Desired) != 2 || first.Desired[0].Address != want[0] || first.Desired[1].Address != want[1] || first.Desired[0].Identity != "r1" {
			t.Errorf("instances %+v", first.Desired)
		}
		if to := c.Moves()[0].To; to != want[0] {
			t.Errorf("moved to %v", to)
		}
		_, diags := e.Outputs(context.Background())
		noErrors(t, c, diags)
	}
	if c, diags := Load(testOptions(writeDir(t, hclFile("locals {\n  "+one+" = 1\n}\nlocals {\n  "+two+" = 2\n}\n")))); !diags.HasErrors() {
		t.Errorf("one name twice is taken:\n%s", printed(c, diags))
	}
}
