package hclspec

import (
	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Mistakes are all mistakes of a configuration in one run: those that were
// found, by Load or by a pass, and those that evaluating everything with
// nothing seen finds. What is mistaken is unknown to whatever refers to it, so
// that each mistake is told once, where it is.
func (c *Root) Mistakes(ctx context.Context, found hcl.Diagnostics) hcl.Diagnostics {
	_, more := c.Settings()
	_, accounts := c.DeclaredAccounts()
	more = append(more, accounts...)
	evaluation := c.NewEvaluation(nil)
	waves, _ := evaluation.All(ctx, nil)
	_, outputs := evaluation.Outputs(ctx)
	_, checks := evaluation.Checks(ctx)
	more = append(append(append(more, waves...), outputs...), checks...)
	told := found
	for _, d := range c.clean(c.broken.without(more)) {
		if !follows(d, told) {
			found = append(found, d)
		}
	}
	return found
}

// follows reports whether a mistake is one that was told: at the same place, or
// of a part of what was told to be mistaken.
func follows(d *hcl.Diagnostic, told hcl.Diagnostics) bool {
	for _, t := range told {
		if t.Severity != hcl.DiagError {
			continue
		}
		if t.Subject == nil || d.Subject == nil {
			if t.Summary == d.Summary && t.Detail == d.Detail {
				return true
			}
			continue
		}
		if t.Subject.Filename == d.Subject.Filename && t.Subject.Start.Byte <= d.Subject.Start.Byte && d.Subject.End.Byte <= t.Subject.End.Byte {
			return true
		}
	}
	return false
}

// broken are the files that could not be parsed, and up to which byte each can
// be judged: the beginning of the block with the first syntax error. What comes
// after it, and whether a name is declared at all, cannot be told.
type broken map[string]int

func brokenBy(diags hcl.Diagnostics, files map[string]*hcl.File) broken {
	b := broken{}
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		if d.Subject == nil {
			b[""] = 0 // a file that could not be read
			continue
		}
		at := d.Subject.Start.Byte
		if before, ok := b[d.Subject.Filename]; ok {
			at = min(at, before)
		}
		b[d.Subject.Filename] = solid(files[d.Subject.Filename], at)
	}
	return b
}

// solid is where the block ends that stands before the one around a place.
func solid(file *hcl.File, at int) int {
	if file == nil {
		return 0
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return 0
	}
	start := 0
	for _, block := range body.Blocks {
		if block.TypeRange.Start.Byte <= at {
			start = max(start, block.TypeRange.Start.Byte)
		}
	}
	return start
}

// without leaves out what cannot be told of a configuration with broken files.
func (b broken) without(diags hcl.Diagnostics) hcl.Diagnostics {
	if len(b) == 0 {
		return diags
	}
	var kept hcl.Diagnostics
	for _, d := range diags {
		if _, absent := d.Extra.(notDeclared); absent {
			continue
		}
		if d.Subject != nil {
			if end, isBroken := b[d.Subject.Filename]; isBroken && d.Subject.End.Byte > end {
				continue
			}
		}
		kept = append(kept, d)
	}
	return kept
}
