package view

import (
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/tfjson"
)

// Outputs prints outputs as name = value.
func (v *View) Outputs(outputs []plan.Output) { v.showOutputs(outputs, math.MaxInt) }

// showOutputs prints values of fewer lines than that in full.
func (v *View) showOutputs(outputs []plan.Output, lines int) {
	width := 0
	for _, o := range outputs {
		width = max(width, len(o.Name))
	}
	for _, o := range outputs {
		text := Text("<sensitive>")
		if !o.Sensitive {
			text = shortText(o.Value, "", lines)
		}
		v.Out.printf("%s = %s\n", pad(Escape(o.Name), width), text)
	}
}

// JSONOutputs prints outputs as output -json does.
func (v *View) JSONOutputs(outputs []plan.Output) { v.indentedJSON(tfjson.Outputs(outputs)) }

// Value prints one value as it would stand in configuration.
func (v *View) Value(x cty.Value) { v.Out.println(valueText(x, "")) }
