package hclspec

import (
	"context"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// TestProductExample loads the example of the product's description, as it
// stands there but for notify.
func TestProductExample(t *testing.T) {
	c, diags := judgeAll(testOptions("testdata/good/product"), nil)
	if len(diags) > 0 {
		t.Fatalf("diagnostics:\n%s", printed(c, diags))
	}
	seen := seenMap{}
	e := c.NewEvaluation(seen)
	all := waves(t, c, e)
	if len(all) != 1 {
		t.Fatalf("%d waves", len(all))
	}
	equalStrings(t, "items", addresses(all[0].Desired), []string{
		`globfax_recipient.invoice["INV-1"]`, `globfax_recipient.invoice["INV-2"]`, "itniotech_otp_order.login",
		"nxcloud_number_check.january", "ucloud_usms_message.promo", "ucloud_usms_report_pull.main",
	})
	for i, want := range []string{"globfax ref-1", "globfax ref-2", "itniotech.eu ad454212/1234566", "nxcloud 901946960376", "ucloud d0aa6c6e", "ucloud org-34"} {
		if got := all[0].Desired[i].Account + " " + all[0].Desired[i].Identity; got != want {
			t.Errorf("%s names %q, want %q", all[0].Desired[i].Address, got, want)
		}
	}
	if moves := c.Moves(); len(moves) != 1 || moves[0].From.String() != "globfax_recipient.invoices" || moves[0].To.String() != "globfax_recipient.invoice" {
		t.Errorf("moves %v", moves)
	}
	if removed := c.Removed(); len(removed) != 1 || removed[0].String() != "globfax_recipient.old_campaign" {
		t.Errorf("removed %v", removed)
	}
	seen["globfax_recipient.invoice"] = map[plan.Key]cty.Value{
		plan.StringKey("INV-1"): values(c, "globfax_recipient", map[string]cty.Value{"outcome": cty.StringVal("succeeded"), "charged_amount": cty.MustParseNumberVal("0.15")}),
		plan.StringKey("INV-2"): values(c, "globfax_recipient", map[string]cty.Value{"outcome": cty.StringVal("failed"), "charged_amount": cty.MustParseNumberVal("0.3")}),
	}
	e = c.NewEvaluation(seen)
	waves(t, c, e)
	outputs, diags := e.Outputs(context.Background())
	noErrors(t, c, diags)
	if encoded, err := value.Encode(outputs[0].Value); err != nil || string(encoded) != "0.45" {
		t.Errorf("fax_cost %s, %v", encoded, err)
	}
	checks, diags := e.Checks(context.Background())
	noErrors(t, c, diags)
	if len(checks) != 1 || checks[0].State != plan.CheckFail || checks[0].Messages[0] != "some faxes failed" {
		t.Errorf("checks %+v", checks)
	}
}
