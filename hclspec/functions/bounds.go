package functions

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	yaml "go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/hclspec/expressions"
)

// Bounds on what one call makes. A cell of a CSV file or a mistaken argument
// could otherwise take all memory, or compute for hours; each is far beyond
// what a configuration of a million items needs. The numbers' bounds stand
// with those on texts, in package expressions.
const (
	maxText     = expressions.MaxText
	maxElements = 4 << 20 // of a collection that a function makes
	maxNesting  = 1000    // of decoded data; the decoders recurse
	maxWidth    = 10_000  // of a verb in format
	maxCost     = 14      // of bcrypt: about a second
)

// bounds judge the arguments of a call, known and not null, before it is made.
// Functions that make no more than they are given need none.
var bounds = map[string]func(args []cty.Value) error{
	"bcrypt": func(args []cty.Value) error {
		if len(args) > 1 && args[1].AsBigFloat().Cmp(cty.NumberIntVal(maxCost).AsBigFloat()) > 0 && args[1].AsBigFloat().Cmp(cty.NumberIntVal(31).AsBigFloat()) <= 0 {
			return function.NewArgErrorf(1, "a cost over %d takes too long: each step doubles the time", maxCost)
		}
		return nil
	},
	"format":     func(args []cty.Value) error { return boundFormat(args, 1) },
	"formatlist": func(args []cty.Value) error { return boundFormat(args, longest(args)) },
	"join":       boundJoin,
	"replace": func(args []cty.Value) error {
		text, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
		if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
			return nil // replaceFunc counts what the pattern matches
		}
		return textOf(product(strings.Count(text, old), len(with)) + len(text))
	},
	"indent": func(args []cty.Value) error {
		spaces, _ := args[0].AsBigFloat().Int64()
		if spaces < 0 {
			return function.NewArgErrorf(0, "the number of spaces must not be negative")
		}
		// The padding is made once, however many lines there are.
		return textOf(product(strings.Count(args[1].AsString(), "\n")+1, int(min(spaces, math.MaxInt32))) + len(args[1].AsString()))
	},
	"split": func(args []cty.Value) error {
		return elementsOf(strings.Count(args[1].AsString(), args[0].AsString()))
	},
	"regexall": func(args []cty.Value) error {
		text := args[1].AsString()
		if len(text) < maxElements {
			return nil // each match but an empty one takes a byte
		}
		pattern, err := regexp.Compile(args[0].AsString())
		if err != nil {
			return nil // told by the function
		}
		return elementsOf(len(pattern.FindAllStringIndex(text, maxElements+1)))
	},
	"parseint": func(args []cty.Value) error {
		if args[0].Type() == cty.String && len(args[0].AsString()) > maxWidth {
			return function.NewArgErrorf(0, "a number of more than %d digits", maxWidth)
		}
		return nil
	},
	"setproduct": func(args []cty.Value) error {
		n := 1
		for _, arg := range args {
			n = product(n, lengthIn(arg))
		}
		return elementsOf(product(n, len(args)))
	},
	"concat":     boundSum,
	"merge":      boundSum,
	"setunion":   boundSum,
	"flatten":    boundTree,
	"jsonencode": boundTree,
	"yamlencode": boundTree,
	"jsondecode": func(args []cty.Value) error { return boundJSON(args[0].AsString()) },
	"yamldecode": func(args []cty.Value) error { return boundYAML(args[0].AsString()) },
}

func textOf(bytes int) error {
	if bytes < 0 || bytes > maxText {
		return fmt.Errorf("the result would have more than %d MiB, the most that a text may have", maxText>>20)
	}
	return nil
}

func elementsOf(n int) error {
	if n < 0 || n > maxElements {
		return fmt.Errorf("the result would have more than %d elements", maxElements)
	}
	return nil
}

// product is a*b, or more than any bound.
func product(a, b int) int {
	if a != 0 && b > math.MaxInt32/a {
		return math.MaxInt32
	}
	return a * b
}

// lengthIn is how many elements a value has; 1 where it has none.
func lengthIn(v cty.Value) int {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return 1
	}
	return v.LengthInt()
}

func longest(args []cty.Value) int {
	n := 1
	for _, arg := range args {
		n = max(n, lengthIn(arg))
	}
	return n
}

func boundSum(args []cty.Value) error {
	n := 0
	for _, arg := range args {
		n += lengthIn(arg)
	}
	return elementsOf(n)
}

// boundFormat judges a format by its verbs: each writes an argument, or what it
// is padded to. times is how often the format is applied.
func boundFormat(args []cty.Value, times int) error {
	if args[0].Type() != cty.String {
		return nil // each of a list of formats is short, or formatlist tells of it
	}
	format := args[0].AsString()
	width, verbs, numbers := 0, 0, false
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '%':
			verbs, width = verbs+1, 0
		case c >= '0' && c <= '9':
			width = min(width*10+int(c-'0'), math.MaxInt32)
		default:
			width, numbers = 0, numbers || strings.IndexByte("bdeEfFgGoxX", c) >= 0
		}
		if width > maxWidth {
			return function.NewArgErrorf(0, "a width, precision or index over %d", maxWidth)
		}
	}
	most := 0
	for _, arg := range args[1:] {
		size, err := treeSize(arg)
		if err != nil {
			return err
		}
		most = max(most, size)
		if numbers { // a text may be written as a number
			if err := eachText(arg, expressions.CheckNumberText); err != nil {
				return err
			}
		}
	}
	if verbs > 64 || most > maxWidth { // else it is small beyond doubt
		if err := textOf(product(product(verbs, most+1), times) + len(format)); err != nil {
			return err
		}
	}
	return elementsOf(times)
}

