package hclspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// order finds cycles among locals and resources, and the waves in which
// resources are evaluated: each after those that it refers to.
func (m *Module) order() (waves [][]*resource, diags hcl.Diagnostics) {
	nodes := map[string]*references{}
	for name, l := range m.locals {
		nodes["local."+name] = l.refs
	}
	for block, r := range m.resources {
		nodes[block] = r.refs
	}
	edges := map[string][]string{}
	for name, refs := range nodes {
		for _, to := range refs.names() {
			if nodes[to] != nil {
				edges[name] = append(edges[name], to)
			}
		}
	}
	components := connected(sortedKeys(nodes), edges)

	wave := map[string]int{}             // of a local: the first wave that may use it
	for _, members := range components { // what is referred to comes first
		if len(members) > 1 || slices.Contains(edges[members[0]], members[0]) {
			diags = append(diags, m.cycleDiagnostic(members, edges))
			for _, member := range members {
				if name, ok := strings.CutPrefix(member, "local."); ok && m.locals[name] != nil {
					m.locals[name].cycle = true
				} else {
					m.resources[member].cycle = true
				}
			}
			continue
		}
		name := members[0]
		level := 0
		for _, to := range edges[name] {
			if m.resources[to] != nil {
				level = max(level, wave[to]+1)
			} else {
				level = max(level, wave[to])
			}
		}
		wave[name] = level
		if r := m.resources[name]; r != nil {
			r.wave = level
			for len(waves) <= level {
				waves = append(waves, nil)
			}
			waves[level] = append(waves[level], r)
		} else {
			m.locals[strings.TrimPrefix(name, "local.")].dynamic = m.reachesResource(edges[name])
		}
	}
	for _, w := range waves {
		slices.SortFunc(w, func(a, b *resource) int { return strings.Compare(a.block(), b.block()) })
	}
	return waves, diags
}

// reachesResource reports whether any of the names is a resource or a local
// that refers to one. The locals among them were judged before.
func (m *Module) reachesResource(names []string) bool {
	for _, name := range names {
		if m.resources[name] != nil {
			return true
		}
		if l := m.locals[strings.TrimPrefix(name, "local.")]; l != nil && l.dynamic {
			return true
		}
	}
	return false
}

// names are the locals and resources, as nodes of the graph, in order.
func (r *references) names() []string {
	names := make([]string, 0, len(r.locals)+len(r.resources))
	for name := range r.locals {
		names = append(names, "local."+name)
	}
	for block := range r.resources {
		names = append(names, block)
	}
	slices.Sort(names)
	return names
}

// cycleDiagnostic names the members of a cycle in the order in which they
// refer to each other.
func (m *Module) cycleDiagnostic(members []string, edges map[string][]string) *hcl.Diagnostic {
	in := map[string]bool{}
	for _, member := range members {
		in[member] = true
	}
	slices.Sort(members)
	path := shortestCycle(members[0], in, edges)
	described := make([]string, 0, len(path))
	for _, member := range path {
		described = append(described, fmt.Sprintf("%s (%s)", member, place(m.rangeOf(member))))
	}
	at := m.rangeOf(path[0])
	if len(path) == 1 {
		return mistake("Cycle", described[0]+" refers to itself. Break the circle.", at.Ptr())
	}
	return mistake("Cycle", fmt.Sprintf("These refer to each other in a circle, so that none can be evaluated first: %s, which refers to %s again. Break the circle at one of them.",
		strings.Join(described, ", which refers to "), path[0]), at.Ptr())
}

func (m *Module) rangeOf(node string) hcl.Range {
	if r := m.resources[node]; r != nil {
		return r.declared
	}
	return m.locals[strings.TrimPrefix(node, "local.")].attr.NameRange
}

// shortestCycle is a shortest way from a node back to itself.
func shortestCycle(start string, in map[string]bool, edges map[string][]string) []string {
	from := map[string]string{}
	queue := []string{start}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, to := range edges[at] {
			if to == start {
				path := []string{at}
				for at != start {
					at = from[at]
					path = append(path, at)
				}
				slices.Reverse(path)
				return path
			}
			if _, ok := from[to]; !ok && in[to] {
				from[to] = at
				queue = append(queue, to)
			}
		}
	}
	return []string{start}
}

