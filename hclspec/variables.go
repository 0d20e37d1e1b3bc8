package hclspec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/hclspec/functions"
)

// markSensitive is the mark of values that must never leave the program.
const markSensitive = functions.Sensitive

// variable is a variable block and, once gathered, its value.
type variable struct {
	name        string
	description string
	untyped     bool     // it has no type argument
	typ         cty.Type // as optional() attributes leave it
	defaults    *typeexpr.Defaults
	def         cty.Value // cty.NilVal: there is none
	sensitive   bool
	nullable    bool
	validations []rule
	declared    hcl.Range
	refs        *references // of the validations

	value cty.Value
}

var variableSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "sensitive"}, {Name: "nullable"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

func (m *Module) decodeVariable(block *hcl.Block) hcl.Diagnostics {
	name := block.Labels[0]
	diags := checkName("variable", name, block.LabelRanges[0])
	if slices.Contains(reservedNames, name) {
		diags = append(diags, mistake("Invalid variable name", fmt.Sprintf("No variable can be named %q: module blocks keep this word for an argument of their own. Choose another name.", name), block.LabelRanges[0].Ptr()))
	}
	content, contentDiags := contentOf(block.Body, variableSchema, variableWords()...)
	diags = append(diags, contentDiags...)
	if other, ok := m.variables[name]; ok {
		return append(diags, duplicate("Duplicate variable declaration",
			"A variable named \""+name+"\" stands already at %s. Give one of the two another name.", block.DefRange, other.declared))
	}
	v := &variable{name: name, untyped: content.Attributes["type"] == nil, typ: cty.DynamicPseudoType, nullable: true, declared: block.DefRange, refs: newReferences()}
	m.variables[name] = v
	if attr := content.Attributes["type"]; attr != nil {
		typ, defaults, typeDiags := typeOf(attr.Expr)
		diags = append(diags, typeDiags...)
		if !typeDiags.HasErrors() {
			v.typ, v.defaults = typ, defaults
		}
	}
	diags = append(diags, constant(content.Attributes["description"], &v.description)...)
	diags = append(diags, constant(content.Attributes["sensitive"], &v.sensitive)...)
	diags = append(diags, constant(content.Attributes["nullable"], &v.nullable)...)
	if attr := content.Attributes["default"]; attr != nil {
		value, valueDiags := attr.Expr.Value(nil)
		diags = append(diags, valueDiags...)
		if !valueDiags.HasErrors() {
			value, err := v.convert(value)
			switch {
			case err != nil:
				diags = append(diags, mistake("Invalid default value for variable",
					fmt.Sprintf("The default does not have the type of the variable: %s.", err), attr.Expr.Range().Ptr()))
			case value.IsNull() && !v.nullable:
				diags = append(diags, mistake("Invalid default value for variable",
					"The default is null, and nullable = false allows no null. Give another default, or leave it out so that a value must be given.", attr.Expr.Range().Ptr()))
			default:
				v.def = value
			}
		}
		if v.def == cty.NilVal { // a mistaken default is told once, not again as a missing value
			v.def = cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
		}
	}
	for _, b := range content.Blocks {
		r, ruleDiags := decodeRule(b)
		diags = append(diags, ruleDiags...)
		if r.condition == nil || r.message == nil {
			continue
		}
		v.validations = append(v.validations, r)
		if !referencesOf(r.condition).variables[name] {
			diags = append(diags, mistake("Invalid variable validation condition",
				fmt.Sprintf("This condition says nothing of the variable: judge var.%s in it.", name), r.condition.Range().Ptr()))
		}
	}
	return diags
}

// reservedNames are no variable's: a module block will have arguments of these
// names.
var reservedNames = []string{"count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version"}

// typeOf reads a type constraint. The words list and map without an element type
// are Terraform's old way to write list(any) and map(any).
func typeOf(expr hcl.Expression) (cty.Type, *typeexpr.Defaults, hcl.Diagnostics) {
	switch hcl.ExprAsKeyword(expr) {
	case "list":
		return cty.List(cty.DynamicPseudoType), nil, nil
	case "map":
		return cty.Map(cty.DynamicPseudoType), nil, nil
	}
	return typeexpr.TypeConstraintWithDefaults(expr)
}

// convert brings a value to the variable's type, with the defaults of optional
// attributes.
func (v *variable) convert(value cty.Value) (cty.Value, error) {
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	return expressions.Convert(value, v.typ)
}

// unsuitable is why a value does not become the variable's type. Of a collection
// the reason names keys, which are not told of a sensitive one.
func (v *variable) unsuitable(err error) error {
	if v.sensitive && !v.typ.IsPrimitiveType() {
		return fmt.Errorf("%s required; what differs is not shown, for it is sensitive", v.typ.FriendlyNameForConstraint())
	}
	return err
}

// checkVariables judges the values by the validation blocks.
func (c *Root) checkVariables() hcl.Diagnostics {
	var diags hcl.Diagnostics
	s := c.staticScope()
	for _, name := range sortedKeys(c.module.variables) {
		v := c.module.variables[name]
		if len(v.validations) == 0 {
			continue
		}
		ctx, ctxDiags := s.context(v.refs)
		diags = append(diags, ctxDiags...)
		for _, r := range v.validations {
			outcome := judgeRule(r, ctx)
			diags = append(diags, outcome.diags...)
			if outcome.known && !outcome.holds && !outcome.diags.HasErrors() {
				diags = append(diags, mistake("Invalid value for variable",
					fmt.Sprintf("%s\n\nThe validation block at %s says so.", outcome.message, r.declared), v.declared.Ptr()))
			}
		}
	}
	return diags
}
