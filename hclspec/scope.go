package hclspec

import (
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// scope gives values to names, working out only those that are referred to:
// what is not needed is not evaluated, so that its mistakes and its missing
// credentials hurt nobody.
type scope struct {
	m *Module
	// resource gives the value of a resource; nil where none may be referred to.
	resource func(block string) (cty.Value, hcl.Diagnostics)

	mu     sync.Mutex
	locals map[string]*evaluated // of those that refer to resources
	values map[string]*evaluated // of resources
}

type evaluated struct {
	value cty.Value
	diags hcl.Diagnostics
}

func newScope(m *Module, resource func(string) (cty.Value, hcl.Diagnostics)) *scope {
	return &scope{m: m, resource: resource, locals: map[string]*evaluated{}, values: map[string]*evaluated{}}
}

// staticScope knows variables, and locals that refer to no resource.
func (c *Root) staticScope() *scope { return newScope(c.module, nil) }

// evaluate is the value of an expression that needs no instance. What it refers
// to and cannot be evaluated is unknown, so that its own mistakes are told too.
func (s *scope) evaluate(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	ctx, diags := s.context(referencesOf(expr))
	value, valueDiags := expr.Value(ctx)
	return value, append(diags, valueDiags...)
}

// referencesOf collects what expressions refer to, for whom checkReferences did
// not.
func referencesOf(exprs ...hcl.Expression) *references {
	refs := newReferences()
	for _, expr := range exprs {
		for _, traversal := range expr.Variables() {
			root := traversal.RootName()
			if len(traversal) < 2 {
				refs.roots[root] = true
				continue
			}
			attr, ok := traversal[1].(hcl.TraverseAttr)
			if !ok {
				refs.roots[root] = true
				continue
			}
			switch root {
			case "var":
				refs.variables[nameOf(attr.Name)] = true
			case "local":
				refs.locals[nameOf(attr.Name)] = true
			case "path":
			case "each", "count", "self": // of an instance, where there is one
				refs.roots[root] = true
			default:
				refs.resources[root+"."+nameOf(attr.Name)] = true
			}
		}
	}
	return refs
}

// context is an evaluation context that knows what refs name.
func (s *scope) context(refs *references) (*hcl.EvalContext, hcl.Diagnostics) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contextLocked(refs)
}

func (s *scope) contextLocked(refs *references) (*hcl.EvalContext, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	ctx := s.m.static.NewChild()
	ctx.Variables = map[string]cty.Value{}
	if len(refs.variables) > 0 {
		values := map[string]cty.Value{}
		for name := range refs.variables {
			values[name] = cty.DynamicVal
			if v := s.m.variables[name]; v != nil && v.value != cty.NilVal {
				values[name] = v.value
			}
		}
		ctx.Variables["var"] = cty.ObjectVal(values)
	}
	if len(refs.locals) > 0 {
		values := map[string]cty.Value{}
		for _, name := range sortedKeys(refs.locals) {
			l := s.m.locals[name]
			if l == nil {
				values[name] = cty.DynamicVal
				continue
			}
			v, localDiags := s.local(l)
			diags = append(diags, localDiags...)
			values[name] = v
		}
		ctx.Variables["local"] = cty.ObjectVal(values)
	}
	byType := map[string]map[string]cty.Value{}
	for _, block := range sortedKeys(refs.resources) {
		typ, name, _ := strings.Cut(block, ".")
		v := cty.DynamicVal
		if s.m.resources[block] != nil {
			var resourceDiags hcl.Diagnostics
			v, resourceDiags = s.resourceValue(block)
			diags = append(diags, resourceDiags...)
		}
		if byType[typ] == nil {
			byType[typ] = map[string]cty.Value{}
		}
		byType[typ][name] = v
	}
	for typ, values := range byType {
		ctx.Variables[typ] = cty.ObjectVal(values)
	}
	for root := range refs.roots {
		ctx.Variables[root] = cty.DynamicVal
	}
	return ctx, diags
}

// local is the value of a local, worked out once: for ever where it refers to
// no resource, else for this scope.
func (s *scope) local(l *local) (cty.Value, hcl.Diagnostics) {
	work := func() (cty.Value, hcl.Diagnostics) {
		ctx, diags := s.contextLocked(l.refs)
		value, valueDiags := l.attr.Expr.Value(ctx)
		if valueDiags.HasErrors() {
			value = cty.DynamicVal
		}
		return value, append(diags, valueDiags...)
	}
	switch {
	case l.cycle:
		return cty.DynamicVal, nil
	case !l.dynamic:
		return l.once.get(work)
	}
	if known, ok := s.locals[l.name]; ok {
		return known.value, known.diags
	}
	value, diags := work()
	s.locals[l.name] = &evaluated{value, diags}
	return value, diags
}

func (s *scope) resourceValue(block string) (cty.Value, hcl.Diagnostics) {
	if s.resource == nil {
		return cty.DynamicVal, nil
	}
	if known, ok := s.values[block]; ok {
		return known.value, known.diags
	}
	value, diags := s.resource(block)
	s.values[block] = &evaluated{value, diags}
	return value, diags
}
