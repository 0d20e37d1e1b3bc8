package view

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/tfjson"
)

// Diagnostics prints what is wrong with the configuration, each with its source
// line, secrets masked.
func (v *View) Diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) {
	_, _ = v.Err.Write(v.rendered(v.Err, files, diags))
}

// rendered are diagnostics as a stream shows them.
func (v *View) rendered(s *Stream, files map[string]*hcl.File, diags hcl.Diagnostics) []byte {
	if len(diags) == 0 {
		return nil
	}
	var b bytes.Buffer
	b.WriteByte('\n')
	masked := v.maskSources(files, diags)
	for _, f := range masked {
		escapeSource(f.Bytes)
	}
	w := hcl.NewDiagnosticTextWriter(&b, masked, uint(s.width), s.color)
	for _, d := range diags {
		shown := *withoutSecrets(d)
		shown.Summary, shown.Detail = string(Escape(d.Summary)), string(paragraphs(d.Detail))
		if d.Subject != nil {
			at := *d.Subject
			at.Filename = string(Escape(at.Filename))
			if f := masked[d.Subject.Filename]; f != nil {
				masked[at.Filename] = f
			}
			shown.Subject = &at
		}
		_ = w.WriteDiagnostic(&shown)
	}
	return b.Bytes()
}

// maxShownValue is how long a text may be that a diagnostic shows of an
// expression's variables.
const maxShownValue = 200

// withoutSecrets takes the variables' values off a diagnostic when one of them
// is sensitive, or holds something sensitive, or is too long to be of help.
func withoutSecrets(d *hcl.Diagnostic) *hcl.Diagnostic {
	if d.Expression == nil || d.EvalContext == nil {
		return d
	}
	for _, traversal := range d.Expression.Variables() {
		value, diags := traversal.TraverseAbs(d.EvalContext)
		if diags.HasErrors() {
			continue
		}
		if value.ContainsMarked() || tooLong(value) {
			bare := *d
			bare.Expression, bare.EvalContext = nil, nil
			return &bare
		}
	}
	return d
}

// Load prints the diagnostics of a load and reports whether it went well.
func (v *View) Load(files map[string]*hcl.File, diags hcl.Diagnostics) bool {
	v.Diagnostics(files, diags)
	if !diags.HasErrors() {
		return true
	}
	if n := countErrors(diags); n > 1 {
		v.Err.printf("%d errors in the configuration.\n", n)
	}
	return false
}

func countErrors(diags hcl.Diagnostics) int {
	n := 0
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			n++
		}
	}
	return n
}

// jsonDiagnostics are diagnostics as JSON has them, secrets masked.
func (v *View) jsonDiagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) []tfjson.Diagnostic {
	shown := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		shown[i] = withoutSecrets(d)
	}
	return tfjson.Diagnostics(v.maskSources(files, diags), shown)
}
