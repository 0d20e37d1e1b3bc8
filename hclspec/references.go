package hclspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// references are what expressions refer to.
type references struct {
	variables, locals map[string]bool
	resources         map[string]bool // block addresses
	self              bool
	each, count       bool
	// roots are names that stand for nothing here. What refers to them was told;
	// they are unknown, so that nothing more is told for it.
	roots map[string]bool
}

func newReferences() *references {
	return &references{variables: map[string]bool{}, locals: map[string]bool{}, resources: map[string]bool{}, roots: map[string]bool{}}
}

// where says what may be referred to at some place.
type where struct {
	what        string // in words: "provider configuration"
	resource    *resource
	each, count bool
	self        bool
	noResources bool // and no locals that reach one
}

// checkReferences walks every expression: what it refers to is recorded, and
// what does not exist, or may not be referred to there, is a mistake.
func (c *Root) checkReferences() hcl.Diagnostics {
	diags := c.module.checkReferences()
	walk := func(expr hcl.Expression, refs *references, what string) {
		diags = append(diags, c.module.referTo(expr, refs, where{what: what, noResources: true})...)
	}
	for _, name := range sortedKeys(c.providers) {
		p := c.providers[name]
		for _, attr := range p.attributes() {
			walk(attr.Expr, p.refs, "provider configuration")
		}
	}
	for _, s := range c.settingAttributes() {
		walk(s.attr.Expr, s.refs, s.what)
	}
	for _, block := range sortedKeys(c.module.resources) {
		diags = append(diags, c.checkAccount(c.module.resources[block])...)
	}
	sortDiagnostics(diags)
	return diags
}

func (m *Module) checkReferences() hcl.Diagnostics {
	var diags hcl.Diagnostics
	walk := func(expr hcl.Expression, refs *references, w where) {
		diags = append(diags, m.referTo(expr, refs, w)...)
	}
	for _, name := range sortedKeys(m.locals) {
		l := m.locals[name]
		walk(l.attr.Expr, l.refs, where{what: "local value"})
	}
	for _, name := range sortedKeys(m.variables) {
		v := m.variables[name]
		for _, r := range v.validations {
			walk(r.condition, v.refs, where{what: "variable validation", noResources: true})
			walk(r.message, v.refs, where{what: "variable validation", noResources: true})
		}
	}
	for _, block := range sortedKeys(m.resources) {
		r := m.resources[block]
		for _, attr := range []*hcl.Attribute{r.forEach, r.count} {
			if attr != nil {
				walk(attr.Expr, r.refs, where{what: attr.Name + " argument"})
			}
		}
		inside := where{what: "resource", resource: r, each: r.forEach != nil, count: r.count != nil}
		for _, attr := range r.argumentAttributes() {
			walk(attr.Expr, r.refs, inside)
		}
		inside.self = true
		for _, e := range r.expects {
			for _, expr := range e.expressions() {
				walk(expr, r.expectRefs, inside)
			}
		}
	}
	for _, name := range sortedKeys(m.outputs) {
		o := m.outputs[name]
		walk(o.value.Expr, o.refs, where{what: "output"})
	}
	for _, name := range sortedKeys(m.checks) {
		k := m.checks[name]
		for _, r := range k.asserts {
			walk(r.condition, k.refs, where{what: "check"})
			walk(r.message, k.refs, where{what: "check"})
		}
	}
	return diags
}

// referTo judges the references of one expression.
func (m *Module) referTo(expr hcl.Expression, refs *references, w where) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, traversal := range expr.Variables() {
		if d := m.refer(traversal, refs, w); d != nil {
			diags = append(diags, d)
		}
	}
	return append(diags, m.checkCalls(expr)...)
}

