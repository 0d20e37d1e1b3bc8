package view

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Text may be shown as it is: our own words, or what was escaped already.
type Text string

// hidden reports whether a character could do something to a terminal or to the
// order of the text around it, or cannot be seen: the control characters, C1
// included, those that turn text around, and those without width. The two joiners
// stay, for many scripts need them.
func hidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	const nonJoiner, joiner = 0x200c, 0x200d
	return r != nonJoiner && r != joiner && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Escape shows text from outside on one line: \n, \t and \r for the three, \u009b
// for other hidden characters, \x9b for a byte that is no UTF-8.
func Escape(s string) Text { return escape(s, "") }

// lines is Escape but for the ends of lines and tabs, which stay.
func lines(s string) Text { return escape(s, "\n\t") }

// paragraphs is lines with each line but the first behind an indent, so that none
// can be taken for a line of ours.
func paragraphs(s string) Text {
	return Text(strings.ReplaceAll(strings.ReplaceAll(string(lines(s)), "\n", "\n  "), "\n  \n", "\n\n"))
}

func escape(s, keep string) Text {
	clean := func(r rune) bool { return r != utf8.RuneError && !hidden(r) || strings.ContainsRune(keep, r) }
	if strings.IndexFunc(s, func(r rune) bool { return !clean(r) }) < 0 {
		return Text(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == utf8.RuneError || clean(r):
			b.WriteString(s[i : i+size])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			writeEscaped(&b, r)
		}
		i += size
	}
	return Text(b.String())
}

// writeEscaped writes a character as JSON and HCL do.
func writeEscaped(b *strings.Builder, r rune) {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}

// escapeJSON writes the hidden characters in JSON as escapes, which are the same
// JSON to a program. They stand in strings only, but for the ends of lines.
func escapeJSON(b []byte) []byte {
	text := string(b)
	bad := func(r rune) bool { return r == utf8.RuneError || r >= 0x7f && hidden(r) }
	if strings.IndexFunc(text, bad) < 0 {
		return b
	}
	var out strings.Builder
	for _, r := range text {
		if r != utf8.RuneError && bad(r) {
			writeEscaped(&out, r)
			continue
		}
		out.WriteRune(r) // a byte that is no UTF-8 becomes the replacement character
	}
	return []byte(out.String())
}

// escapeSource overwrites the hidden characters of a source text with visible ones
// of the same length, for its ranges count bytes.
func escapeSource(src []byte) {
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == '\n' || r == '\t' || r == '\r' && i+1 < len(src) && src[i+1] == '\n' || r != utf8.RuneError && !hidden(r) {
			i += size
			continue
		}
		switch size {
		case 1:
			src[i] = '?'
		case 2:
			copy(src[i:], "¿")
		case 3:
			copy(src[i:], "\ufffd")
		default:
			copy(src[i:], "????")
		}
		i += size
	}
}

// safe makes the arguments of a format fit to be shown: what is no Text and would
// be shown as text is escaped.
func safe(args []any) []any {
	shown := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case Text:
			shown[i] = string(a)
		case string:
			shown[i] = string(Escape(a))
		case error:
			shown[i] = string(Escape(a.Error()))
		case fmt.Stringer:
			shown[i] = string(Escape(a.String()))
		case int, int64, float64, bool:
			shown[i] = a
		default: // a named string type, or bytes
			shown[i] = string(Escape(fmt.Sprintf("%s", a)))
		}
	}
	return shown
}

// sprintf formats as printf does.
func sprintf(format string, args ...any) Text { return Text(fmt.Sprintf(format, safe(args)...)) }

// columnsOf is how many columns a terminal gives a text: none to our colours, two
// to a wide character.
func columnsOf(t Text) int {
	n, code := 0, false
	for _, r := range string(t) {
		switch {
		case r == '\x1b':
			code = true
		case code:
			code = r != 'm'
		case isWide(r):
			n += 2
		case !unicode.Is(unicode.Mn, r):
			n++
		}
	}
	return n
}

func isWide(r rune) bool {
	if r < 0x1100 {
		return false
	}
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// pad fills a text up to a width.
func pad(t Text, width int) Text {
	if n := width - columnsOf(t); n > 0 {
		return t + Text(strings.Repeat(" ", n))
	}
	return t
}

// inColumns puts parts side by side, two spaces between them, and goes on behind
// indent on a new line where the next part has no room. No part is ever cut.
func inColumns(width int, indent string, parts ...Text) Text {
	var b strings.Builder
	column := 0
	for i, part := range parts {
		if part == "" {
			continue
		}
		n := columnsOf(part)
		switch {
		case i == 0:
		case column+2+n > width:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteString("  ")
			column += 2
		}
		b.WriteString(string(part))
		column += n
	}
	return Text(endTrimmed(b.String()))
}

// endTrimmed takes the spaces off the end of each line.
func endTrimmed(s string) string {
	all := strings.Split(s, "\n")
	for i := range all {
		all[i] = strings.TrimRight(all[i], " ")
	}
	return strings.Join(all, "\n")
}

// wrap escapes text and breaks it into lines of at most width columns, each behind
// indent. Line breaks of the text stay; where one wide character follows another a
// line may be broken too.
func wrap(text string, width int, indent string) Text {
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		column := 0
		for j, word := range strings.Fields(paragraph) {
			shown := Escape(word)
			n := columnsOf(shown)
			switch {
			case j == 0:
				b.WriteString(indent)
				column = len(indent)
			case column+1+n > width && !(isWide([]rune(word)[0]) && column+3 <= width):
				b.WriteString("\n" + indent)
				column = len(indent)
			default:
				b.WriteByte(' ')
				column++
			}
			for _, r := range string(shown) {
				if isWide(r) && column+2 > width {
					b.WriteString("\n" + indent)
					column = len(indent)
				}
				b.WriteRune(r)
				column += columnsOf(Text(r))
			}
		}
	}
	return Text(b.String())
}

// fitted cuts a text to a width, with dots where it is cut.
func fitted(t Text, width int) Text {
	if columnsOf(t) <= width {
		return t
	}
	n := 0
	for i, r := range string(t) {
		if n += columnsOf(Text(r)); n > width-3 {
			return t[:i] + "..."
		}
	}
	return t
}
