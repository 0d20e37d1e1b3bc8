package tfjson

import (
	"bufio"
	"bytes"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// Diagnostic is one diagnostic of validate -json and of the machine-readable UI.
type Diagnostic struct {
	Severity string   `json:"severity"`
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail"`
	Address  string   `json:"address,omitempty"`
	Range    *Range   `json:"range,omitempty"`
	Snippet  *Snippet `json:"snippet,omitempty"`
}

// Range is a place in a file.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Pos is a place in a file: line and column from 1, byte from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Snippet is the source lines of a diagnostic; the offsets are bytes in Code.
type Snippet struct {
	Context              *string     `json:"context"`
	Code                 string      `json:"code"`
	StartLine            int         `json:"start_line"`
	HighlightStartOffset int         `json:"highlight_start_offset"`
	HighlightEndOffset   int         `json:"highlight_end_offset"`
	Values               []Statement `json:"values"`
}

// Statement says what a reference in the source lines stood for.
type Statement struct {
	Traversal string `json:"traversal"`
	Statement string `json:"statement"`
}

// Diagnostics are diagnostics with the source lines that they speak of. A source
// that may hold a secret must come in masked.
func Diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		j := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if d.Subject != nil {
			subject := *d.Subject
			if subject.Empty() { // something must be highlighted
				subject.End.Byte++
				subject.End.Column++
			}
			j.Range = &Range{
				Filename: subject.Filename,
				Start:    Pos{subject.Start.Line, subject.Start.Column, subject.Start.Byte},
				End:      Pos{subject.End.Line, subject.End.Column, subject.End.Byte},
			}
			if f := files[subject.Filename]; f != nil {
				j.Snippet = snippetOf(f, d, subject)
			}
		}
		out = append(out, j)
	}
	return out
}

// snippetOf cuts the lines of a diagnostic out of its file.
func snippetOf(f *hcl.File, d *hcl.Diagnostic, subject hcl.Range) *Snippet {
	whole := subject
	if d.Context != nil && d.Context.Filename == subject.Filename {
		whole = hcl.RangeOver(subject, *d.Context)
	}
	s := &Snippet{Values: statementsOf(d)}
	if nav, ok := f.Nav.(interface{ ContextString(offset int) string }); ok {
		if text := nav.ContextString(subject.Start.Byte); text != "" {
			s.Context = &text
		}
	}
	var code bytes.Buffer
	start := -1
	lines := hcl.NewRangeScanner(f.Bytes, subject.Filename, bufio.ScanLines)
	for lines.Scan() {
		r := lines.Range()
		if !r.Overlaps(whole) && !(r.Empty() && r.Start.Line == subject.Start.Line) {
			continue
		}
		if start < 0 {
			start, s.StartLine = r.Start.Byte, r.Start.Line
		} else {
			code.WriteByte('\n')
		}
		code.Write(lines.Bytes())
	}
	if start < 0 {
		return nil
	}
	s.Code = code.String()
	clamp := func(n int) int { return min(max(n, 0), len(s.Code)) }
	s.HighlightStartOffset = clamp(subject.Start.Byte - start)
	s.HighlightEndOffset = clamp(subject.End.Byte - start)
	return s
}

// statementsOf tells what the variables of a diagnostic's expression were.
func statementsOf(d *hcl.Diagnostic) []Statement {
	statements := []Statement{}
	if d.Expression == nil || d.EvalContext == nil {
		return statements
	}
	seen := make(map[string]bool)
	for _, traversal := range d.Expression.Variables() {
		v, diags := traversal.TraverseAbs(d.EvalContext)
		name := traversalText(traversal)
		if diags.HasErrors() || seen[name] {
			continue
		}
		seen[name] = true
		statements = append(statements, Statement{name, describe(v)})
	}
	sort.Slice(statements, func(i, j int) bool { return statements[i].Traversal < statements[j].Traversal })
	return statements
}

// describe says what a value is, a sensitive one by no more than that.
func describe(v cty.Value) string {
	ty := v.Type()
	switch {
	case v.ContainsMarked():
		return "has a sensitive value"
	case !v.IsKnown():
		return "is known after the first read"
	case v.IsNull():
		return "is null"
	case ty.IsPrimitiveType():
		text, err := value.Encode(v)
		if err != nil {
			return "is a " + ty.FriendlyName()
		}
		return "is " + string(text)
	}
	return "is " + article(ty.FriendlyName())
}

func article(name string) string {
	if strings.ContainsRune("aeiou", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// traversalText writes a reference as the user did: each.value.ref, var.a["b"].
func traversalText(traversal hcl.Traversal) string {
	var b strings.Builder
	for _, step := range traversal {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			text, err := value.Encode(step.Key)
			if err != nil {
				text = []byte("...")
			}
			b.WriteString("[" + string(text) + "]")
		}
	}
	return b.String()
}

// Validation is the document of validate -json.
type Validation struct {
	FormatVersion string       `json:"format_version"`
	Valid         bool         `json:"valid"`
	ErrorCount    int          `json:"error_count"`
	WarningCount  int          `json:"warning_count"`
	Diagnostics   []Diagnostic `json:"diagnostics"`
}

// Validate is the document of validate -json for what a load came to.
func Validate(diagnostics []Diagnostic) Validation {
	v := Validation{FormatVersion: "1.0", Diagnostics: diagnostics}
	for _, d := range diagnostics {
		if d.Severity == "error" {
			v.ErrorCount++
		} else {
			v.WarningCount++
		}
	}
	v.Valid = v.ErrorCount == 0
	return v
}
