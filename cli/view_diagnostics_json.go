package cli

import (
	"bufio"
	"bytes"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// The types below are the diagnostics of Terraform's validate -json and of its
// machine-readable UI.
type jsonDiagnostic struct {
	Severity string       `json:"severity"`
	Summary  string       `json:"summary"`
	Detail   string       `json:"detail"`
	Address  string       `json:"address,omitempty"`
	Range    *jsonRange   `json:"range,omitempty"`
	Snippet  *jsonSnippet `json:"snippet,omitempty"`
}

type jsonRange struct {
	Filename string  `json:"filename"`
	Start    jsonPos `json:"start"`
	End      jsonPos `json:"end"`
}

type jsonPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

type jsonSnippet struct {
	Context              *string         `json:"context"`
	Code                 string          `json:"code"`
	StartLine            int             `json:"start_line"`
	HighlightStartOffset int             `json:"highlight_start_offset"`
	HighlightEndOffset   int             `json:"highlight_end_offset"`
	Values               []jsonStatement `json:"values"`
}

type jsonStatement struct {
	Traversal string `json:"traversal"`
	Statement string `json:"statement"`
}

// jsonDiagnostics are the diagnostics as JSON has them, secrets masked.
func (p *program) jsonDiagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) []jsonDiagnostic {
	masked := p.maskSources(files, diags)
	out := make([]jsonDiagnostic, 0, len(diags))
	for _, d := range diags {
		d = withoutSecrets(d)
		j := jsonDiagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if d.Subject != nil {
			subject := *d.Subject
			if subject.Empty() { // something must be highlighted
				subject.End.Byte++
				subject.End.Column++
			}
			j.Range = &jsonRange{
				Filename: subject.Filename,
				Start:    jsonPos{subject.Start.Line, subject.Start.Column, subject.Start.Byte},
				End:      jsonPos{subject.End.Line, subject.End.Column, subject.End.Byte},
			}
			if f := masked[subject.Filename]; f != nil {
				j.Snippet = snippetOf(f, d, subject)
			}
		}
		out = append(out, j)
	}
	return out
}

// snippetOf cuts the lines of a diagnostic out of its file.
func snippetOf(f *hcl.File, d *hcl.Diagnostic, subject hcl.Range) *jsonSnippet {
	whole := subject
	if d.Context != nil && d.Context.Filename == subject.Filename {
		whole = hcl.RangeOver(subject, *d.Context)
	}
	s := &jsonSnippet{Values: statementsOf(d)}
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
func statementsOf(d *hcl.Diagnostic) []jsonStatement {
	statements := []jsonStatement{}
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
		statements = append(statements, jsonStatement{name, describe(v)})
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