// connected are the strongly connected components, each after those that it
// refers to (Tarjan's algorithm, with a stack of its own: a chain of
// references may be long).
func connected(nodes []string, edges map[string][]string) [][]string {
	type frame struct {
		node string
		edge int
	}
	index, low := map[string]int{}, map[string]int{}
	onStack := map[string]bool{}
	var stack []string
	var components [][]string
	for _, root := range nodes {
		if _, ok := index[root]; ok {
			continue
		}
		calls := []frame{{node: root}}
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			if f.edge == 0 {
				index[f.node] = len(index) + 1
				low[f.node] = index[f.node]
				stack, onStack[f.node] = append(stack, f.node), true
			}
			if f.edge < len(edges[f.node]) {
				to := edges[f.node][f.edge]
				f.edge++
				if _, ok := index[to]; !ok {
					calls = append(calls, frame{node: to})
				} else if onStack[to] {
					low[f.node] = min(low[f.node], index[to])
				}
				continue
			}
			node := f.node
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].node
				low[parent] = min(low[parent], low[node])
			}
			if low[node] != index[node] {
				continue
			}
			var component []string
			for {
				last := stack[len(stack)-1]
				stack, onStack[last] = stack[:len(stack)-1], false
				component = append(component, last)
				if last == node {
					break
				}
			}
			components = append(components, component)
		}
	}
	return components
}

// checkStaticLocals finds locals that reach a resource where none may be
// referred to.
func (c *Root) checkStaticLocals() hcl.Diagnostics {
	var diags hcl.Diagnostics
	judge := func(expr hcl.Expression, what string) {
		for _, traversal := range expr.Variables() {
			if traversal.RootName() != "local" || len(traversal) < 2 {
				continue
			}
			attr, ok := traversal[1].(hcl.TraverseAttr)
			if !ok {
				continue
			}
			if l := c.module.locals[nameOf(attr.Name)]; l != nil && l.dynamic {
				diags = append(diags, mistake("Invalid reference", fmt.Sprintf("A %s cannot refer to local.%s, which refers to a resource: it is needed before any resource is read.", what, attr.Name), traversal.SourceRange().Ptr()))
			}
		}
	}
	for _, name := range sortedKeys(c.providers) {
		for _, attr := range c.providers[name].attributes() {
			judge(attr.Expr, "provider configuration")
		}
	}
	for _, name := range sortedKeys(c.module.variables) {
		for _, r := range c.module.variables[name].validations {
			judge(r.condition, "variable validation")
			judge(r.message, "variable validation")
		}
	}
	for _, s := range c.settingAttributes() {
		judge(s.attr.Expr, s.what)
	}
	return diags
}

// Dependents tell, for each resource block, the blocks that refer to it, and
// "output.x" and "check.y" among them; through locals too. When something
// recorded changes in a block, these may come to something else.
func (c *Root) Dependents() map[string][]string {
	dependents := map[string][]string{}
	add := func(who string, refs ...*references) {
		for _, r := range refs {
			all := newReferences()
			maps.Copy(all.locals, r.locals)
			maps.Copy(all.resources, r.resources)
			c.module.closure(all)
			for block := range all.resources {
				if !slices.Contains(dependents[block], who) {
					dependents[block] = append(dependents[block], who)
				}
			}
		}
	}
	for block, r := range c.module.resources {
		add(block, r.refs, r.expectRefs)
	}
	for name, o := range c.module.outputs {
		add("output."+name, o.refs)
	}
	for name, k := range c.module.checks {
		add("check."+name, k.refs)
	}
	for _, list := range dependents {
		slices.Sort(list)
	}
	return dependents
}

// closure adds to references what the locals among them refer to.
func (m *Module) closure(refs *references) {
	queue := sortedKeys(refs.locals)
	for len(queue) > 0 {
		l := m.locals[queue[0]]
		queue = queue[1:]
		if l == nil {
			continue
		}
		for block := range l.refs.resources {
			refs.resources[block] = true
		}
		for name := range l.refs.locals {
			if !refs.locals[name] {
				refs.locals[name] = true
				queue = append(queue, name)
			}
		}
	}
}