func (m *Module) refer(traversal hcl.Traversal, refs *references, w where) *hcl.Diagnostic {
	at := traversal.SourceRange()
	root := traversal.RootName()
	next := ""
	if len(traversal) > 1 {
		if attr, ok := traversal[1].(hcl.TraverseAttr); ok {
			next = nameOf(attr.Name)
		}
	}
	switch root {
	case "var":
		if next == "" {
			refs.roots[root] = true
			return mistake("Invalid reference", `The name of a variable is missing: write var.name.`, at.Ptr())
		}
		refs.variables[next] = true
		if m.variables[next] == nil {
			hint := didYouMean(next, sortedKeys(m.variables))
			if hint == "" {
				hint = fmt.Sprintf(" Declare it: variable %q {}.", next)
			}
			return undeclared("Reference to undeclared input variable", fmt.Sprintf("There is no variable named %q.%s", next, hint), at.Ptr())
		}
		return nil
	case "local":
		if next == "" {
			refs.roots[root] = true
			return mistake("Invalid reference", `The name of a local value is missing: write local.name.`, at.Ptr())
		}
		refs.locals[next] = true
		if m.locals[next] == nil {
			return undeclared("Reference to undeclared local value", fmt.Sprintf("No locals block has a value named %q.%s", next, didYouMean(next, sortedKeys(m.locals))), at.Ptr())
		}
		return nil
	case "path":
		if !slices.Contains([]string{"module", "root", "cwd"}, next) {
			return mistake(`Invalid "path" attribute`, `After path comes .module, .root or .cwd.`, at.Ptr())
		}
		return nil
	case "each":
		if !w.each {
			refs.roots[root] = true
			return mistake(`Reference to "each" in context without for_each`, `Only a resource with for_each has an each. Give the resource a for_each, or write something else here.`, at.Ptr())
		}
		if next != "key" && next != "value" {
			return mistake(`Invalid "each" attribute`, `After each comes .key or .value: the key and the value of the element of for_each that the item stands for.`, at.Ptr())
		}
		refs.each = true
		return nil
	case "count":
		if !w.count {
			refs.roots[root] = true
			return mistake(`Reference to "count" in non-counted context`, `Only a resource with count has a count.index. Give the resource a count, or write something else here.`, at.Ptr())
		}
		if next != "index" {
			return mistake(`Invalid "count" attribute`, `After count comes .index: the number of the item, from 0.`, at.Ptr())
		}
		refs.count = true
		return nil
	case "self":
		if !w.self {
			refs.roots[root] = true
			return mistake(`Invalid "self" reference`, `Only an expect block has a self: the item that it judges.`, at.Ptr())
		}
		refs.self = true
		return m.checkAttribute(w.resource, traversal[1:])
	}
	return m.referToResource(traversal, next, refs, w)
}

// notDeclared marks a mistake that is none if the name is declared in a part that
// could not be read.
type notDeclared struct{}

func undeclared(summary, detail string, at *hcl.Range) *hcl.Diagnostic {
	d := mistake(summary, detail, at)
	d.Extra = notDeclared{}
	return d
}

