package hclspec

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/waybill-dev/waybill/plan"
)

// resource is a resource block.
type resource struct {
	typ      *resourceType
	name     string
	declared hcl.Range
	origin   plan.Origin
	account  string // Account.Name

	forEach, count *hcl.Attribute
	args           map[string]*hcl.Attribute // the type's own
	poll           map[string]*hcl.Attribute
	giveUpAfter    *hcl.Attribute
	suspend        *hcl.Attribute
	preventForget  *hcl.Attribute
	expects        []*expect

	refs       *references // of what makes its instances and arguments
	expectRefs *references
	wave       int
	cycle      bool
}

// block is the resource's address without a key.
func (r *resource) block() string { return r.typ.Name + "." + r.name }

// address is that of one of its instances.
func (r *resource) address(key plan.Key) plan.Address {
	return plan.NewAddress(r.typ.Name, r.name, key)
}

// pollArguments are those of the poll block, give_up_after being stored with
// the arguments of the block around it.
var pollSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "interval"}, {Name: "max_interval"}, {Name: "give_up_after"},
}}

var lifecycleSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "prevent_forget"}}}

// resourceSchema is what a block of a type may hold.
func resourceSchema(t *plan.Type) *hcl.BodySchema {
	schema := &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "for_each"}, {Name: "count"}, {Name: "provider"}, {Name: "suspend"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "lifecycle"}, {Type: "expect", LabelNames: []string{"name"}}},
	}
	if t.Kind != plan.Policy {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: "give_up_after"})
	}
	if t.Kind == plan.Polled {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: "poll"})
	}
	for _, a := range t.Arguments {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.Name, Required: a.Required && !a.FromProvider && a.Env == ""})
	}
	return schema
}

func (l *language) unknownType(name string, at hcl.Range) *hcl.Diagnostic {
	names := sortedKeys(l.types)
	detail := fmt.Sprintf("There is no resource type %q.", name)
	if hint := didYouMean(name, names); hint != "" {
		detail += hint
	} else {
		detail += " The types are " + listWords(names) + "."
	}
	return mistake("Invalid resource type", detail, at.Ptr())
}

func (m *Module) decodeResource(block *hcl.Block) hcl.Diagnostics {
	typeName, name := block.Labels[0], block.Labels[1]
	diags := checkName("resource", name, block.LabelRanges[1])
	t := m.types[typeName]
	if t == nil {
		m.misnamed[typeName+"."+name] = true
		return append(diags, m.unknownType(typeName, block.LabelRanges[0]))
	}
	r := &resource{
		typ: t, name: name, declared: block.DefRange, origin: origin(block.DefRange),
		args: map[string]*hcl.Attribute{}, poll: map[string]*hcl.Attribute{},
		refs: newReferences(), expectRefs: newReferences(),
	}
	content, contentDiags := contentOf(block.Body, resourceSchema(t.Type), resourceWords()...)
	diags = append(diags, contentDiags...)
	r.forEach, r.count = content.Attributes["for_each"], content.Attributes["count"]
	r.suspend, r.giveUpAfter = content.Attributes["suspend"], content.Attributes["give_up_after"]
	if r.forEach != nil && r.count != nil {
		diags = append(diags, mistake(`Invalid combination of "count" and "for_each"`,
			`A resource takes "count" or "for_each", not both: each of them alone says which items there are. Take one of the two out.`, r.forEach.NameRange.Ptr()))
	}
	for _, a := range t.Arguments {
		if attr := content.Attributes[a.Name]; attr != nil {
			r.args[a.Name] = attr
		}
	}
	account, accountDiags := m.providerReference(t.schema, content.Attributes["provider"])
	r.account = account
	diags = append(diags, accountDiags...)
	diags = append(diags, r.decodeNested(content.Blocks)...)

	if other, ok := m.resources[r.block()]; ok {
		return append(diags, duplicate(fmt.Sprintf("Duplicate resource %q configuration", typeName),
			"A "+typeName+" resource named \""+name+"\" stands already at %s. Give one of the two another name.", block.DefRange, other.declared))
	}
	m.resources[r.block()] = r
	return diags
}

