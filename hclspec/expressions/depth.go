package expressions

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Bounds on the shape of a text. The parsers and evaluators recurse, and a
// text deep enough would exhaust the stack, which nothing can recover from.
const (
	maxNesting   = 256   // brackets, braces and templates within each other
	maxOperators = 10000 // operators, calls and steps of one expression
	maxJSONText  = 64 << 10
)

func tooDeep(at hcl.Range) hcl.Diagnostics {
	return hcl.Diagnostics{mistake("Expression too deep", fmt.Sprintf("Brackets and templates are nested more than %d deep here. Break the expression up with locals.", maxNesting), at.Ptr())}
}

// CheckText judges a text in HCL's own syntax before it is parsed.
func CheckText(filename string, src []byte) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	return checkTokens(tokens)
}

// CheckTemplate judges the text of a template.
func CheckTemplate(filename string, src []byte) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexTemplate(src, filename, hcl.InitialPos)
	return checkTokens(tokens)
}

func checkTokens(tokens hclsyntax.Tokens) hcl.Diagnostics {
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
			operators++
			if depth > maxNesting {
				return tooDeep(t.Range)
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenEqual, hclsyntax.TokenComma:
			operators = 0
		case hclsyntax.TokenNewline:
			if depth <= 1 {
				operators = 0
			}
		case hclsyntax.TokenNumberLit:
			if err := checkNumber(string(t.Bytes)); err != nil {
				return hcl.Diagnostics{mistake("Number out of range", sentence(err), t.Range.Ptr())}
			}
		case hclsyntax.TokenIdent, hclsyntax.TokenStringLit, hclsyntax.TokenQuotedLit, hclsyntax.TokenComment:
		default:
			operators++
		}
		if operators > maxOperators {
			return hcl.Diagnostics{mistake("Expression too long", fmt.Sprintf("This expression has more than %d operators. Break it up with locals.", maxOperators), t.Range.Ptr())}
		}
	}
	return nil
}

// CheckJSON judges a JSON text before it is parsed: how deep it is, and
// how long its templates are.
func CheckJSON(filename string, src []byte) hcl.Diagnostics {
	at := func(offset int) hcl.Range {
		line := 1 + bytes.Count(src[:offset], []byte("\n"))
		pos := hcl.Pos{Line: line, Column: 1, Byte: offset}
		return hcl.Range{Filename: filename, Start: pos, End: pos}
	}
	depth := 0
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			start := i
			for i+1 < len(src) && bytes.IndexByte([]byte("0123456789+-.eE"), src[i+1]) >= 0 {
				i++
			}
			if err := checkNumber(string(src[start : i+1])); err != nil {
				return hcl.Diagnostics{mistake("Number out of range", sentence(err), ptr(at(start)))}
			}
		case '{', '[':
			if depth++; depth > maxNesting {
				return tooDeep(at(i))
			}
		case '}', ']':
			depth--
		case '"':
			start := i
			for i++; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			text := src[start:min(i, len(src))]
			if len(text) > maxJSONText && (bytes.Contains(text, []byte("${")) || bytes.Contains(text, []byte("%{"))) {
				return hcl.Diagnostics{mistake("Expression too long", fmt.Sprintf("A template in JSON may have at most %d bytes.", maxJSONText), ptr(at(start)))}
			}
		}
	}
	return nil
}

// mistake is an error diagnostic.
func mistake(summary, detail string, subject *hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: subject}
}

func ptr(r hcl.Range) *hcl.Range { return &r }

// sentence is an error as a sentence of its own.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
