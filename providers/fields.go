package providers

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// Fields reads an object of a vendor field by field, tolerant of the forms that
// vendors mix, and keeps what nobody asked for. The rules are the same for all
// vendors and fields:
//
//	null, "", white space, []    nothing is told (a Text may be "")
//	5 and "5", " 5 ", [5]        the same: a list of one stands for its entry
//	requestId, request_id, RequestID    the same name, where the exact one is missing
//	another form, a list of two, a field told twice with different values
//	                             not taken, in no part: kept whole under extra, and a misfit
type Fields struct {
	prefix   string
	left     map[string]any
	repeated Repeated
	shared   *leftovers
}

// leftovers are what an object and those inside it leave over, by its path.
type leftovers struct {
	extra  map[string]any
	misfit map[string]string // why a field was not taken
}

func (l *leftovers) keep(at string, v any) {
	if l.extra == nil {
		l.extra = make(map[string]any)
	}
	l.extra[at] = v
}

func (l *leftovers) refuse(at, why string, v any) {
	l.keep(at, v)
	if l.misfit == nil {
		l.misfit = make(map[string]string)
	}
	l.misfit[at] = why
}

// The reasons why a field that is there is not taken.
const (
	oddForm   = "in an unexpected form"
	toldTwice = "twice with different values"
)

// NewFields begins reading an object; it takes the object over.
func NewFields(object map[string]any, repeated Repeated) *Fields {
	return &Fields{left: object, repeated: repeated, shared: &leftovers{}}
}

// within begins reading an object inside f, such as "sms[0].": what is left of
// it joins what is left of f, under that path.
func (f *Fields) within(path string, object map[string]any) *Fields {
	return &Fields{prefix: path + ".", left: object, repeated: f.repeated, shared: f.shared}
}

// find is the name under which a field stands there.
func (f *Fields) find(name string) (there string, ok bool) {
	if _, ok = f.left[name]; ok {
		return name, true
	}
	for other := range f.left {
		if sameName(name, other) && (!ok || other < there) {
			there, ok = other, true
		}
	}
	return there, ok
}