// decodeNested takes in poll, lifecycle and expect blocks.
func (r *resource) decodeNested(blocks hcl.Blocks) hcl.Diagnostics {
	var diags hcl.Diagnostics
	first := map[string]hcl.Range{}
	for _, b := range blocks {
		if b.Type != "expect" {
			if at, ok := first[b.Type]; ok {
				diags = append(diags, duplicate("Duplicate "+b.Type+" block", "A "+b.Type+" block was already given at %s. Only one is allowed in a resource.", b.DefRange, at))
				continue
			}
			first[b.Type] = b.DefRange
		}
		switch b.Type {
		case "poll":
			content, contentDiags := b.Body.Content(pollSchema)
			diags = append(diags, contentDiags...)
			for name, attr := range content.Attributes {
				if name != "give_up_after" {
					r.poll[name] = attr
					continue
				}
				if r.giveUpAfter != nil {
					diags = append(diags, duplicate("Duplicate give_up_after", "The argument give_up_after was already set at %s. Set it once, in the resource or in its poll block.", attr.NameRange, r.giveUpAfter.NameRange))
					continue
				}
				r.giveUpAfter = attr
			}
		case "lifecycle":
			content, contentDiags := contentOf(b.Body, lifecycleSchema, lifecycleWords()...)
			diags = append(diags, contentDiags...)
			r.preventForget = content.Attributes["prevent_forget"]
		case "expect":
			e, expectDiags := decodeExpect(b)
			diags = append(diags, expectDiags...)
			if e == nil {
				continue
			}
			for _, other := range r.expects {
				if other.name == e.name {
					diags = append(diags, duplicate("Duplicate expect block", "An expect block named \""+e.name+"\" stands already at %s. Give one of the two another name.", b.DefRange, other.declared))
					e = nil
					break
				}
			}
			if e != nil {
				r.expects = append(r.expects, e)
			}
		}
	}
	return diags
}

// providerReference reads a resource's provider argument, "itniotech" or
// "itniotech.eu", into the name of the account.
func (l *language) providerReference(schema *plan.Schema, attr *hcl.Attribute) (string, hcl.Diagnostics) {
	if attr == nil {
		return schema.Provider, nil
	}
	bad := func(detail string) hcl.Diagnostics {
		return hcl.Diagnostics{mistake("Invalid provider reference", detail, attr.Expr.Range().Ptr())}
	}
	form := fmt.Sprintf("Write the provider's name without quotes, with the alias of its block where it has one: provider = %s.eu", schema.Provider)
	traversal, diags := hcl.AbsTraversalForExpr(attr.Expr)
	if diags.HasErrors() || len(traversal) > 2 {
		if text, ok := quotedText(attr.Expr); ok {
			traversal, diags = hclsyntax.ParseTraversalAbs([]byte(text), attr.Expr.Range().Filename, attr.Expr.Range().Start)
		}
		if diags.HasErrors() || len(traversal) > 2 {
			return schema.Provider, bad(form + ".")
		}
	}
	name := traversal.RootName()
	if name != schema.Provider {
		if l.schemas[name] == nil {
			return schema.Provider, bad(fmt.Sprintf("There is no provider %q.%s", name, didYouMean(name, sortedKeys(l.schemas))))
		}
		return schema.Provider, bad(fmt.Sprintf("This resource's type belongs to the provider %q, not to %q.", schema.Provider, name))
	}
	if len(traversal) == 1 {
		return name, nil
	}
	alias, ok := traversal[1].(hcl.TraverseAttr)
	if !ok {
		return schema.Provider, bad(form + ".")
	}
	return name + "." + alias.Name, nil
}

// quotedText is the text of an expression that is a plain quoted string.
func quotedText(expr hcl.Expression) (string, bool) {
	template, ok := expr.(*hclsyntax.TemplateExpr)
	if !ok || !template.IsStringLiteral() {
		return "", false
	}
	value, diags := template.Value(nil)
	if diags.HasErrors() {
		return "", false
	}
	return value.AsString(), true
}

// checkAccount judges that the account of a resource is declared. The account
// without an alias is implied.
func (c *Root) checkAccount(r *resource) hcl.Diagnostics {
	if c.providers[r.account] != nil || !strings.Contains(r.account, ".") {
		return nil
	}
	_, alias, _ := strings.Cut(r.account, ".")
	detail := fmt.Sprintf("The resource %s uses the provider %s, but no provider %q block has alias = %q.", r.block(), r.account, r.typ.schema.Provider, alias)
	return hcl.Diagnostics{undeclared("Provider configuration not present", detail+didYouMean(r.account, sortedKeys(c.providers)), r.declared.Ptr())}
}

// argumentExpressions are what the block's arguments are made from.
func (r *resource) argumentExpressions() []hcl.Expression {
	var exprs []hcl.Expression
	for _, attr := range r.argumentAttributes() {
		exprs = append(exprs, attr.Expr)
	}
	return exprs
}

// argumentAttributes are the expressions that make the block's arguments.
func (r *resource) argumentAttributes() []*hcl.Attribute {
	var list []*hcl.Attribute
	for _, name := range sortedKeys(r.args) {
		list = append(list, r.args[name])
	}
	for _, name := range sortedKeys(r.poll) {
		list = append(list, r.poll[name])
	}
	for _, attr := range []*hcl.Attribute{r.giveUpAfter, r.suspend, r.preventForget} {
		if attr != nil {
			list = append(list, attr)
		}
	}
	return list
}
