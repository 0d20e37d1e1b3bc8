package hclspec

import (
	"context"
	"testing"
)

// In JSON a text is a template only where an expression may refer to something.
func TestJSONTextsThatAreNoTemplates(t *testing.T) {
	const odd = "a price such as ${x} or %{ if y }"
	c := mustLoad(t, map[string]string{"main.wb.json": `{
  "variable": {"v": {"default": "` + odd + `", "description": "` + odd + `", "type": "string", "sensitive": "false", "nullable": false}},
  "output": {"o": {"value": "${var.v}", "description": "` + odd + `", "sensitive": false}},
  "provider": {"itniotech": {"alias": "eu", "app_id": "a"}},
  "removed": [{"from": "globfax_recipient.old", "lifecycle": {"destroy": false}}]
}`})
	if v := c.module.variables["v"]; v.description != odd || v.value.AsString() != odd {
		t.Errorf("variable: %q, %q", v.description, v.value.AsString())
	}
	e := c.NewEvaluation(nil)
	waves(t, c, e)
	outputs, diags := e.Outputs(context.Background())
	noErrors(t, c, diags)
	if outputs[0].Description != odd || outputs[0].Value.AsString() != odd {
		t.Errorf("output: %+v", outputs[0])
	}
}
