package view

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// Words for values that are not shown.
const (
	unknownText   Text = "(known after the first read)"
	sensitiveText Text = "(sensitive value)"
)

// attribute is one named value to print.
type attribute struct {
	name  string
	value cty.Value
}

// attributesOf decodes JSON objects into attributes in the order of their
// names; of several objects' same name the later counts. Nulls are left out.
func attributesOf(objects ...[]byte) []attribute {
	values := make(map[string]cty.Value)
	for _, b := range objects {
		if len(b) == 0 {
			continue
		}
		v, err := value.Decode(b, cty.DynamicPseudoType)
		if err != nil || v.IsNull() || !v.Type().IsObjectType() {
			continue
		}
		for name, e := range v.AsValueMap() {
			values[name] = e
		}
	}
	list := make([]attribute, 0, len(values))
	for name, v := range values {
		if !v.IsNull() {
			list = append(list, attribute{name, v})
		}
	}
	slices.SortFunc(list, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	return list
}

// nameWidth is the width that aligns the equals signs of attributes.
func nameWidth(list []attribute) int {
	width := 0
	for _, a := range list {
		width = max(width, columnsOf(Escape(a.name)))
	}
	return width
}

// valueText writes a value as it would stand in configuration, further lines
// behind indent.
func valueText(v cty.Value, indent Text) Text {
	switch {
	case v.IsMarked():
		return sensitiveText
	case !v.IsKnown():
		return unknownText
	case v.IsNull():
		return "null"
	}
	ty := v.Type()
	switch {
	case ty == cty.String:
		return textLiteral(v.AsString())
	case ty == cty.Number:
		return Text(value.FormatNumber(v.AsBigFloat()))
	case ty == cty.Bool:
		if v.True() {
			return "true"
		}
		return "false"
	case ty.IsObjectType() || ty.IsMapType():
		return objectText(v, indent)
	case ty.IsListType() || ty.IsSetType() || ty.IsTupleType():
		if v.LengthInt() == 0 {
			return "[]"
		}
		var b strings.Builder
		b.WriteString("[\n")
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			b.WriteString(string(indent + "    " + valueText(e, indent+"    ") + ",\n"))
		}
		return Text(b.String()) + indent + "]"
	}
	return Text("(" + ty.FriendlyName() + ")")
}

func objectText(v cty.Value, indent Text) Text {
	var list []attribute
	for name, e := range v.AsValueMap() {
		if e.IsKnown() && e.IsNull() {
			continue
		}
		if v.Type().IsMapType() || !hclsyntax.ValidIdentifier(name) {
			name = string(textLiteral(name))
		}
		list = append(list, attribute{name, e})
	}
	if len(list) == 0 {
		return "{}"
	}
	slices.SortFunc(list, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	width := nameWidth(list)
	var b strings.Builder
	b.WriteString("{\n")
	for _, a := range list {
		b.WriteString(string(indent + "    " + pad(Escape(a.name), width) + " = " + valueText(a.value, indent+"    ") + "\n"))
	}
	return Text(b.String()) + indent + "}"
}

// textLiteral is a text in quotes as HCL writes it, on one line. An address's
// key is written by the same rules.
func textLiteral(s string) Text {
	quoted := plan.StringKey(s).String()
	return Escape(quoted[1 : len(quoted)-1])
}

// jsonText is a JSON value as valueText writes it.
func jsonText(b []byte, indent Text) Text {
	if len(b) == 0 {
		return "null"
	}
	v, err := value.Decode(b, cty.DynamicPseudoType)
	if err != nil {
		return Escape(string(b))
	}
	return valueText(v, indent)
}

// shortText is valueText of a value that is short enough, else what it is.
func shortText(v cty.Value, indent Text, lines int) Text {
	text := valueText(v, indent)
	if strings.Count(string(text), "\n") < lines {
		return text
	}
	ty := v.Type()
	switch {
	case ty.IsObjectType():
		return sprintf("(%s with %s attributes)", ty.FriendlyName(), count(len(ty.AttributeTypes())))
	case ty.IsCollectionType() || ty.IsTupleType():
		return sprintf("(%s with %s elements)", ty.FriendlyName(), count(v.LengthInt()))
	}
	return text
}
