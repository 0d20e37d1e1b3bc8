package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// encodeJSON is a value as JSON on one line, without escapes for HTML.
func encodeJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // cannot be: the views encode plain types and valid raw JSON
		return []byte(strconv.Quote(fmt.Sprint(err)) + "\n")
	}
	return b.Bytes()
}

// lineJSON prints a value as one line of JSON.
func (p *program) lineJSON(v any) { _, _ = p.out.Write(encodeJSON(v)) }

// indentedJSON prints a value as JSON for people too.
func (p *program) indentedJSON(v any) {
	var b bytes.Buffer
	if err := json.Indent(&b, encodeJSON(v), "", "  "); err != nil {
		_, _ = p.out.Write(encodeJSON(v))
		return
	}
	_, _ = p.out.Write(b.Bytes())
}

// rawJSON is JSON that is there already.
func rawJSON(b []byte) json.RawMessage { return json.RawMessage(b) }

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
