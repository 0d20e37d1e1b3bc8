package view

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/tfjson"
)

// Validation prints what validate found.
func (v *View) Validation(files map[string]*hcl.File, diags hcl.Diagnostics, asJSON bool) {
	if asJSON {
		v.indentedJSON(tfjson.Validate(v.jsonDiagnostics(files, diags)))
		return
	}
	v.Load(files, diags)
	switch {
	case diags.HasErrors():
	case len(diags) > 0:
		v.Out.printf("%s The configuration is valid, but there were warnings.\n", v.Out.paint(green, "Success!"))
	default:
		v.Out.printf("%s The configuration is valid.\n", v.Out.paint(green, "Success!"))
	}
}
