// Package view is what a person or a program sees: the printers of the command
// line. It alone writes to standard output and standard error.
//
// Text that may hold something from outside (a vendor's key, a cell of a file, an
// error) is a string; what may reach a terminal as it is, is a Text. The printers
// take both and show a string with its control characters escaped, so that
// nothing from outside moves a cursor, forges a line or turns text around.
package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/tfjson"
)

// View prints. Data goes to Out, everything else to Err.
type View struct {
	Out, Err *Stream
	Schemas  []*plan.Schema
	Release  string // the program's version
	Now      func() time.Time
}

// Error prints an error.
func (v *View) Error(err error) {
	v.Err.printf("%s %s\n", v.Err.paint(red, "Error:"), paragraphs(err.Error()))
}

// Warn prints a warning that concerns no place in the configuration.
func (v *View) Warn(summary, detail string) {
	v.Err.printf("%s %s\n", v.Err.paint(yellow, "Warning:"), summary)
	if detail != "" {
		v.Err.printf("\n%s\n\n", wrap(detail, v.Err.width, "  "))
	}
}

// Note prints a line beside the data. Its arguments are escaped, the format is not.
func (v *View) Note(format string, args ...any) { v.Err.printf(format+"\n", args...) }

// Line prints a line of data.
func (v *View) Line(text string) { v.Out.printf("%s\n", text) }

// Exact prints data as it is. On a terminal what could drive it is escaped.
func (v *View) Exact(b []byte) {
	if v.Out.terminal {
		v.Out.printf("%s", lines(string(b)))
		return
	}
	_, _ = v.Out.Write(b)
}

// JSON prints a value as one line of JSON.
func (v *View) JSON(x any) { _, _ = v.Out.Write(escapeJSON(tfjson.Encode(x))) }

// TypeOf is the resource type of that name, nil when no vendor has it.
func (v *View) TypeOf(name string) *plan.Type {
	for _, s := range v.Schemas {
		for _, t := range s.Types {
			if t.Name == name {
				return t
			}
		}
	}
	return nil
}

// ProviderOf is the vendor that a resource type belongs to, "" when unknown.
func (v *View) ProviderOf(typ string) string {
	for _, s := range v.Schemas {
		for _, t := range s.Types {
			if t.Name == typ {
				return s.Provider
			}
		}
	}
	return ""
}

// plural is a count with its noun: 1 item, 2,000 items.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// count is a number for people: 12,345.
func count(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// indentedJSON prints a value as JSON for people too.
func (v *View) indentedJSON(x any) {
	var b bytes.Buffer
	line := escapeJSON(tfjson.Encode(x))
	if err := json.Indent(&b, line, "", "  "); err != nil {
		b.Reset()
		b.Write(line)
	}
	_, _ = v.Out.Write(b.Bytes())
}

// timeText is a time of ours as JSON has it: RFC 3339 in UTC.
func timeText(t time.Time) string { return plan.FormatTime(t) }

// idText is an identifier as JSON has it: a string, nil where there is none.
func idText(id int64) *string {
	if id == 0 {
		return nil
	}
	s := strconv.FormatInt(id, 10)
	return &s
}

func orNull(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	return b
}
