package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format lays a file's text out canonically. JSON is left as it is.
func Format(filename string, src []byte) ([]byte, hcl.Diagnostics) {
	src, diags := acceptText(filename, src)
	if diags.HasErrors() || strings.HasSuffix(filename, ".json") {
		return src, diags
	}
	if diags := checkDepth(filename, src); diags.HasErrors() {
		return nil, diags
	}
	if _, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}
