package hclspec

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// provider is a provider block, or the implied one of a provider that a
// resource uses without a block.
type provider struct {
	schema   *plan.Schema
	account  string // "itniotech.eu"
	implied  bool
	declared hcl.Range
	suspend  *hcl.Attribute
	args     map[string]*hcl.Attribute
	blocks   map[string]*providerBlock
	refs     *references
	secret   map[string]bool // arguments whose values came marked sensitive
}

// providerBlock is a nested block of a provider block.
type providerBlock struct {
	args     map[string]*hcl.Attribute
	declared hcl.Range
}

// attributes are all expressions of the block.
func (p *provider) attributes() []*hcl.Attribute {
	var list []*hcl.Attribute
	for _, name := range sortedKeys(p.args) {
		list = append(list, p.args[name])
	}
	for _, name := range sortedKeys(p.blocks) {
		for _, arg := range sortedKeys(p.blocks[name].args) {
			list = append(list, p.blocks[name].args[arg])
		}
	}
	if p.suspend != nil {
		list = append(list, p.suspend)
	}
	return list
}

func argumentSchema(arguments []plan.Argument) *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, a := range arguments {
		// What is required is judged on the value, for the environment and
		// overrides may give it.
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.Name})
	}
	return schema
}

// providerSchema is what a block of a vendor may hold.
func providerSchema(s *plan.Schema) *hcl.BodySchema {
	body := argumentSchema(s.Arguments)
	body.Attributes = append(body.Attributes, hcl.AttributeSchema{Name: "alias"}, hcl.AttributeSchema{Name: "suspend"})
	for _, b := range s.Blocks {
		body.Blocks = append(body.Blocks, hcl.BlockHeaderSchema{Type: b.Name})
	}
	return body
}

func (c *Root) decodeProvider(block *hcl.Block) hcl.Diagnostics {
	name := block.Labels[0]
	schema := c.schemas[name]
	if schema == nil {
		names := sortedKeys(c.schemas)
		hint := didYouMean(name, names)
		if hint == "" {
			hint = " The providers are " + listWords(names) + "."
		}
		return hcl.Diagnostics{mistake("Invalid provider name", fmt.Sprintf("There is no provider %q.%s", name, hint), block.LabelRanges[0].Ptr())}
	}
	content, diags := contentOf(block.Body, providerSchema(schema), providerWords()...)
	p := &provider{schema: schema, account: name, declared: block.DefRange, refs: newReferences(), secret: map[string]bool{},
		args: content.Attributes, blocks: map[string]*providerBlock{}, suspend: content.Attributes["suspend"]}
	if attr := content.Attributes["alias"]; attr != nil {
		var alias string
		aliasDiags := constant(attr, &alias)
		diags = append(diags, aliasDiags...)
		if !aliasDiags.HasErrors() && !hclsyntax.ValidIdentifier(alias) {
			diags = append(diags, mistake("Invalid provider configuration alias", "This alias cannot be a name. "+nameRule, attr.Expr.Range().Ptr()))
		}
		if alias != "" {
			p.account += "." + alias
		}
	}
	delete(p.args, "alias")
	delete(p.args, "suspend")
	for _, b := range content.Blocks {
		if other, ok := p.blocks[b.Type]; ok {
			diags = append(diags, duplicate("Duplicate "+b.Type+" block", "A "+b.Type+" block was already given at %s. Only one is allowed in a provider block.", b.DefRange, other.declared))
			continue
		}
		nested, nestedDiags := b.Body.Content(argumentSchema(blockOf(schema, b.Type).Arguments))
		diags = append(diags, nestedDiags...)
		p.blocks[b.Type] = &providerBlock{args: nested.Attributes, declared: b.DefRange}
	}
	if other, ok := c.providers[p.account]; ok {
		if p.account == name {
			return append(diags, duplicate("Duplicate provider configuration",
				"The provider \""+name+"\" has a block without an alias already, at %s. Give each further account an alias of its own.", block.DefRange, other.declared))
		}
		return append(diags, duplicate("Duplicate provider configuration",
			"The account "+p.account+" has a block already, at %s. Give each account an alias of its own.", block.DefRange, other.declared))
	}
	c.providers[p.account] = p
	return diags
}

func blockOf(schema *plan.Schema, name string) plan.Block {
	for _, b := range schema.Blocks {
		if b.Name == name {
			return b
		}
	}
	return plan.Block{}
}

// settings are the values of a provider block that may be shown: no secret, nothing
// that an override put there, and only what is known.
func (p *provider) settings(values, overrides map[string]cty.Value, suspend bool) json.RawMessage {
	shown := map[string]cty.Value{"suspend": cty.BoolVal(suspend)}
	add := func(prefix string, arguments []plan.Argument, values map[string]cty.Value) {
		for _, a := range arguments {
			v := values[a.Name]
			if a.Sensitive || p.secret[a.Name] || v == cty.NilVal || !v.IsWhollyKnown() || v.IsNull() {
				continue
			}
			shown[prefix+a.Name] = v
		}
	}
	add("", p.schema.Arguments, values)
	for _, b := range p.schema.Blocks {
		if block := values[b.Name]; block.IsKnown() && !block.IsNull() {
			add(b.Name+".", b.Arguments, block.AsValueMap())
		}
	}
	for name := range shown {
		block, _, _ := strings.Cut(name, ".")
		if _, replaced := overrides[block]; replaced {
			delete(shown, name)
		}
	}
	encoded, err := value.Encode(cty.ObjectVal(shown))
	if err != nil {
		return json.RawMessage("{}") // arguments are of types that can be encoded
	}
	return encoded
}

