package providers

import (
	"regexp"
	"strings"
)

// varying is what differs between failures of one cause: quoted texts, and words
// with a digit or a slash in them, such as ports, paths, identifiers and times. The
// vendor's codes are looked for first, for they tell causes apart.
var varying = regexp.MustCompile(`\b(?:HTTP|RetCode|status) -?[0-9]+|"(?:[^"\\]|\\.)*"|[^\s(),;"]*[0-9/][^\s(),;"]*`)

// Cause is by what failures are counted as one: the kind, and what of the text
// does not differ from one item to the next. It is for comparing, not for showing.
func Cause(err error) string {
	return KindOf(err).String() + ": " + varying.ReplaceAllStringFunc(err.Error(), func(word string) string {
		if strings.HasPrefix(word, "HTTP ") || strings.HasPrefix(word, "RetCode ") || strings.HasPrefix(word, "status ") {
			return word
		}
		return "*"
	})
}
