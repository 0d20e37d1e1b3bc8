package cli

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// fail prints an error and returns the exit code for it.
func (p *program) fail(err error) int {
	p.err.printf("%s %s\n", p.err.paint(red, "Error:"), err)
	return exitError
}

// warn prints a warning that concerns no place in the configuration.
func (p *program) warn(summary, detail string) {
	p.err.printf("%s %s\n", p.err.paint(yellow, "Warning:"), summary)
	if detail != "" {
		p.err.printf("\n%s\n\n", wrap(detail, p.err.width, "  "))
	}
}

// note prints a line beside the data.
func (p *program) note(format string, args ...any) { p.err.printf(format+"\n", args...) }

// diagnostics prints what is wrong with the configuration, each with its source
// line, secrets masked.
func (p *program) diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) {
	if len(diags) == 0 {
		return
	}
	p.err.println("")
	masked := p.maskSources(files, diags)
	w := hcl.NewDiagnosticTextWriter(p.err, masked, uint(p.err.width), p.err.color)
	for _, d := range diags {
		_ = w.WriteDiagnostic(withoutSecrets(d))
	}
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
		v, diags := traversal.TraverseAbs(d.EvalContext)
		if diags.HasErrors() {
			continue
		}
		if v.ContainsMarked() || tooLong(v) {
			bare := *d
			bare.Expression, bare.EvalContext = nil, nil
			return &bare
		}
	}
	return d
}

// reportLoad prints the diagnostics of a load and reports whether it went well.
func (p *program) reportLoad(files map[string]*hcl.File, diags hcl.Diagnostics) bool {
	p.diagnostics(files, diags)
	if !diags.HasErrors() {
		return true
	}
	if n := countErrors(diags); n > 1 {
		p.err.println(fmt.Sprintf("%d errors in the configuration.", n))
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