// eachText visits a text, or the elements of a list.
func eachText(v cty.Value, visit func(cty.Value) error) error {
	v, _ = v.Unmark()
	if v.Type() == cty.String || v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return visit(v)
	}
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		if err := visit(element); err != nil {
			return err
		}
	}
	return nil
}

func boundJoin(args []cty.Value) error {
	size, n := 0, 0
	for _, list := range args[1:] {
		for it := list.ElementIterator(); it.Next(); {
			_, element := it.Element()
			element, _ = element.Unmark()
			if element.Type() == cty.String && element.IsKnown() && !element.IsNull() {
				size += len(element.AsString())
			}
			n++
		}
	}
	return textOf(size + product(n, len(args[0].AsString())))
}

func boundTree(args []cty.Value) error {
	for _, arg := range args {
		size, err := treeSize(arg)
		if err != nil {
			return err
		}
		if err := textOf(size); err != nil {
			return err
		}
	}
	return nil
}

// treeSize is about how many bytes a value takes when it is written out. A
// value may hold one part many times, so that it is far larger than the memory
// it takes: the walk ends at the bound.
func treeSize(v cty.Value) (int, error) {
	size, nodes := 0, 0
	var walk func(v cty.Value, depth int) error
	walk = func(v cty.Value, depth int) error {
		v, _ = v.Unmark()
		if nodes++; nodes > maxElements || depth > maxNesting {
			return elementsOf(maxElements + 1)
		}
		size += 4
		if v.IsNull() || !v.IsKnown() {
			return nil
		}
		if v.Type() == cty.String {
			size += len(v.AsString())
			return nil
		}
		if !v.CanIterateElements() {
			return nil
		}
		for it := v.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if key.Type() == cty.String {
				size += len(key.AsString())
			}
			if err := walk(element, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	err := walk(v, 0)
	return size, err
}

// boundJSON judges how deep a JSON text is, and its numbers.
func boundJSON(text string) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return tooNested()
			}
		case c == '}' || c == ']':
			depth--
		case c == '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '-' || c >= '0' && c <= '9':
			start := i
			for i+1 < len(text) && strings.IndexByte("0123456789+-.eE", text[i+1]) >= 0 {
				i++
			}
			if err := expressions.CheckNumberText(cty.StringVal(text[start : i+1])); err != nil {
				return function.NewArgError(0, err)
			}
		}
	}
	return nil
}

func tooNested() error { return function.NewArgErrorf(0, "it is nested more than %d deep", maxNesting) }

// boundYAML judges how deep a YAML text is, what its aliases expand to, and its
// numbers. The library that decodes it expands them without end.
func boundYAML(text string) error {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			if depth++; depth > maxNesting {
				return tooNested()
			}
		case '}', ']':
			depth--
		case '\n':
			if i+1 < len(text) && strings.TrimLeft(text[i+1:min(len(text), i+1+2*maxNesting)], " -?\t") == "" && len(text)-i > 2*maxNesting {
				return tooNested()
			}
		}
	}
	if strings.TrimLeft(text[:min(len(text), 2*maxNesting)], " -?\t") == "" && len(text) >= 2*maxNesting {
		return tooNested()
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		if strings.Contains(text, "*") {
			return function.NewArgErrorf(0, "it is not YAML whose aliases can be followed")
		}
		return nil // the decoder says what is wrong
	}
	sizes := map[*yaml.Node]int{}
	var size func(node *yaml.Node, depth int) (int, error)
	size = func(node *yaml.Node, depth int) (int, error) {
		if depth > maxNesting {
			return 0, tooNested()
		}
		if n, ok := sizes[node]; ok {
			if n == 0 {
				return 0, function.NewArgErrorf(0, "an alias stands within what it names")
			}
			return n, nil
		}
		if node.Kind == yaml.ScalarNode {
			if err := expressions.CheckNumberText(cty.StringVal(node.Value)); err != nil && node.Style == 0 {
				return 0, function.NewArgError(0, err)
			}
		}
		sizes[node] = 0
		n := 1
		for _, part := range append(node.Content, node.Alias) {
			if part == nil {
				continue
			}
			more, err := size(part, depth+1)
			if err != nil {
				return 0, err
			}
			if n += more; n > maxElements {
				return 0, function.NewArgErrorf(0, "with its aliases expanded it has more than %d values", maxElements)
			}
		}
		sizes[node] = n
		return n, nil
	}
	_, err := size(&document, 0)
	return err
}
