package hclspec

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Err is the mistakes as one error, for a log, an answer or a metric's note: the
// first in words, with its place where it has one, and how many more there are.
// It is nil where there are none.
func Err(diags hcl.Diagnostics) error {
	var first *hcl.Diagnostic
	more := 0
	for _, d := range diags {
		switch {
		case d.Severity != hcl.DiagError:
		case first == nil:
			first = d
		default:
			more++
		}
	}
	if first == nil {
		return nil
	}
	text := first.Summary
	if first.Subject != nil {
		text = fmt.Sprintf("%s line %d: %s", first.Subject.Filename, first.Subject.Start.Line, text)
	}
	if first.Detail != "" {
		text += ": " + first.Detail
	}
	switch more {
	case 0:
	case 1:
		text += " (and one more mistake)"
	default:
		text += fmt.Sprintf(" (and %d more mistakes)", more)
	}
	return errors.New(text)
}