// referToResource judges type.name, what may follow, and names that are none.
func (m *Module) referToResource(traversal hcl.Traversal, name string, refs *references, w where) *hcl.Diagnostic {
	at, root := traversal.SourceRange(), traversal.RootName()
	if instead := foreignReference(root); instead != "" {
		refs.roots[root] = true
		return mistake("Invalid reference", fmt.Sprintf("There is nothing named %q here. %s", root, instead), at.Ptr())
	}
	t := m.types[root]
	block := root + "." + name
	if name == "" {
		refs.roots[root] = true
	} else {
		refs.resources[block] = true
	}
	if m.misnamed[block] {
		return nil
	}
	switch {
	case t == nil && m.schemas[root] != nil:
		return mistake("Invalid reference", "A provider cannot be referred to here.", at.Ptr())
	case t == nil && name == "":
		return mistake("Invalid reference", fmt.Sprintf("There is nothing named %q: an expression refers to var.name, local.name, each.value, self.attribute or type.name of a resource; a text stands in quotes.%s",
			root, didYouMean(root, m.rootNames())), at.Ptr())
	case t == nil:
		return undeclared("Reference to undeclared resource", fmt.Sprintf("There is no resource %s.%s: there is no such resource type.%s", root, name, didYouMean(root, m.rootNames())), at.Ptr())
	case w.noResources:
		return mistake("Invalid reference", fmt.Sprintf("A %s cannot refer to a resource: it is needed before any resource is read.", w.what), at.Ptr())
	case name == "":
		return mistake("Invalid reference", fmt.Sprintf("The name of the resource is missing: write %s.name.", root), at.Ptr())
	}
	r := m.resources[block]
	if r == nil {
		return undeclared("Reference to undeclared resource", fmt.Sprintf("There is no resource %s.%s.%s", root, name, didYouMean(block, sortedKeys(m.resources))), at.Ptr())
	}
	if w.resource == r && !w.self {
		delete(refs.resources, block)
		return mistake("Self-referential block", fmt.Sprintf("%s refers to itself here. Only an expect block can do so: there self stands for the item.", block), at.Ptr())
	}
	rest := traversal[2:]
	if len(rest) > 0 && (r.forEach != nil || r.count != nil) {
		switch step := rest[0].(type) {
		case hcl.TraverseIndex, hcl.TraverseSplat:
			rest = rest[1:]
		case hcl.TraverseAttr:
			if r.count != nil || hasAttribute(r, step.Name) {
				return mistake("Missing resource instance key", fmt.Sprintf("%s has %s and so stands for several items. Say which one is meant, such as\n    %s[%s]",
					block, r.multiplier(), block, r.exampleKey()), at.Ptr())
			}
			rest = rest[1:] // a key in the form of an attribute
		}
	} else if len(rest) > 0 {
		if _, ok := rest[0].(hcl.TraverseIndex); ok {
			return mistake("Unexpected resource instance key", fmt.Sprintf("%s has neither count nor for_each and so stands for one item. Take the key in brackets out.", block), at.Ptr())
		}
	}
	return m.checkAttribute(r, rest)
}

func (r *resource) multiplier() string {
	if r.count != nil {
		return "count"
	}
	return "for_each"
}

func (r *resource) exampleKey() string {
	if r.count != nil {
		return "count.index"
	}
	return "each.key"
}

func hasAttribute(r *resource, name string) bool { return r.typ.values.HasAttribute(name) }

// checkAttribute judges the first step into an instance's values.
func (m *Module) checkAttribute(r *resource, rest hcl.Traversal) *hcl.Diagnostic {
	if len(rest) == 0 {
		return nil
	}
	attr, ok := rest[0].(hcl.TraverseAttr)
	if !ok || hasAttribute(r, attr.Name) {
		return nil
	}
	return mistake("Unsupported attribute", fmt.Sprintf("A %s has no argument or observed attribute named %q.%s",
		r.typ.Name, attr.Name, didYouMean(attr.Name, sortedKeys(r.typ.values.AttributeTypes()))), attr.SrcRange.Ptr())
}

// rootNames are the names that a reference may begin with.
func (l *language) rootNames() []string {
	names := []string{"var", "local", "path", "each", "count", "self"}
	return append(names, sortedKeys(l.types)...)
}

// checkCalls finds calls of functions that do not exist, so that they are told
// even where nothing is evaluated. Only HCL's own syntax can be walked.
func (l *language) checkCalls(expr hcl.Expression) hcl.Diagnostics {
	node, ok := expr.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	var diags hcl.Diagnostics
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok {
			return nil
		}
		if _, ok := l.funcs[call.Name]; ok {
			return nil
		}
		detail := fmt.Sprintf("There is no function named %q.", call.Name)
		if strings.Contains(call.Name, "::") {
			detail += " Providers bring no functions of their own."
		}
		diags = append(diags, mistake("Call to unknown function", detail+didYouMean(call.Name, sortedKeys(l.funcs)), call.NameRange.Ptr()))
		return nil
	})
	return diags
}
