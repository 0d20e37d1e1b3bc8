package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/waybill-dev/waybill/hclspec/expressions"
)

// Format lays a file's text out canonically. JSON is left as it is.
func Format(filename string, src []byte) ([]byte, hcl.Diagnostics) {
	src, diags := acceptText(filename, src)
	if diags.HasErrors() || strings.HasSuffix(filename, ".json") {
		return src, diags
	}
	if diags := expressions.CheckText(filename, src); diags.HasErrors() {
		return nil, diags
	}
	if _, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}
