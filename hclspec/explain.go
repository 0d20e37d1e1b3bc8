package hclspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// explain adds to HCL's word on a name that a value does not have those that it
// has: a column that a CSV lacks is most often a slip of the pen in one that it
// has. Names of what is sensitive are not told. files are the texts in which
// loops are looked up; what a loop runs over is not told without them.
func explain(d *hcl.Diagnostic, files map[string]*hcl.File) *hcl.Diagnostic {
	if d.Expression == nil || d.EvalContext == nil {
		return d
	}
	switch d.Detail {
	case `The given key does not identify an element in this collection value.`:
	default:
		if !strings.HasSuffix(d.Detail, `".`) || !strings.HasPrefix(d.Detail, "This object does not have an attribute named ") &&
			!strings.HasPrefix(d.Detail, "This map does not have an element with the key ") {
			return d
		}
	}
	value, name, ok := failingStep(d.Expression, d.EvalContext)
	if !ok || d.Subject == nil || inSecretLoop(d, files) {
		return d
	}
	told := *d
	names := namesOf(value)
	told.Detail += didYouMean(name, names)
	if len(names) > 0 {
		told.Detail += " It has " + someOf(names) + "."
	}
	return &told
}

// failingStep walks an expression to the step that its value does not have, and
// returns the value there and the name that was looked for.
func failingStep(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, string, bool) {
	var value cty.Value
	var steps hcl.Traversal
	switch expr := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		root, diags := expr.Traversal[:1].TraverseAbs(ctx)
		if diags.HasErrors() {
			return value, "", false
		}
		value, steps = root, expr.Traversal[1:]
	case *hclsyntax.RelativeTraversalExpr:
		source, diags := expr.Source.Value(ctx)
		if diags.HasErrors() {
			return value, "", false
		}
		value, steps = source, expr.Traversal
	case *hclsyntax.IndexExpr:
		source, diags := expr.Collection.Value(ctx)
		key, more := expr.Key.Value(ctx)
		if diags.HasErrors() || more.HasErrors() {
			return value, "", false
		}
		value, steps = source, hcl.Traversal{hcl.TraverseIndex{Key: key}}
	}
	for _, step := range steps {
		if value.IsMarked() || !value.IsKnown() || value.IsNull() {
			return value, "", false
		}
		next, diags := hcl.Traversal{step}.TraverseRel(value)
		if !diags.HasErrors() {
			value = next
			continue
		}
		switch step := step.(type) {
		case hcl.TraverseAttr:
			return value, step.Name, true
		case hcl.TraverseIndex:
			if key := step.Key; !key.IsMarked() && key.IsKnown() && !key.IsNull() && key.Type() == cty.String {
				return value, key.AsString(), true
			}
		}
		return value, "", false
	}
	return value, "", false
}

// inSecretLoop reports whether the place of a diagnostic is inside a for over
// something that is sensitive, or may be: a loop takes the marks off what its
// variables stand for.
func inSecretLoop(d *hcl.Diagnostic, files map[string]*hcl.File) bool {
	looped := false
	for _, traversal := range d.Expression.Variables() {
		if !slices.Contains(scopeRoots, traversal.RootName()) && d.EvalContext.Parent() != nil {
			_, own := d.EvalContext.Variables[traversal.RootName()]
			looped = looped || own
		}
	}
	file := files[d.Subject.Filename]
	if file == nil {
		return looped
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return looped
	}
	secret := false
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics { // nothing can go wrong
		if loop, ok := node.(*hclsyntax.ForExpr); ok && !secret && loop.Range().Overlaps(*d.Subject) {
			secret = mayBeSecret(loop.CollExpr, d.EvalContext)
		}
		return nil
	})
	return secret
}

// scopeRoots are the names that no loop brings.
var scopeRoots = []string{"var", "local", "each", "count", "self", "path"}

// mayBeSecret reports whether an expression refers to something sensitive, or
// makes it.
func mayBeSecret(expr hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	for _, traversal := range expr.Variables() {
		value, diags := traversal.TraverseAbs(ctx)
		if diags.HasErrors() || value.ContainsMarked() {
			return true
		}
	}
	secret := false
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "env" || call.Name == "sensitive") {
			secret = true
		}
		return nil
	})
	return secret
}

// namesOf are the attributes of an object or the keys of a map, in order.
func namesOf(value cty.Value) []string {
	ty := value.Type()
	switch {
	case ty.IsObjectType():
		return sortedKeys(ty.AttributeTypes())
	case ty.IsMapType() && value.IsKnown() && !value.IsNull():
		names := make([]string, 0, value.LengthInt())
		for it := value.ElementIterator(); it.Next(); {
			key, _ := it.Element()
			names = append(names, key.AsString())
		}
		return names
	}
	return nil
}

// maxNames is how many names a sentence holds.
const maxNames = 20

func someOf(names []string) string {
	if len(names) <= maxNames {
		return listWords(names)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(slices.Clone(names[:maxNames]), ", "), len(names)-maxNames)
}