// rangeOf is where an argument is written, or the block where it is not.
func (p *provider) rangeOf(name string) hcl.Range {
	block, arg, nested := strings.Cut(name, ".")
	if attr := p.args[name]; attr != nil {
		return attr.Expr.Range()
	}
	if b := p.blocks[block]; b != nil {
		if attr := b.args[arg]; nested && attr != nil {
			return attr.Expr.Range()
		}
		return b.declared
	}
	return p.declared
}

// providerBlock evaluates a nested block. An absent one is null, unless the
// environment or an override may fill it.
func (c *Root) providerBlock(p *provider, b plan.Block, replaced cty.Value) (cty.Value, hcl.Diagnostics) {
	types := map[string]cty.Type{}
	for _, a := range b.Arguments {
		types[a.Name] = a.Type
	}
	var overrides map[string]cty.Value
	if replaced != cty.NilVal && !replaced.IsNull() && replaced.IsKnown() {
		overrides = replaced.AsValueMap()
	}
	block := p.blocks[b.Name]
	if block == nil {
		if overrides == nil && !c.fromEnvironment(b) {
			return cty.NullVal(cty.Object(types)), nil
		}
		block = &providerBlock{args: map[string]*hcl.Attribute{}, declared: p.declared}
	}
	var diags hcl.Diagnostics
	values := map[string]cty.Value{}
	for _, a := range b.Arguments {
		v, argDiags := c.providerArgument(p, a, block.args[a.Name], override(overrides, a.Name))
		diags = append(diags, argDiags...)
		values[a.Name] = v
	}
	return cty.ObjectVal(values), diags
}

// fromEnvironment reports whether the environment gives, or must give, an
// argument of a nested block that is not written.
func (c *Root) fromEnvironment(b plan.Block) bool {
	for _, a := range b.Arguments {
		if a.Env == "" {
			continue
		}
		if _, ok := c.opts.Environ(a.Env); ok || a.Required {
			return true
		}
	}
	return false
}

// providerArgument is the value of one argument: what an override says, else
// the block, the environment, the default. Without a value that is needed it
// is unknown, and a mistake unless offline.
func (c *Root) providerArgument(p *provider, a plan.Argument, attr *hcl.Attribute, replaced cty.Value) (cty.Value, hcl.Diagnostics) {
	unknown := cty.UnknownVal(a.Type)
	if replaced != cty.NilVal {
		v, err := expressions.Convert(replaced, a.Type)
		if err != nil {
			return unknown, hcl.Diagnostics{mistake("Invalid provider argument", fmt.Sprintf("The value that replaces %s of provider %q is not suitable: %s.", a.Name, p.account, err), nil)}
		}
		c.noteSecret(a, v)
		return v, nil
	}
	value := cty.NullVal(a.Type)
	if attr != nil {
		v, diags := c.staticScope().evaluate(attr.Expr)
		if diags.HasErrors() {
			return unknown, missingVariables(diags, a, attr.Expr.Range().Ptr())
		}
		v, err := expressions.Convert(v, a.Type)
		if err != nil {
			return unknown, hcl.Diagnostics{unsuitable(attr, conversionText(err, a.Type))}
		}
		if v.ContainsMarked() {
			collectSecrets(v, c.read.secret)
			p.secret[a.Name] = true
		}
		value, _ = v.UnmarkDeep()
	}
	if value.IsKnown() && value.IsNull() && a.Env != "" {
		if text, ok := c.opts.Environ(a.Env); ok && text != "" {
			if a.Sensitive {
				c.read.secret(text)
			}
			from := cty.StringVal(text)
			if a.Type.IsListType() || a.Type.IsSetType() {
				from = cty.TupleVal([]cty.Value{from})
			}
			v, err := expressions.Convert(from, a.Type)
			if err != nil {
				return unknown, hcl.Diagnostics{mistake("Invalid value in the environment", fmt.Sprintf("The environment variable %s is not suitable for %s of provider %q: %s.", a.Env, a.Name, p.account, err), p.declared.Ptr())}
			}
			value = v
		}
	}
	if value.IsKnown() && value.IsNull() && a.Default != cty.NilVal {
		value = a.Default
	}
	if value.IsKnown() && value.IsNull() {
		switch {
		case a.Env != "" && (a.Required || a.Sensitive):
			if c.opts.Offline {
				return unknown, nil
			}
			return unknown, hcl.Diagnostics{missingArgument(a, a.Env, p.declared.Ptr())}
		case a.Required:
			return unknown, hcl.Diagnostics{mistake("Missing required argument", fmt.Sprintf("The argument %q of provider %q is missing or null. Set it to a value.", a.Name, p.account), p.declared.Ptr())}
		}
	}
	c.noteSecret(a, value)
	if a.Duration && value.IsKnown() && !value.IsNull() {
		if _, why := durationText(value.AsString()); why != "" {
			at := p.declared
			if attr != nil {
				at = attr.Expr.Range()
			}
			return value, hcl.Diagnostics{mistake("Invalid duration", fmt.Sprintf("The argument %s of provider %q: %s.", a.Name, p.account, why), at.Ptr())}
		}
	}
	return value, nil
}
