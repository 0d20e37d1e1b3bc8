// Package suggest finds what somebody meant who mistyped a name. It is pure.
package suggest

import (
	"fmt"

	"github.com/agext/levenshtein"
	"github.com/zclconf/go-cty/cty"
)

// Nearest is the name that is nearest to a word, "" when none is near: more than
// three letters off, or more than half of the word. A name that is the word itself
// is no help and is never suggested, nor is one that merely writes an accent as a
// character of its own.
func Nearest(word string, names []string) string {
	word = cty.NormalizeString(word)
	best, distance := "", min(3, max(1, len(word)/2))+1
	for _, name := range names {
		if d := levenshtein.Distance(word, cty.NormalizeString(name), nil); d > 0 && d < distance {
			best, distance = name, d
		}
	}
	return best
}

// DidYouMean is the question for Nearest, "" when no name is near.
func DidYouMean(word string, names []string) string {
	best := Nearest(word, names)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("Did you mean %q?", best)
}
