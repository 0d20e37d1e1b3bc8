package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
	"database/sql":                           {"state/sqlite"}, // its driver's interfaces
}

// pure are the folders that touch nothing but their arguments, so they may not
// import what reaches the outside.
var pure = []string{"value", "plan", "suggest", "tfjson", "hclspec/expressions", "hclspec/functions"}

var outside = []string{"os", "net/http", "log", "syscall"}

// never are what some may not import, or what is below it, because it is others' to do.
var never = map[string][]string{
	"agent/record":   {"net/http", "github.com/hashicorp/hcl/v2"},
	"agent/schedule": {"net/http", "github.com/hashicorp/hcl/v2"},
	"agent/replay":   {"net/http", "github.com/hashicorp/hcl/v2"},
	"hclspec":        {"net/http", "log", "os/exec"},
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
			if slices.Contains(pure, folder) && below(outside, imported) {
				t.Errorf("%s imports %s: it touches nothing but its arguments", folder, imported)
			}
			if below(never[folder], imported) {
				t.Errorf("%s imports %s: see its page", folder, imported)
			}
			for library, homes := range only {
				if below([]string{library}, imported) && !slices.Contains(homes, folder) {
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
		"log": {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "Default"},
	}
	// bench and tests are no part of the program; failpoint speaks in programs made to die only.
	walkSources(t, []string{"cli/view", "bench", "failpoint", "tests"}, func(_ string, at func(ast.Node) token.Position, n ast.Node) {
		if of, name := selected(n); slices.Contains(forbidden[of], name) {
			t.Errorf("%s: %s.%s is for cli/view only", at(n), of, name)
		}
		if n, ok := n.(*ast.CallExpr); ok {
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				t.Errorf("%s: %s writes to standard error past cli/view", at(n), f.Name)
			}
		}
	})
}

// TestOnlyRecordCommits: a batch is made in agent/record alone, so that every write
// of the state stands in one room.
func TestOnlyRecordCommits(t *testing.T) {
	walkSources(t, []string{"agent/record", "state", "bench", "tests"}, func(_ string, at func(ast.Node) token.Position, n ast.Node) {
		if of, name := selected(n); of == "state" && slices.Contains([]string{"Batch", "ItemWrite", "Touch"}, name) {
			t.Errorf("%s: state.%s: agent/record alone commits", at(n), name)
		}
	})
}

// TestOnlySQLiteKnowsSQL: nobody else asks the database in its own language.
func TestOnlySQLiteKnowsSQL(t *testing.T) {
	statement := regexp.MustCompile(`^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|PRAGMA)\s`)
	walkSources(t, []string{"state/sqlite", "bench", "tests"}, func(_ string, at func(ast.Node) token.Position, n ast.Node) {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && statement.MatchString(text) {
			t.Errorf("%s: %.40q: state/sqlite alone knows SQL", at(n), text)
		}
	})
}

// TestTimeComesIn: what is pure, and the recording step, are told what time it is, and
// wait for nothing. (One wait there is: what a pull brought and can be written nowhere.)
func TestTimeComesIn(t *testing.T) {
	told := append([]string{"agent/record", "agent/schedule", "agent/replay"}, pure...)
	timers := []string{"After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
	waits := map[string]int{"agent/record/recover.go": 1, "agent/schedule/queue.go": 1}
	walkSources(t, []string{"bench", "tests"}, func(path string, at func(ast.Node) token.Position, n ast.Node) {
		of, name := selected(n)
		if of != "time" || !slices.Contains(told, filepath.ToSlash(filepath.Dir(path))) {
			return
		}
		if slices.Contains(timers, name) {
			waits[filepath.ToSlash(path)]--
		}
		if name == "Now" || name == "Since" || name == "Until" || waits[filepath.ToSlash(path)] < 0 {
			t.Errorf("%s: time.%s: see the package's page", at(n), name)
		}
	})
}

// TestLargePackagesSayWhy: a package of more than 3,000 lines says on its page why it
// is one room.
func TestLargePackagesSayWhy(t *testing.T) {
	lines, page := make(map[string]int), make(map[string]string)
	walkSources(t, []string{"bench", "tests"}, func(path string, at func(ast.Node) token.Position, n ast.Node) {
		if file, ok := n.(*ast.File); ok {
			folder := filepath.Dir(path)
			lines[folder] += at(&ast.Ident{NamePos: file.FileEnd}).Line
			page[folder] += file.Doc.Text()
		}
	})
	for folder, n := range lines {
		if n > 3000 && !strings.Contains(page[folder], "3,000 lines") {
			t.Errorf("%s has %d lines and does not say why: split it, or give the reason on its page, with the words \"3,000 lines\"", folder, n)
		}
	}
}

// walkSources visits each node of each file of the program but its tests, and of
// nothing below the folders that are left out.
func walkSources(t *testing.T, leftOut []string, visit func(path string, at func(ast.Node) token.Position, n ast.Node)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(leftOut, filepath.ToSlash(path)) || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		at := func(n ast.Node) token.Position { return files.Position(n.Pos()) }
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil {
				visit(path, at, n)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// selected is what a selector takes of which package: "fmt", "Print".
func selected(n ast.Node) (of, name string) {
	if s, ok := n.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name, s.Sel.Name
		}
	}
	return "", ""
}

// below reports whether an import is one of the list, or stands below one.
func below(list []string, imported string) bool {
	return slices.ContainsFunc(list, func(e string) bool { return imported == e || strings.HasPrefix(imported, e+"/") })
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
