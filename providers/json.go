package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/value"
)

// Repeated are the fields that one object holds more than once with different
// values, by their paths ("cost.price", "sms[0].status"), with these values. What
// such a field says is not certain, for readers disagree about which one counts.
type Repeated map[string][]any

// Decode reads one JSON value, numbers as json.Number.
func Decode(body []byte) (tree any, repeated Repeated, err error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) // a byte order mark is no content
	tree, err = value.DecodeTree(body)
	if err != nil {
		return nil, nil, err
	}
	// Every member has one colon outside strings, so the members that Go's
	// decoder dropped show in a count, without a second decoding.
	if countColons(body) != countMembers(tree) {
		repeated = repeatedFields(body)
	}
	return tree, repeated, nil
}

func countColons(body []byte) int {
	n, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			n++
		}
	}
	return n
}

func countMembers(value any) int {
	n := 0
	switch v := value.(type) {
	case map[string]any:
		n = len(v)
		for _, e := range v {
			n += countMembers(e)
		}
	case []any:
		for _, e := range v {
			n += countMembers(e)
		}
	}
	return n
}

// maxRepeated bounds how many values of one repeated field are told.
const maxRepeated = 8

// repeatedFields walks valid JSON by its tokens and finds what is repeated with
// another value.
func repeatedFields(body []byte) Repeated {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	found := make(Repeated)
	var walk func(path string) any
	walk = func(path string) any {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		switch token {
		case json.Delim('{'):
			object := make(map[string]any)
			for decoder.More() {
				name, _ := decoder.Token()
				key, ok := name.(string)
				if !ok {
					return nil
				}
				at := key
				if path != "" {
					at = path + "." + key
				}
				tree := walk(at)
				if before, twice := object[key]; twice && !reflect.DeepEqual(before, tree) {
					if len(found[at]) == 0 {
						found[at] = []any{before}
					}
					if len(found[at]) < maxRepeated {
						found[at] = append(found[at], tree)
					}
				}
				object[key] = tree
			}
			_, _ = decoder.Token()
			return object
		case json.Delim('['):
			list := []any{}
			for decoder.More() {
				list = append(list, walk(path+"["+strconv.Itoa(len(list))+"]"))
			}
			_, _ = decoder.Token()
			return list
		}
		return token
	}
	walk("")
	return found
}

// canonical writes decoded JSON with its fields in order, without spaces, numbers
// digit for digit as they were.
func canonical(v any) []byte { return value.AppendTree(make([]byte, 0, 512), v) }

// The bounds of a number that is taken as one: beyond any amount or count.
const (
	maxDigits   = 64
	maxExponent = 64
)

// NumberOf takes decoded JSON as a number: a number, or one in a string, of at
// most 64 characters and an exponent of at most 64.
func NumberOf(v any) (json.Number, bool) {
	text, ok := textOf(v)
	if !ok || text == "" || len(text) > maxDigits || !json.Valid([]byte(text)) {
		return "", false
	}
	if c := text[0]; c != '-' && (c < '0' || c > '9') {
		return "", false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(text[i+1:])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return "", false
		}
	}
	return json.Number(strings.TrimSpace(text)), true
}

// DecimalOf takes decoded JSON as an exact decimal.
func DecimalOf(v any) (*apd.Decimal, error) {
	n, ok := NumberOf(v)
	if !ok {
		return nil, errors.New("not a decimal number")
	}
	d, _, err := apd.NewFromString(string(n))
	if err != nil || d.Form != apd.Finite {
		return nil, errors.New("not a decimal number")
	}
	return d, nil
}

// IntOf takes decoded JSON as a whole number: 5, "5", 5.0 and 5e0 are the same.
func IntOf(v any) (int64, bool) {
	text, ok := textOf(v)
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	d, err := DecimalOf(v)
	if err != nil {
		return 0, false
	}
	n, err := d.Int64()
	return n, err == nil
}

// BoolOf takes decoded JSON as a bool: true, "true", 1, "1", "yes", and their
// opposites, in letters of either case.
func BoolOf(v any) (set, ok bool) {
	if b, is := v.(bool); is {
		return b, true
	}
	text, _ := textOf(v)
	switch strings.ToLower(text) {
	case "true", "yes":
		return true, true
	case "false", "no":
		return false, true
	}
	n, ok := IntOf(v)
	return n == 1, ok && (n == 0 || n == 1)
}
