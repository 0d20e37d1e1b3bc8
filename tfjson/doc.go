// Package tfjson writes what Waybill knows in the JSON shapes that Terraform
// publishes: the state representation, the diagnostics of validate -json, and
// the machine-readable UI of plan -json and apply -json. Tools made for those
// read ours unchanged.
//
// It is pure: plan's nouns and HCL's diagnostics come in, values for
// encoding/json go out. Secrets are the caller's care: source texts come in
// masked, and of a sensitive output no value comes in at all.
package tfjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Encode is a value as JSON on one line, with a line end, without escapes for HTML.
func Encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // cannot be: what is encoded are plain types and valid raw JSON
		return []byte(strconv.Quote(fmt.Sprint(err)) + "\n")
	}
	return b.Bytes()
}

// encoded is Encode without the line end.
func encoded(v any) []byte {
	b := Encode(v)
	return b[:len(b)-1]
}
