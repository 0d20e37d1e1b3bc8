package hclspec

import (
	"errors"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"
	"os"
)

func (c *Config) functions() map[string]function.Function { return map[string]function.Function{} }

type missingEnv struct{ name string }

func (m missingEnv) Error() string { return "the environment variable " + m.name + " is not set" }

func missingVariable(d *hcl.Diagnostic) (string, bool) {
	extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	if !ok {
		return "", false
	}
	var missing missingEnv
	if errors.As(extra.FunctionCallError(), &missing) {
		return missing.name, true
	}
	return "", false
}

func fileExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func escapeGlob(s string) string { return s }
