package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Field is one attribute's difference. Path is such as status or
// sms[0].settle_pay; Before and After are canonical JSON, null where there is
// nothing.
type Field struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

// Fields are the differences between two canonical JSON objects (empty ones may
// be nil), in the order of paths. Where a list keeps its length and an object
// its kind they are compared inside; a list of another length is one difference.
// Attributes in quiet move without being differences.
func Fields(before, after json.RawMessage, quiet map[string]bool) ([]Field, error) {
	if string(before) == string(after) {
		return nil, nil
	}
	if fields, ok := quickFields(before, after, quiet); ok {
		return fields, nil
	}
	b, err := decodeObject(before)
	if err != nil {
		return nil, fmt.Errorf("values before: %w", err)
	}
	a, err := decodeObject(after)
	if err != nil {
		return nil, fmt.Errorf("values after: %w", err)
	}
	var fields []Field
	for _, name := range keysOf(b, a) {
		if !quiet[name] {
			fields = appendFields(fields, name, b[name], a[name])
		}
	}
	return fields, nil
}

func appendFields(fields []Field, path string, before, after any) []Field {
	switch b := before.(type) {
	case map[string]any:
		if a, ok := after.(map[string]any); ok {
			for _, name := range keysOf(b, a) {
				fields = appendFields(fields, joinPath(path, name), b[name], a[name])
			}
			return fields
		}
	case []any:
		if a, ok := after.([]any); ok && len(a) == len(b) {
			for i := range b {
				fields = appendFields(fields, path+"["+strconv.Itoa(i)+"]", b[i], a[i])
			}
			return fields
		}
	}
	was, is := encodeTree(before), encodeTree(after)
	if string(was) == string(is) {
		return fields
	}
	return append(fields, Field{Path: path, Before: was, After: is})
}

// joinPath writes an attribute or a key as HCL would: .name, or ["266"] where it
// is no identifier.
func joinPath(path, name string) string {
	if hclsyntax.ValidIdentifier(name) {
		return path + "." + name
	}
	return path + "[" + string(AppendString(nil, name)) + "]"
}

func keysOf(a, b map[string]any) []string {
	all := make(map[string]bool, len(a)+len(b))
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func decodeObject(b json.RawMessage) (map[string]any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	x, err := DecodeTree(b)
	if err != nil {
		return nil, err
	}
	m, ok := x.(map[string]any)
	if !ok && x != nil {
		return nil, fmt.Errorf("want an object, have %s", kindOfJSON(x))
	}
	return m, nil
}

// encodeTree writes decoded JSON in the canonical form of Encode.
func encodeTree(x any) json.RawMessage { return AppendTree(nil, x) }

// AppendTree appends decoded JSON in the canonical form of Encode: as DecodeTree
// gives it, or with an int64 in the place of a number. It does by hand what
// encoding/json does by reflection, for every callback passes through it twice.
func AppendTree(b []byte, x any) []byte {
	switch x := x.(type) {
	case string:
		return AppendString(b, x)
	case bool:
		return strconv.AppendBool(b, x)
	case json.Number:
		return append(b, x...)
	case int64:
		return strconv.AppendInt(b, x, 10)
	case map[string]any:
		names := make([]string, 0, len(x))
		for name := range x {
			names = append(names, name)
		}
		slices.Sort(names)
		b = append(b, '{')
		for i, name := range names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendString(b, name), ':')
			b = AppendTree(b, x[name])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, e := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendTree(b, e)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// Merge is the canonical JSON object of both objects' attributes, b's where both
// have one.
func Merge(a, b json.RawMessage) (json.RawMessage, error) {
	if merged, ok := quickMerge(a, b); ok {
		return merged, nil
	}
	merged, err := decodeObject(a)
	if err != nil {
		return nil, err
	}
	over, err := decodeObject(b)
	if err != nil {
		return nil, err
	}
	if merged == nil {
		merged = map[string]any{}
	}
	maps.Copy(merged, over)
	return encodeTree(merged), nil
}

// Apply carries out differences on a canonical JSON object: the history
// folded from its beginning is the state. A null leaves an attribute out.
func Apply(values json.RawMessage, fields []Field) (json.RawMessage, error) {
	tree, err := decodeObject(values)
	if err != nil {
		return nil, err
	}
	if tree == nil {
		tree = map[string]any{}
	}
	for _, f := range fields {
		steps, err := parsePath(f.Path)
		if err != nil {
			return nil, fmt.Errorf("path %s: %w", f.Path, err)
		}
		after, err := DecodeTree(f.After)
		if err != nil {
			return nil, fmt.Errorf("value of %s: %w", f.Path, err)
		}
		if err := setPath(tree, steps, after); err != nil {
			return nil, fmt.Errorf("path %s: %w", f.Path, err)
		}
	}
	return encodeTree(tree), nil
}

func setPath(at any, steps []any, value any) error {
	last := len(steps) == 1
	switch step := steps[0].(type) {
	case string:
		m, ok := at.(map[string]any)
		if !ok {
			return fmt.Errorf("no object that has %q", step)
		}
		if last {
			if value == nil {
				delete(m, step)
			} else {
				m[step] = value
			}
			return nil
		}
		return setPath(m[step], steps[1:], value)
	case int:
		list, ok := at.([]any)
		if !ok || step >= len(list) {
			return fmt.Errorf("no element %d", step)
		}
		if last {
			list[step] = value
			return nil
		}
		return setPath(list[step], steps[1:], value)
	}
	return errors.New("empty path")
}

// parsePath takes apart what joinPath put together: strings and ints.
func parsePath(path string) ([]any, error) {
	var steps []any
	rest := path
	for rest != "" {
		switch rest[0] {
		case '[':
			if strings.HasPrefix(rest, `["`) {
				decoder := json.NewDecoder(strings.NewReader(rest[1:]))
				var key string
				if err := decoder.Decode(&key); err != nil {
					return nil, err
				}
				rest = rest[1+decoder.InputOffset():]
				steps = append(steps, key)
			} else {
				digits, _, _ := strings.Cut(rest[1:], "]")
				n, err := strconv.Atoi(digits)
				if err != nil || n < 0 {
					return nil, errors.New("bad index")
				}
				rest = rest[1+len(digits):]
				steps = append(steps, n)
			}
			if !strings.HasPrefix(rest, "]") {
				return nil, errors.New("bracket not closed")
			}
			rest = rest[1:]
		default:
			if len(steps) > 0 {
				if rest[0] != '.' {
					return nil, errors.New("dot missing")
				}
				rest = rest[1:]
			}
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, errors.New("name missing")
			}
			steps = append(steps, rest[:end])
			rest = rest[end:]
		}
	}
	if len(steps) == 0 {
		return nil, errors.New("empty path")
	}
	return steps, nil
}
