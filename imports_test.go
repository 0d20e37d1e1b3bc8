package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/tests/harness"
)

const module = "github.com/waybill-dev/waybill"

// layers says, for each folder, which of ours it may import. Imports run strictly
// down: main, cli, agent, then hclspec, providers and state side by side, then plan, then value.
var layers = []struct {
	folder string
	may    []string
}{
	{"failpoint", nil},
	{"durable", []string{"failpoint"}},
	{"value", nil},
	{"suggest", nil},
	{"plan", []string{"value"}},
	{"hclspec/expressions", []string{"value"}},
	{"hclspec/functions", []string{"value", "hclspec/expressions"}},
	{"hclspec", []string{"value", "plan", "suggest", "hclspec/expressions", "hclspec/functions"}},
	{"providers", []string{"value", "plan"}},
	{"providers/sandbox", []string{"value", "plan"}},
	{"providers/providertest", []string{"value", "plan", "providers"}},
	{"providers/globfax", []string{"value", "plan", "providers"}},
	{"providers/itniotech", []string{"value", "plan", "providers"}},
	{"providers/ucloud", []string{"value", "plan", "providers"}},
	{"providers/nxcloud", []string{"value", "plan", "providers"}},
	{"state", []string{"value", "plan"}},
	{"state/sqlite", []string{"durable", "failpoint", "value", "plan", "state"}},
	{"state/statetest", []string{"value", "plan", "state"}},
	{"agent/source", []string{"durable", "failpoint", "hclspec"}}, // knows no item
	{"agent/quiet", nil},
	{"agent", []string{"agent/quiet", "agent/source", "agent/schedule", "agent/record", "agent/web", "agent/replay", "failpoint", "value", "plan", "hclspec", "providers", "state"}},
	{"agent/web", []string{"agent/quiet", "failpoint", "plan", "hclspec", "providers", "state", "agent/schedule", "agent/record"}},
	{"agent/replay", []string{"value", "plan", "providers", "state", "agent/record"}},
	{"agent/record", []string{"failpoint", "value", "plan", "providers", "state", "durable", "agent/schedule"}},
	{"agent/schedule", []string{"agent/quiet", "providers"}},
	{"tfjson", []string{"value", "plan"}},
	{"cli/view", []string{"value", "plan", "tfjson", "state"}},
	{"cli", []string{"value", "plan", "hclspec", "providers", "providers/sandbox", "state", "state/sqlite", "agent", "agent/source", "agent/record", "suggest", "tfjson", "cli/view"}},
	{"tests/oracle", []string{"value", "plan", "providers/sandbox", "state"}},
	{"tests/harness", []string{"agent/source", "plan", "hclspec", "providers", "providers/sandbox", "providers/globfax", "providers/itniotech", "providers/ucloud", "providers/nxcloud"}},
	{"tests/acceptance", nil},
	{"tests/crash", nil},
	{"tests/simulation", nil},
	{"tests/fifth", nil},
	{"tests/fifth/telnyx", []string{"plan", "providers"}}, // a vendor like those under providers
	{"docs", nil},
	{"", []string{"cli", "providers", "providers/globfax", "providers/itniotech", "providers/ucloud", "providers/nxcloud"}},
}

// Only these may import a library that belongs to one layer.
var only = map[string][]string{
	"github.com/mattn/go-sqlite3":            {"state/sqlite"},
	"github.com/hashicorp/go-retryablehttp":  {"providers"},
	"github.com/fsnotify/fsnotify":           {"agent/source"},
	"github.com/prometheus/client_golang":    {"agent/web"},
	"github.com/prometheus/exporter-toolkit": {"agent/web"},
}

// pure are the folders that touch nothing but their arguments, so they may not
// import what reaches the outside.
var pure = []string{"hclspec/expressions", "hclspec/functions"}

var outside = []string{"os", "os/exec", "net/http", "log", "log/slog", "syscall"}

// never are what some may not import, because it is others' to do.
var never = map[string][]string{
	"agent/record":   {"net/http", "github.com/hashicorp/hcl/v2"},
	"agent/schedule": {"net/http", "github.com/hashicorp/hcl/v2"},
}

func TestImportsRunDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}\t{{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := make(map[string]map[string]bool)
	for _, l := range layers {
		allowed[l.folder] = make(map[string]bool)
		for _, m := range l.may {
			allowed[l.folder][m] = true
		}
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), "\t")
		folder := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if strings.HasPrefix(folder, "bench") {
			continue // measures any layer
		}
		may, ok := allowed[folder]
		if !ok {
			t.Errorf("%s has no place in the layers: give it one in this test and in docs/architecture.md", folder)
			continue
		}
		for imported := range strings.FieldsSeq(imports) {
			if rest, ours := strings.CutPrefix(imported, module); ours {
				if rest = strings.TrimPrefix(rest, "/"); !may[rest] {
					t.Errorf("%s imports %s: imports run down only", folder, rest)
				}
			}
			if contains(pure, folder) && contains(outside, imported) {
				t.Errorf("%s imports %s: it touches nothing but its arguments", folder, imported)
			}
			if contains(never[folder], imported) {
				t.Errorf("%s imports %s: see its page", folder, imported)
			}
			for library, homes := range only {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && !contains(homes, folder) {
					t.Errorf("%s imports %s, which belongs to %s", folder, imported, strings.Join(homes, ", "))
				}
			}
		}
	}
}

// TestOnlyViewsPrint: what stands on a terminal went through cli/view, which
// escapes what came from outside.
func TestOnlyViewsPrint(t *testing.T) {
	forbidden := map[string][]string{
		"fmt": {"Print", "Printf", "Println"},
		"os":  {"Stdout", "Stderr"},
	}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		// bench and tests are no part of the program; failpoint speaks in programs made to die only.
		case d.IsDir() && (path == filepath.Join("cli", "view") || path == "bench" || path == "failpoint" || path == "tests" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if of, ok := n.X.(*ast.Ident); ok && contains(forbidden[of.Name], n.Sel.Name) {
					t.Errorf("%s: %s.%s is for cli/view only", files.Position(n.Pos()), of.Name, n.Sel.Name)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
					t.Errorf("%s: %s writes to standard error past cli/view", files.Position(n.Pos()), f.Name)
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

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// Tests know the vendors that the program knows.
func TestHarnessKnowsEveryVendor(t *testing.T) {
	names := func(list []*providers.Definition) (all []string) {
		for _, d := range list {
			all = append(all, d.Schema.Provider)
		}
		return all
	}
	if got, want := names(harness.Catalog()), names(catalog()); !slices.Equal(got, want) {
		t.Errorf("harness.Catalog has %v, the program %v", got, want)
	}
}
