package providers

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/plan"
)

// Reading is one record in the making: one report of a pulled page, or one
// pushed body. Its fields are read through Fields. What tells the record and its
// outcome must be there in a form that can be read, else the record is
// quarantined, with the first reason that was found; a detail that cannot be
// read is left out, kept under the attribute extra, and costs nothing else.
type Reading struct {
	*Fields
	// Record is what was read so far. Outcome, Parts, Amount and the like are the
	// vendor's to set; Done takes them back where the record is quarantined.
	Record plan.Record

	noun  string // "report"
	attrs map[string]any
}

// ReadRecord begins reading a record of that type from its JSON text; the noun
// names it in reasons. ok is false when the text holds no object: then the record
// says so, and there is nothing to read.
func ReadRecord(typ, noun string, text []byte) (r *Reading, ok bool) {
	r = &Reading{noun: noun, attrs: make(map[string]any, 8), Record: plan.Record{Type: typ, Outcome: plan.Unknown}}
	tree, repeated, err := Decode(text)
	if list, isList := tree.([]any); isList {
		if len(list) == 1 {
			tree, repeated = list[0], repeated.moved("[0].", "")
		} else if len(list) > 1 {
			r.Quarantine(fmt.Sprintf("the %s is a list of %d, and not one JSON object", noun, len(list)))
		}
	}
	object, ok := tree.(map[string]any)
	if err != nil || !ok {
		r.Quarantine("the " + noun + " " + NotJSON(text))
		r.Record.Digest, r.Record.Attributes = Digest(text), []byte("{}")
		return r, false
	}
	if len(repeated) > 0 {
		r.Record.Digest = Digest(text) // one of the values is not in the object
	} else {
		r.Record.Digest = Digest(canonical(object))
	}
	r.Fields = NewFields(object, repeated)
	return r, true
}

// Delivery names fields that tell how the record was delivered, such as the
// number of the attempt: they are kept under extra, and make no other content.
func (r *Reading) Delivery(fields ...string) {
	for _, name := range fields {
		if v, there := r.left[name]; there {
			delete(r.left, name)
			r.shared.keep(name, v)
		}
	}
	if len(r.repeated) == 0 {
		r.Record.Digest = Digest(canonical(r.left))
	}
}

// Set notes an attribute of the record.
func (r *Reading) Set(attribute string, v any) { r.attrs[attribute] = v }

// Note reads a text and notes it as an attribute, when it is there.
func (r *Reading) Note(attribute string, fields ...string) (text string, ok bool) {
	text, ok = r.Text(fields...)
	if ok {
		r.attrs[attribute] = text
	}
	return text, ok
}

// Must is Note for a text without which there is no record.
func (r *Reading) Must(attribute string, fields ...string) string {
	text, _ := r.Note(attribute, fields...)
	if strings.TrimSpace(text) == "" {
		r.Lacks(fields...)
		return ""
	}
	return text
}

// Lacks quarantines the record for a field that is missing, or not readable.
func (r *Reading) Lacks(fields ...string) {
	if misfit := r.Misfit(fields...); misfit != "" {
		r.Quarantine("the " + r.noun + " holds " + misfit)
		return
	}
	r.Quarantine("the " + r.noun + " has no " + fields[0])
}

// Quarantine says why the record cannot be understood. The first reason stands.
func (r *Reading) Quarantine(reason string) {
	if r.Record.Quarantined == "" {
		r.Record.Quarantined = reason
	}
}

// Done ends the reading.
func (r *Reading) Done() plan.Record {
	r.Fields.Done()
	if unknown := r.Unknown(); unknown != nil {
		r.attrs["extra"] = unknown
	}
	r.Record.Attributes = canonical(r.attrs)
	if r.Record.Quarantined != "" {
		r.Record.Outcome, r.Record.Parts, r.Record.Amount, r.Record.Currency = plan.Unknown, 0, nil, ""
	}
	return r.Record
}

// Digest tells contents apart.
func Digest(content []byte) (d [16]byte) {
	sum := sha256.Sum256(content)
	copy(d[:], sum[:])
	return d
}

// JoinKey makes one key of two parts, "first/second", which no two other parts
// have: a slash in the first part is written %2F, and what reads so already, %252F.
func JoinKey(first, second string) string {
	if strings.ContainsAny(first, "/%") {
		first = keyEscaper.Replace(first)
	}
	return first + "/" + second
}

var keyEscaper = strings.NewReplacer("/", "%2F", "%2F", "%252F", "%25", "%2525")

// Currency is a currency as sums are kept by it: in capitals, without space.
func Currency(text string) string { return strings.ToUpper(strings.TrimSpace(text)) }
