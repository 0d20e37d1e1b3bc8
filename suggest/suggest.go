// Package suggest finds what somebody meant who mistyped a name.
package suggest

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// Nearest is the name that is nearest to a word, "" when none is near: more than
// three letters off, or more than half of the word. A name that is the word itself
// is no help and is never suggested.
func Nearest(word string, names []string) string {
	best, distance := "", min(3, max(1, len(word)/2))+1
	for _, name := range names {
		if d := levenshtein.Distance(word, name, nil); d > 0 && d < distance {
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
