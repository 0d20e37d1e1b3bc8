package cli

import "github.com/hashicorp/hcl/v2"

// validation is validate -json.
type validation struct {
	FormatVersion string           `json:"format_version"`
	Valid         bool             `json:"valid"`
	ErrorCount    int              `json:"error_count"`
	WarningCount  int              `json:"warning_count"`
	Diagnostics   []jsonDiagnostic `json:"diagnostics"`
}

func (p *program) showValidation(files map[string]*hcl.File, diags hcl.Diagnostics, asJSON bool) {
	failed := countErrors(diags)
	if asJSON {
		p.indentedJSON(validation{
			FormatVersion: "1.0",
			Valid:         failed == 0,
			ErrorCount:    failed,
			WarningCount:  len(diags) - failed,
			Diagnostics:   p.jsonDiagnostics(files, diags),
		})
		return
	}
	p.reportLoad(files, diags)
	switch {
	case failed > 0:
	case len(diags) > 0:
		p.out.printf("%s The configuration is valid, but there were warnings.\n", p.out.paint(green, "Success!"))
	default:
		p.out.printf("%s The configuration is valid.\n", p.out.paint(green, "Success!"))
	}
}