// sameName reports whether names differ in case, underscores and hyphens at most.
func sameName(a, b string) bool {
	for {
		a, b = strings.TrimLeft(a, "_-"), strings.TrimLeft(b, "_-")
		if a == "" || b == "" {
			return a == b
		}
		if a[0] != b[0] && (a[0]|0x20 != b[0]|0x20 || a[0]|0x20 < 'a' || a[0]|0x20 > 'z') {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

// take hands over a field, and the name under which it stands there; nil when it
// says nothing.
func (f *Fields) take(name string) (v any, there string) {
	there, ok := f.find(name)
	if !ok {
		return nil, name
	}
	v = f.left[there]
	delete(f.left, there)
	if len(f.repeated) > 0 {
		if values, twice := f.repeated[f.prefix+there]; twice {
			f.shared.refuse(f.prefix+there, toldTwice, values)
			return nil, there
		}
	}
	return v, there
}

// keep puts back what did not have the form that was asked for.
func (f *Fields) keep(name string, v any) { f.shared.refuse(f.prefix+name, oddForm, v) }

// Keep puts a field back that has its form and cannot be what it says, such as a
// negative count.
func (f *Fields) Keep(name string, v any) {
	if v != nil {
		f.keep(name, v)
	}
}

// Take hands over a field as it was decoded; nil when it is null or missing.
func (f *Fields) Take(name string) any {
	v, _ := f.take(name)
	return v
}

// Has reports whether a field is there, and not read yet.
func (f *Fields) Has(name string) bool {
	_, ok := f.find(name)
	return ok
}

// plain is a field that is to be no object and no list, as it stands there (raw)
// and with a list of one as its entry.
func (f *Fields) plain(name string) (v, raw any, there string) {
	raw, there = f.take(name)
	v = raw
	if list, ok := raw.([]any); ok && len(list) <= 1 {
		if v = nil; len(list) == 1 {
			v = list[0]
		}
	}
	return v, raw, there
}

// Text is a field that is a string, or a number taken as text. Of several
// spellings the first that says something counts.
func (f *Fields) Text(names ...string) (text string, ok bool) {
	for _, name := range names {
		v, raw, there := f.plain(name)
		t, is := textOf(v)
		switch {
		case v == nil:
		case !is:
			f.keep(there, raw)
		case !ok, strings.TrimSpace(text) == "":
			text, ok = t, true
		case t != text:
			f.shared.keep(f.prefix+there, raw) // two spellings that disagree: neither is lost
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

// told is a field that says something, white space around it taken off, and as
// it stands there.
func (f *Fields) told(name string) (v, raw any, there string) {
	v, raw, there = f.plain(name)
	if s, ok := v.(string); ok {
		trimmed := strings.TrimSpace(s)
		if trimmed == "" {
			return nil, nil, there
		}
		if len(trimmed) < len(s) {
			v = trimmed
		}
	}
	return v, raw, there
}

// Word is a field that is a text, a number or a bool, as text.
func (f *Fields) Word(name string) (string, bool) {
	return one(f, name, func(v any) (string, bool) {
		if b, ok := v.(bool); ok {
			return strconv.FormatBool(b), true
		}
		return textOf(v)
	})
}

// Number is a field that is a number, or a number in a string.
func (f *Fields) Number(name string) (json.Number, bool) {
	return one(f, name, NumberOf)
}

// Int is a field that is a whole number in either form.
func (f *Fields) Int(name string) (int64, bool) {
	return one(f, name, IntOf)
}

// Bool is a field that is a bool, in the forms of BoolOf.
func (f *Fields) Bool(name string) (set, ok bool) {
	return one(f, name, BoolOf)
}

// one reads a field of one form.
func one[T any](f *Fields, name string, read func(any) (T, bool)) (x T, ok bool) {
	v, raw, there := f.told(name)
	if v == nil {
		return x, false
	}
	if x, ok = read(v); !ok {
		f.keep(there, raw)
	}
	return x, ok
}

// Time is a field that is a time as text in RFC 3339: with its own zone, else in
// the zone given (nil: a time without a zone is none). A Unix time is in UTC, or
// the zone given.
func (f *Fields) Time(name string, zone *time.Location) (text string, ok bool) {
	v, raw, there := f.told(name)
	if v == nil || isZero(v) {
		return "", false
	}
	if s, is := v.(string); is {
		if _, err := time.Parse(time.RFC3339, s); err == nil {
			return s, true // as the vendor wrote it
		}
	}
	t, ok := timeOf(v, zone)
	if !ok {
		f.keep(there, raw)
		return "", false
	}
	return t.Format(time.RFC3339Nano), true
}

// Instant is a field that is a time in the forms of Time, zero when there is none.
func (f *Fields) Instant(name string, zone *time.Location) (t time.Time) {
	v, raw, there := f.told(name)
	if v == nil || isZero(v) {
		return time.Time{}
	}
	t, ok := timeOf(v, zone)
	if !ok {
		f.keep(there, raw)
	}
	return t
}

// isZero says that a time is told as 0, which is how vendors write none.
func isZero(v any) bool {
	n, ok := IntOf(v)
	return ok && n == 0
}

// Layouts of times, with and without a zone. Fractions of a second are read too.
var (
	zoned   = [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 Z0700", time.RFC1123, time.RFC1123Z}
	unzoned = [...]string{time.DateTime, "2006-01-02T15:04:05"}
)

// Unix times are told in seconds, or in a smaller unit from 2001 on, until 2199:
// so none can be taken for another, nor a date in digits (20250222143120) for one.
const (
	startOfTime = 1_000_000_000
	endOfTime   = 7_258_118_400
)

func timeOf(v any, zone *time.Location) (time.Time, bool) {
	if n, ok := IntOf(v); ok {
		for _, unit := range [...]time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond} {
			perSecond := int64(time.Second / unit)
			if unit < time.Second && n/perSecond < startOfTime || n <= 0 || n/perSecond >= endOfTime {
				continue
			}
			t := time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC()
			if zone != nil {
				t = t.In(zone)
			}
			return t, true
		}
		return time.Time{}, false
	}
	s, _ := v.(string)
	for _, layout := range zoned {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if zone != nil {
		for _, layout := range unzoned {
			if t, err := time.ParseInLocation(layout, s, zone); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

// Object is a field that is an object, nil when there is none.
func (f *Fields) Object(name string) *Fields {
	v, raw, there := f.told(name)
	if v == nil {
		return nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		f.keep(there, raw)
		return nil
	}
	at := f.prefix + there
	in := f.within(at, object)
	if _, list := raw.([]any); list {
		in.repeated = f.repeated.moved(at+"[0].", at+".")
	}
	return in
}

// Apart is Object for one that is read for itself: what is left of it is its
// own, under paths that begin in it.
func (f *Fields) Apart(name string) *Fields {
	in := f.Object(name)
	if in == nil {
		return nil
	}
	return NewFields(in.left, in.repeated.moved(in.prefix, ""))
}

// Objects is a field that is a list of objects, or one object, which stands for
// a list of one. An entry that is none is kept as it is.
func (f *Fields) Objects(name string) []*Fields {
	v, name := f.take(name)
	at := f.prefix + name
	switch v := v.(type) {
	case nil:
	case map[string]any:
		// The path of an entry, so that one name means one thing.
		return []*Fields{{prefix: at + "[0].", left: v, repeated: f.repeated.moved(at+".", at+"[0]."), shared: f.shared}}
	case []any:
		objects := make([]*Fields, 0, len(v))
		for i, e := range v {
			path := fmt.Sprintf("%s[%d]", at, i)
			if object, ok := e.(map[string]any); ok {
				objects = append(objects, f.within(path, object))
			} else if e != nil {
				f.shared.refuse(path, oddForm, e)
			}
		}
		return objects
	case string:
		if strings.TrimSpace(v) != "" { // some vendors write "" for nothing
			f.keep(name, v)
		}
	default:
		f.keep(name, v)
	}
	return nil
}

// moved is r with the paths under from as paths under to.
func (r Repeated) moved(from, to string) Repeated {
	if len(r) == 0 {
		return nil
	}
	moved := make(Repeated)
	for path, values := range r {
		if rest, ok := strings.CutPrefix(path, from); ok {
			moved[to+rest] = values
		}
	}
	return moved
}

// Empty reports whether nothing is left to be read.
func (f *Fields) Empty() bool { return len(f.left) == 0 }

// Misfit says why the first of these fields that is there was not taken ("code
// twice with different values"), "" when none of them is there.
func (f *Fields) Misfit(names ...string) string {
	for _, name := range names {
		for _, at := range slices.Sorted(maps.Keys(f.shared.misfit)) {
			if sameName(f.prefix+name, at) {
				return name + " " + f.shared.misfit[at]
			}
		}
	}
	return ""
}

// Repeated reports whether a field was not taken because it stands there twice.
func (f *Fields) Repeated(name string) bool {
	return strings.HasSuffix(f.Misfit(name), toldTwice)
}

// Done ends the reading of this object: what is left is unknown, and kept.
func (f *Fields) Done() {
	for name, v := range f.left {
		at := f.prefix + name
		if values, twice := f.repeated[at]; twice {
			v = values
		}
		f.shared.keep(at, v)
	}
	f.left = nil
}

// Unknown is what was kept, nil when there is nothing; call Done before.
func (f *Fields) Unknown() map[string]any {
	if len(f.shared.extra) == 0 {
		return nil
	}
	return tame(f.shared.extra, 0).(map[string]any)
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
			return string(canonical(v))
		}
		tamed := make(map[string]any, len(v))
		for name, e := range v {
			tamed[name] = tame(e, depth+1)
		}
		return tamed
	case []any:
		if depth >= maxDepth {
			return string(canonical(v))
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
