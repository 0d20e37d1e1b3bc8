package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
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
	exempt := []string{"providers", "tests", "bench", "examples", filepath.Join("state", "statetest")}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (contains(exempt, path) || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || path == "main.go":
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if particular(n.Name, false) {
					t.Errorf("%s: %s: what is particular to a vendor belongs to its package", files.Position(n.Pos()), n.Name)
				}
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind == token.STRING && err == nil && particular(strings.TrimPrefix(text, module+"/providers/"), true) {
					t.Errorf("%s: %s: what is particular to a vendor belongs to its package", files.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
