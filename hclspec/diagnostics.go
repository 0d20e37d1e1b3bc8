package hclspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/suggest"
)

// mistake is an error diagnostic.
func mistake(summary, detail string, subject *hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: subject}
}

// didYouMean is a sentence that names the nearest of the names, or nothing.
// It begins with a space, to follow another sentence.
func didYouMean(given string, names []string) string {
	if hint := suggest.DidYouMean(given, names); hint != "" {
		return " " + hint
	}
	return ""
}

// origin is a range as the rest of the program keeps it.
func origin(r hcl.Range) plan.Origin { return plan.Origin{File: r.Filename, Line: r.Start.Line} }

// place is a range in words: main.wb.hcl:3.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// listWords joins names for a sentence: "a, b and c".
func listWords(names []string) string {
	switch len(names) {
	case 0:
		return "none"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// clean makes diagnostics fit to be shown: nothing sensitive in them, and no
// one thing told twice.
func (c *Root) clean(diags hcl.Diagnostics) hcl.Diagnostics {
	secrets := c.read.secretTexts()
	type key struct{ summary, detail, at string }
	told := map[key]bool{}
	cleaned := diags[:0:0]
	for _, d := range diags {
		if d == nil {
			continue
		}
		shown := *explain(d, c.parser.Files())
		shown.Summary = redactText(shown.Summary, secrets)
		shown.Detail = redactText(shown.Detail, secrets)
		if touchesSensitive(d) {
			shown.Expression, shown.EvalContext = nil, nil
		}
		k := key{shown.Summary, shown.Detail, ""}
		if shown.Subject != nil {
			k.at = shown.Subject.String()
		}
		if told[k] {
			continue
		}
		told[k] = true
		cleaned = append(cleaned, &shown)
	}
	return cleaned
}

// touchesSensitive reports whether a printer that shows the values of a
// diagnostic's expression could come upon a sensitive one.
func touchesSensitive(d *hcl.Diagnostic) bool {
	if d.Expression == nil || d.EvalContext == nil {
		return false
	}
	for _, traversal := range d.Expression.Variables() {
		value, diags := traversal.TraverseAbs(d.EvalContext)
		// Of a collection a printer shows the type and the size only.
		if diags.HasErrors() || value.IsMarked() {
			return true
		}
	}
	return false
}

const redacted = "(sensitive value)"

// redactText takes known secrets out of a text. Very short ones are left, for
// they would garble every sentence and say nothing.
func redactText(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return text
}

// collectSecrets gathers the strings within a sensitive value.
func collectSecrets(v cty.Value, add func(string)) {
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, part cty.Value) (bool, error) {
		if part.Type() == cty.String && part.IsKnown() && !part.IsNull() {
			add(part.AsString())
		}
		return true, nil
	})
}

// sortDiagnostics orders diagnostics by file and position, keeping the order
// of those without one.
func sortDiagnostics(diags hcl.Diagnostics) {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return 0
		}
		if n := strings.Compare(a.Subject.Filename, b.Subject.Filename); n != 0 {
			return n
		}
		return a.Subject.Start.Byte - b.Subject.Start.Byte
	})
}
