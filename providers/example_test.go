package providers_test

import (
	"fmt"
	"net/http"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/globfax"
)

// A polled vendor's answer is read by a pure function, and what was seen becomes
// the item's values by another: bytes that are kept can be read again, at any time,
// without the vendor.
func ExampleDefinition() {
	vendor := globfax.Definition()
	target := providers.Target{
		Type: "globfax_recipient", Identity: "rcpt_1",
		Args: cty.ObjectVal(map[string]cty.Value{"rcpt_ref": cty.StringVal("rcpt_1")}),
	}
	seen, err := vendor.Observe(target, providers.Answer{Status: http.StatusOK, Complete: true, Body: []byte(`{
		"success": true,
		"data": {"rcpt_ref": "rcpt_1", "status": "success", "unit_price": 0.1, "page_count": 3, "charged_amount": 0.3}
	}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	values := vendor.Schema.Types[0].Derive(plan.Evidence{Args: target.Args, Seen: seen.Seen})
	fmt.Println(values.GetAttr("outcome").AsString(), values.GetAttr("settled").True(), values.GetAttr("cost").AsBigFloat())
	// Output: succeeded true 0.3
}
