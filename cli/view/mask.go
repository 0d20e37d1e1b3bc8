package view

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maskSources returns the files that the diagnostics speak of, with the texts
// that may be secrets overwritten by asterisks, byte for byte, so that a source
// line can be shown with its ranges right. Secrets are meant to come from env or
// sensitive variables, whose values no source line holds; this is for those who
// wrote one down: literal credentials in provider blocks (misspelt argument
// names included), and values of sensitive variables.
func (v *View) maskSources(files map[string]*hcl.File, diags hcl.Diagnostics) map[string]*hcl.File {
	sensitive := sensitiveVariables(files)
	masked := make(map[string]*hcl.File)
	for _, d := range diags {
		if d.Subject == nil || masked[d.Subject.Filename] != nil || files[d.Subject.Filename] == nil {
			continue
		}
		f := *files[d.Subject.Filename]
		f.Bytes = bytes.Clone(f.Bytes)
		if body, ok := f.Body.(*hclsyntax.Body); ok {
			v.maskNative(f.Bytes, body, sensitive)
			maskLines(f.Bytes, d.Subject.Filename, sensitive)
		} else {
			v.maskJSON(f.Bytes, sensitive)
		}
		masked[d.Subject.Filename] = &f
	}
	return masked
}

// maskNative overwrites secrets of one file in native syntax.
func (v *View) maskNative(src []byte, body *hclsyntax.Body, sensitive map[string]bool) {
	for name, attr := range body.Attributes { // a file of variable values
		if sensitive[name] {
			maskLiterals(src, attr.Expr)
		}
	}
	for _, block := range body.Blocks {
		switch {
		case block.Type == "provider" && len(block.Labels) > 0:
			v.maskBlock(src, block.Body, v.openArguments(block.Labels[0]))
		case block.Type == "variable" && len(block.Labels) > 0 && sensitive[block.Labels[0]]:
			if attr := block.Body.Attributes["default"]; attr != nil {
				maskLiterals(src, attr.Expr)
			}
		case block.Type == "notify":
			v.maskBlock(src, block.Body, map[string]bool{"url": true, "on": true})
		}
	}
}

// maskBlock overwrites the literals of all arguments but the open ones.
func (v *View) maskBlock(src []byte, body *hclsyntax.Body, open map[string]bool) {
	for name, attr := range body.Attributes {
		if !open[name] {
			maskLiterals(src, attr.Expr)
		}
	}
	for _, block := range body.Blocks {
		v.maskBlock(src, block.Body, open)
	}
}

// openArguments are the names that a provider block's non-secret arguments have.
func (v *View) openArguments(provider string) map[string]bool {
	open := map[string]bool{"alias": true, "suspend": true}
	for _, s := range v.Schemas {
		if s.Provider != provider {
			continue
		}
		for _, a := range s.Arguments {
			open[a.Name] = !a.Sensitive
		}
		for _, b := range s.Blocks {
			for _, a := range b.Arguments {
				open[a.Name] = !a.Sensitive
			}
		}
	}
	return open
}

// maskLiterals overwrites the literal texts in an expression.
func maskLiterals(src []byte, expr hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		lit, ok := node.(*hclsyntax.LiteralValueExpr)
		if !ok || lit.Val.IsNull() || (lit.Val.Type() != cty.String && lit.Val.Type() != cty.Number) {
			return nil
		}
		r := lit.SrcRange
		if r.Start.Byte < 0 || r.End.Byte > len(src) || isEnvName(src, r) {
			return nil
		}
		overwrite(src, r.Start.Byte, r.End.Byte)
		return nil
	})
}

// maskLines overwrites what stands behind the names of sensitive variables in a
// file of their values, where the text may be too broken to be parsed.
func maskLines(src []byte, name string, sensitive map[string]bool) {
	if !strings.HasSuffix(name, ".wbvars.hcl") && strings.HasSuffix(name, ".wb.hcl") {
		return
	}
	for variable := range sensitive {
		line := regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(variable) + `[ \t]*=(.*)$`)
		for _, m := range line.FindAllSubmatchIndex(src, -1) {
			overwrite(src, m[2], m[3])
		}
	}
}

// overwrite puts asterisks in the place of a text, but for what gives it its shape.
func overwrite(src []byte, from, to int) {
	for i := from; i < to; i++ {
		if !strings.ContainsRune(" \t\r\n\"", rune(src[i])) {
			src[i] = '*'
		}
	}
}

// isEnvName reports whether the literal is the first argument of env: the name
// of a variable, which helps the reader and is no secret.
func isEnvName(src []byte, r hcl.Range) bool {
	before := bytes.TrimRight(src[:r.Start.Byte], "\" \t")
	return bytes.HasSuffix(before, []byte("env("))
}

// secretName reports whether some vendor's argument of that name is sensitive.
func (v *View) secretName(name string) bool {
	for _, s := range v.Schemas {
		for _, a := range s.Arguments {
			if a.Name == name && a.Sensitive {
				return true
			}
		}
		for _, b := range s.Blocks {
			for _, a := range b.Arguments {
				if a.Name == name && a.Sensitive {
					return true
				}
			}
		}
	}
	return name == "secret"
}

// sensitiveVariables are the names of the variables declared sensitive.
func sensitiveVariables(files map[string]*hcl.File) map[string]bool {
	names := make(map[string]bool)
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "variable", LabelNames: []string{"name"}}}}
	for _, f := range files {
		if f == nil || f.Body == nil {
			continue
		}
		content, _, _ := f.Body.PartialContent(schema)
		if content == nil {
			continue
		}
		for _, block := range content.Blocks {
			inner, _, _ := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "sensitive"}}})
			if inner == nil || inner.Attributes["sensitive"] == nil {
				continue
			}
			value, diags := inner.Attributes["sensitive"].Expr.Value(nil)
			// What cannot be told is taken for sensitive.
			if diags.HasErrors() || value.IsNull() || !value.IsKnown() || value.Type() != cty.Bool || value.True() {
				names[block.Labels[0]] = true
			}
		}
	}
	return names
}

// tooLong reports whether a value is a text too long to be shown.
func tooLong(v cty.Value) bool {
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.String && len(v.AsString()) > maxShownValue
}
