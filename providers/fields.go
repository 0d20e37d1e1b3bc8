package providers

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// Fields reads an object of a vendor field by field, tolerant of the forms that
// vendors mix (5 and "5"), and keeps what nobody asked for.
type Fields struct {
	prefix string
	left   map[string]any
	extra  map[string]any
	misfit []string
}

// NewFields begins reading an object; it takes the object over.
func NewFields(object map[string]any) *Fields {
	return &Fields{left: object, extra: make(map[string]any)}
}

// Within begins reading an object inside f, such as "sms[0].": what is left of
// it joins what is left of f, under that path.
func (f *Fields) Within(prefix string, object map[string]any) *Fields {
	return &Fields{prefix: f.prefix + prefix, left: object, extra: f.extra}
}

// Take hands over a field as it was decoded; nil when it is null or missing.
func (f *Fields) Take(name string) any {
	v := f.left[name]
	delete(f.left, name)
	return v
}

// keep puts back what did not have the form that was asked for.
func (f *Fields) keep(name string, v any) {
	f.extra[f.prefix+name] = v
	f.misfit = append(f.misfit, f.prefix+name)
}

// Text is a field that is a string, or a number taken as text. Of several
// spellings the first that is there counts.
func (f *Fields) Text(names ...string) (text string, ok bool) {
	for _, name := range names {
		v := f.Take(name)
		t, is := textOf(v)
		switch {
		case v == nil:
		case !is:
			f.keep(name, v)
		case !ok:
			text, ok = t, true
		case t != text:
			f.extra[f.prefix+name] = v // two spellings that disagree: neither is lost
		}
	}
	return text, ok
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return string(v), true
	}
	return "", false
}

// Number is a field that is a number, or a number in a string.
func (f *Fields) Number(name string) (json.Number, bool) {
	v := f.Take(name)
	if v == nil {
		return "", false
	}
	n, ok := NumberOf(v)
	if !ok {
		f.keep(name, v)
	}
	return n, ok
}

// Int is a field that is a whole number in either form.
func (f *Fields) Int(name string) (int64, bool) {
	v := f.Take(name)
	if v == nil {
		return 0, false
	}
	n, ok := IntOf(v)
	if !ok {
		f.keep(name, v)
	}
	return n, ok
}

// Time is a field that is a time with its zone, in RFC 3339, or a time of the
// layout given in that zone (nil: none). An empty string is no time.
func (f *Fields) Time(name, layout string, zone *time.Location) (text string, ok bool) {
	v := f.Take(name)
	if v == nil || v == "" {
		return "", false
	}
	s, _ := v.(string)
	if _, err := time.Parse(time.RFC3339, s); err == nil {
		return s, true
	}
	if zone != nil {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.Format(time.RFC3339), true
		}
	}
	f.keep(name, v)
	return "", false
}

// Objects is a field that is a list of objects, or one object, which stands
// for a list of one. What does not fit is kept as it is.
func (f *Fields) Objects(name string) []map[string]any {
	switch v := f.Take(name).(type) {
	case nil:
	case map[string]any:
		return []map[string]any{v}
	case []any:
		objects := make([]map[string]any, 0, len(v))
		for i, e := range v {
			if object, ok := e.(map[string]any); ok {
				objects = append(objects, object)
			} else if e != nil {
				f.keep(fmt.Sprintf("%s[%d]", name, i), e)
			}
		}
		return objects
	case string:
		if v != "" { // some vendors write "" for nothing
			f.keep(name, v)
		}
	default:
		f.keep(name, v)
	}
	return nil
}

// Misfits names the fields that did not have the form that was asked for.
func (f *Fields) Misfits() []string { return f.misfit }

// Done ends the reading of this object: what is left is unknown, and kept.
func (f *Fields) Done() {
	for name, v := range f.left {
		f.extra[f.prefix+name] = v
	}
	f.left = nil
}

// Unknown is what was kept, nil when there is nothing; call Done before.
func (f *Fields) Unknown() map[string]any {
	if len(f.extra) == 0 {
		return nil
	}
	return tame(f.extra, 0).(map[string]any)
}

// Extra is Unknown as a value: an object, or null when there is nothing.
func (f *Fields) Extra() cty.Value {
	unknown := f.Unknown()
	if unknown == nil {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	v, err := value.FromTree(unknown, cty.DynamicPseudoType)
	if err != nil { // cannot be: tame leaves nothing that a value cannot hold
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return v
}

// maxDepth is how deep unknown fields are kept as values; what is deeper is
// kept as JSON text.
const maxDepth = 32

// tame writes what a value cannot hold (numbers beyond all bounds, deep nests)
// as text, so that nothing unknown is lost and nothing odd breaks a record.
func tame(v any, depth int) any {
	switch v := v.(type) {
	case json.Number:
		if _, ok := NumberOf(v); !ok {
			return string(v)
		}
	case map[string]any:
		if depth >= maxDepth {
			return string(CanonicalJSON(v))
		}
		tamed := make(map[string]any, len(v))
		for name, e := range v {
			tamed[name] = tame(e, depth+1)
		}
		return tamed
	case []any:
		if depth >= maxDepth {
			return string(CanonicalJSON(v))
		}
		tamed := make([]any, len(v))
		for i, e := range v {
			tamed[i] = tame(e, depth+1)
		}
		return tamed
	}
	return v
}

// StringValue is a string that may not be there, as Text and Time return it.
func StringValue(text string, ok bool) cty.Value {
	if !ok {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(text)
}

// NumberValue is a number that may not be there, as Number returns it, exact.
func NumberValue(n json.Number, ok bool) cty.Value {
	if !ok {
		return cty.NullVal(cty.Number)
	}
	v, err := cty.ParseNumberVal(string(n))
	if err != nil {
		return cty.NullVal(cty.Number)
	}
	return v
}
