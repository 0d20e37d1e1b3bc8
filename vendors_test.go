package main

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// TestVendorsAreToldByVendors: whatever is particular to a vendor is told by its
// package, so that another one is a package under providers/ and a line in
// main.go. Elsewhere no name in the code, no imported package and no text is a
// vendor's or a resource type's. Comments, and texts that show an example among
// other words, may name them.
func TestVendorsAreToldByVendors(t *testing.T) {
	var names []string
	for _, d := range catalog() {
		names = append(names, d.Schema.Provider)
	}
	particular := func(text string, whole bool) bool {
		text = strings.ToLower(text)
		for _, name := range names {
			if !whole && strings.Contains(text, name) {
				return true
			}
			if rest, ok := strings.CutPrefix(text, name); ok && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789_./-") == "" {
				return true
			}
		}
		return false
	}
	walkSources(t, []string{"providers", "tests", "bench", "examples", "state/statetest"}, func(path string, at func(ast.Node) token.Position, n ast.Node) {
		if path == "main.go" {
			return
		}
		switch n := n.(type) {
		case *ast.Ident:
			if particular(n.Name, false) {
				t.Errorf("%s: %s: what is particular to a vendor belongs to its package", at(n), n.Name)
			}
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if n.Kind == token.STRING && err == nil && particular(strings.TrimPrefix(text, module+"/providers/"), true) {
				t.Errorf("%s: %s: what is particular to a vendor belongs to its package", at(n), n.Value)
			}
		}
	})
}
