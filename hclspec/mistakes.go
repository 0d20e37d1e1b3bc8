package hclspec

import (
	"context"

	"github.com/hashicorp/hcl/v2"
)

// Mistakes are all mistakes of a configuration: those that Load found, and those
// that evaluating the rest finds with nothing seen. A mistake that follows from
// one already told, at the same place, is left out; after a syntax error nothing
// is evaluated, for half a file says little.
func (c *Root) Mistakes(ctx context.Context, found hcl.Diagnostics) hcl.Diagnostics {
	if c.unparsed {
		return found
	}
	_, more := c.Settings()
	_, accounts := c.Accounts()
	more = append(more, accounts...)
	evaluation := c.NewEvaluation(nil)
	waves, _ := evaluation.All(ctx, nil)
	more = append(more, waves...)
	if !found.HasErrors() && !more.HasErrors() {
		_, outputs := evaluation.Outputs(ctx)
		_, checks := evaluation.Checks(ctx)
		more = append(append(more, outputs...), checks...)
	}
	told := found
	for _, d := range more {
		if !follows(d, told) {
			found = append(found, d)
		}
	}
	return found
}

// follows reports whether a mistake is that of one already told: the same words,
// or the same line.
func follows(d *hcl.Diagnostic, told hcl.Diagnostics) bool {
	for _, t := range told {
		if t.Severity != hcl.DiagError {
			continue
		}
		if t.Summary == d.Summary && t.Detail == d.Detail {
			return true
		}
		if t.Subject == nil || d.Subject == nil || t.Subject.Filename != d.Subject.Filename {
			continue
		}
		if t.Subject.Start.Line <= d.Subject.End.Line && d.Subject.Start.Line <= t.Subject.End.Line {
			return true
		}
	}
	return false
}
