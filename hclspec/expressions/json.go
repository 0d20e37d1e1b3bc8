package expressions

import (
	"fmt"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// PrepareJSON is Prepare for a body in JSON syntax: what is in its texts
// computes as in HCL's own syntax, and is parsed once instead of at each
// evaluation.
func PrepareJSON(body hcl.Body, rules Rules) hcl.Body { return jsonBody{body, rules} }

type jsonBody struct {
	hcl.Body
	rules Rules
}

func (b jsonBody) Content(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	content, diags := b.Body.Content(schema)
	return b.content(content), diags
}

func (b jsonBody) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content, rest, diags := b.Body.PartialContent(schema)
	return b.content(content), jsonBody{rest, b.rules}, diags
}

func (b jsonBody) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	attributes, diags := b.Body.JustAttributes()
	return b.attributes(attributes), diags
}

func (b jsonBody) content(content *hcl.BodyContent) *hcl.BodyContent {
	if content == nil {
		return nil
	}
	content.Attributes = b.attributes(content.Attributes)
	for _, block := range content.Blocks {
		block.Body = jsonBody{block.Body, b.rules}
	}
	return content
}

func (b jsonBody) attributes(attributes hcl.Attributes) hcl.Attributes {
	for _, attribute := range attributes {
		attribute.Expr = &jsonExpression{Expression: attribute.Expr, rules: b.rules}
	}
	return attributes
}

// jsonExpression is a value in JSON syntax, whose texts are templates.
type jsonExpression struct {
	hcl.Expression
	rules Rules

	once     sync.Once
	template hclsyntax.Expression // of a text
	diags    hcl.Diagnostics
	list     []hcl.Expression
	pairs    []hcl.KeyValuePair
	literal  cty.Value
}

// UnwrapExpression lets HCL's static analysis see the JSON.
func (e *jsonExpression) UnwrapExpression() hcl.Expression { return e.Expression }

// parse finds out what kind of value this is. Without a context HCL gives a
// text as it stands.
func (e *jsonExpression) parse() {
	e.literal, e.diags = e.Expression.Value(nil)
	if e.diags.HasErrors() {
		return
	}
	switch ty := e.literal.Type(); {
	case ty == cty.String && !e.literal.IsNull():
		at := e.Range()
		text := []byte(e.literal.AsString())
		if e.diags = CheckTemplate(at.Filename, text); e.diags.HasErrors() {
			return
		}
		// Behind the quotation mark; escapes of JSON before a place make it a
		// little wrong.
		begin := hcl.Pos{Line: at.Start.Line, Column: at.Start.Column + 1, Byte: at.Start.Byte + 1}
		e.template, e.diags = hclsyntax.ParseTemplate(text, at.Filename, begin)
		if !e.diags.HasErrors() {
			e.template = PrepareExpression(e.template, e.rules)
		}
	case ty.IsTupleType():
		list, _ := hcl.ExprList(e.Expression)
		for _, element := range list {
			e.list = append(e.list, e.child(element))
		}
	case ty.IsObjectType():
		pairs, _ := hcl.ExprMap(e.Expression)
		for _, pair := range pairs {
			e.pairs = append(e.pairs, hcl.KeyValuePair{Key: e.child(pair.Key), Value: e.child(pair.Value)})
		}
	}
}

func (e *jsonExpression) child(expr hcl.Expression) hcl.Expression {
	return &jsonExpression{Expression: expr, rules: e.rules}
}

func (e *jsonExpression) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	if ctx == nil { // the caller allows no templates
		return e.Expression.Value(nil)
	}
	e.once.Do(e.parse)
	switch {
	case e.diags.HasErrors():
		return cty.DynamicVal, e.diags
	case e.template != nil:
		return e.template.Value(ctx)
	case e.list != nil:
		var diags hcl.Diagnostics
		values := make([]cty.Value, len(e.list))
		for i, element := range e.list {
			value, more := element.Value(ctx)
			values[i], diags = value, append(diags, more...)
		}
		return cty.TupleVal(values), diags
	case e.pairs != nil:
		return e.object(ctx)
	}
	return e.literal, nil
}

func (e *jsonExpression) object(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	var marks []cty.ValueMarks
	attributes := make(map[string]cty.Value, len(e.pairs))
	known := true
	for _, pair := range e.pairs {
		key, keyDiags := pair.Key.Value(ctx)
		value, valueDiags := pair.Value.Value(ctx)
		diags = append(append(diags, keyDiags...), valueDiags...)
		key, keyMarks := key.Unmark()
		marks = append(marks, keyMarks)
		key, err := convert.Convert(key, cty.String)
		if err != nil || key.IsNull() {
			why := "a null value cannot be a key"
			if err != nil {
				why = err.Error()
			}
			diags = append(diags, mistake("Invalid object key expression", fmt.Sprintf("This cannot be a key of an object: %s.", why), pair.Key.Range().Ptr()))
			continue
		}
		if !key.IsKnown() {
			known = false
			continue
		}
		if _, defined := attributes[key.AsString()]; defined {
			name := fmt.Sprintf("%q", key.AsString())
			if len(keyMarks) > 0 {
				name = "of this name, which is sensitive,"
			}
			diags = append(diags, mistake("Duplicate object attribute", fmt.Sprintf("The object has an attribute %s already.", name), pair.Key.Range().Ptr()))
			continue
		}
		attributes[key.AsString()] = value
	}
	if !known {
		return cty.DynamicVal.WithMarks(marks...), diags
	}
	return cty.ObjectVal(attributes).WithMarks(marks...), diags
}
