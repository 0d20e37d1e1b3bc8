package hclspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/waybill-dev/waybill/plan"
)

// rootBlocks are the blocks of a configuration file.
var rootBlocks = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "waybill"},
	{Type: "agent"},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
	{Type: "provider", LabelNames: []string{"name"}},
	{Type: "resource", LabelNames: []string{"type", "name"}},
	{Type: "output", LabelNames: []string{"name"}},
	{Type: "check", LabelNames: []string{"name"}},
	{Type: "notify", LabelNames: []string{"type", "name"}},
	{Type: "moved"},
	{Type: "removed"},
}}

// local is one named value of a locals block.
type local struct {
	name  string
	attr  *hcl.Attribute
	refs  *references
	cycle bool // a member of a cycle: never evaluated
	// dynamic says that it refers to resources, through other locals too: its
	// value changes as they are read.
	dynamic bool
	once    onceValue // of one that is not dynamic
}

// output is an output block.
type output struct {
	name        string
	description string
	sensitive   bool
	value       *hcl.Attribute
	declared    hcl.Range
	refs        *references
}

// rule is a condition with the message that tells when it does not hold: of a
// variable's validation and a check's assertion.
type rule struct {
	condition, message hcl.Expression
	declared           hcl.Range
}

// check is a check block.
type check struct {
	name     string
	asserts  []rule
	declared hcl.Range
	refs     *references
}

type move struct {
	plan.Move
	fromRange, toRange hcl.Range
}

type removal struct {
	address  plan.Address
	declared hcl.Range
}

// decodeFile takes the blocks of one file in. Blocks whose headers are
// mistaken are left out, the others are kept.
func (c *Root) decodeFile(file *hcl.File) hcl.Diagnostics {
	content, diags := contentOf(file.Body, rootBlocks, rootWords()...)
	for _, block := range content.Blocks {
		switch block.Type {
		case "waybill":
			diags = append(diags, c.decodeWaybill(block)...)
		case "agent":
			diags = append(diags, c.decodeAgent(block)...)
		case "provider":
			diags = append(diags, c.decodeProvider(block)...)
		case "notify":
			diags = append(diags, notInThisVersion("notify blocks", block.DefRange))
		default:
			diags = append(diags, c.module.decode(block)...)
		}
	}
	return diags
}

// decode takes in a block of those that a module may have.
func (m *Module) decode(block *hcl.Block) hcl.Diagnostics {
	switch block.Type {
	case "variable":
		return m.decodeVariable(block)
	case "locals":
		return m.decodeLocals(block)
	case "resource":
		return m.decodeResource(block)
	case "output":
		return m.decodeOutput(block)
	case "check":
		return m.decodeCheck(block)
	case "moved":
		return m.decodeMoved(block)
	case "removed":
		return m.decodeRemoved(block)
	}
	return nil
}

func notInThisVersion(what string, at hcl.Range) *hcl.Diagnostic {
	return mistake("Not in this version", fmt.Sprintf("This version of Waybill has no %s. Take it out of the configuration.", what), at.Ptr())
}

// nameRule is said of every name that is none.
const nameRule = "It begins with a letter or an underscore; letters, digits, underscores and dashes may follow."

// checkName judges the name of a block.
func checkName(kind, name string, at hcl.Range) hcl.Diagnostics {
	if hclsyntax.ValidIdentifier(name) {
		return nil
	}
	return hcl.Diagnostics{mistake("Invalid "+kind+" name",
		fmt.Sprintf("%q cannot be a name. "+nameRule, name), at.Ptr())}
}

func duplicate(summary, detail string, at, first hcl.Range) *hcl.Diagnostic {
	return mistake(summary, fmt.Sprintf(detail, first), at.Ptr())
}

func (m *Module) decodeLocals(block *hcl.Block) hcl.Diagnostics {
	attrs, diags := block.Body.JustAttributes()
	for _, attr := range attributesInOrder(attrs) {
		if d := checkName("local value", attr.Name, attr.NameRange); d != nil {
			diags = append(diags, d...)
			continue
		}
		name := nameOf(attr.Name)
		if other, ok := m.locals[name]; ok {
			diags = append(diags, duplicate("Duplicate local value definition",
				"A local value named \""+attr.Name+"\" stands already at %s. Give one of the two another name.", attr.NameRange, other.attr.NameRange))
			continue
		}
		m.locals[name] = &local{name: name, attr: attr, refs: newReferences()}
	}
	return diags
}

var outputSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "value", Required: true}, {Name: "description"}, {Name: "sensitive"},
}}

func (m *Module) decodeOutput(block *hcl.Block) hcl.Diagnostics {
	name := block.Labels[0]
	diags := checkName("output", name, block.LabelRanges[0])
	content, contentDiags := contentOf(block.Body, outputSchema, outputWords()...)
	diags = append(diags, contentDiags...)
	if other, ok := m.outputs[name]; ok {
		return append(diags, duplicate("Duplicate output definition",
			"An output named \""+name+"\" stands already at %s. Give one of the two another name.", block.DefRange, other.declared))
	}
	o := &output{name: name, declared: block.DefRange, refs: newReferences(), value: content.Attributes["value"]}
	diags = append(diags, constant(content.Attributes["description"], &o.description)...)
	diags = append(diags, constant(content.Attributes["sensitive"], &o.sensitive)...)
	if o.value != nil {
		m.outputs[name] = o
	}
	return diags
}

var (
	ruleSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
		{Name: "condition", Required: true}, {Name: "error_message", Required: true},
	}}
	checkSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "assert"}}}
)

func decodeRule(block *hcl.Block) (rule, hcl.Diagnostics) {
	content, diags := block.Body.Content(ruleSchema)
	r := rule{declared: block.DefRange}
	if a := content.Attributes["condition"]; a != nil {
		r.condition = a.Expr
	}
	if a := content.Attributes["error_message"]; a != nil {
		r.message = a.Expr
	}
	return r, diags
}

func (m *Module) decodeCheck(block *hcl.Block) hcl.Diagnostics {
	name := block.Labels[0]
	diags := checkName("check block", name, block.LabelRanges[0])
	content, contentDiags := contentOf(block.Body, checkSchema, checkWords()...)
	diags = append(diags, contentDiags...)
	if other, ok := m.checks[name]; ok {
		return append(diags, duplicate("Duplicate check block",
			"A check block named \""+name+"\" stands already at %s. Give one of the two another name.", block.DefRange, other.declared))
	}
	k := &check{name: name, declared: block.DefRange, refs: newReferences()}
	for _, b := range content.Blocks {
		r, ruleDiags := decodeRule(b)
		diags = append(diags, ruleDiags...)
		if r.condition != nil && r.message != nil {
			k.asserts = append(k.asserts, r)
		}
	}
	if len(content.Blocks) == 0 {
		diags = append(diags, mistake("Zero assert blocks", "A check block without an assert block judges nothing. Give it an assert block with condition and error_message, or take it out.", block.DefRange.Ptr()))
	}
	m.checks[name] = k
	return diags
}

// attributesInOrder are a body's attributes in the order of the text, so that
// diagnostics come in it.
func attributesInOrder(attrs hcl.Attributes) []*hcl.Attribute {
	list := make([]*hcl.Attribute, 0, len(attrs))
	for _, name := range sortedKeys(attrs) {
		list = append(list, attrs[name])
	}
	sortByPosition(list)
	return list
}
