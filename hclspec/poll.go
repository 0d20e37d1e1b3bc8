package hclspec

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// minInterval is the floor that a provider's values set; zero where it has none.
func minInterval(config cty.Value) time.Duration {
	if config == cty.NilVal || !config.Type().HasAttribute("min_interval") {
		return 0
	}
	v := config.GetAttr("min_interval")
	if v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return 0
	}
	d, err := time.ParseDuration(v.AsString())
	if err != nil {
		return 0
	}
	return d
}

// pollValue makes the poll object and judges its intervals.
func (b *builder) pollValue(p *part, values []cty.Value, diags hcl.Diagnostics) (cty.Value, hcl.Diagnostics) {
	interval, most := values[0], values[1]
	object := func() cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"interval": interval, "max_interval": most})
	}
	if !interval.IsKnown() || !most.IsKnown() {
		return object(), diags
	}
	first, _ := time.ParseDuration(interval.AsString())
	last, _ := time.ParseDuration(most.AsString())
	intervalAttr, mostAttr := p.nested[0].attr, p.nested[1].attr
	switch {
	case intervalAttr != nil && first <= 0:
		return object(), append(diags, mistake("Invalid poll interval", "The interval must be longer than zero.", intervalAttr.Expr.Range().Ptr()))
	case intervalAttr != nil && first < b.floor:
		return object(), append(diags, mistake("Invalid poll interval",
			fmt.Sprintf("The interval %s is below the provider's min_interval of %s, the floor between two reads of one item. Write %s or more, or lower min_interval in the provider block.", interval.AsString(), plan.FormatDuration(b.floor), plan.FormatDuration(b.floor)), intervalAttr.Expr.Range().Ptr()))
	case mostAttr != nil && last < first:
		return object(), append(diags, mistake("Invalid poll interval",
			fmt.Sprintf("The max_interval %s is below the interval %s: it is what the interval grows to while nothing changes.", most.AsString(), interval.AsString()), mostAttr.Expr.Range().Ptr()))
	case last < first:
		most = interval // a long interval without a cap of its own
	}
	return object(), diags
}
