package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/cli"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"waybill": func() { os.Exit(cli.Main(os.Args[1:], harness.Catalog())) },
	})
}

// rows are the first cells of the tables below a heading of operations.md, without
// their backquotes.
func rows(t *testing.T, heading string) []string {
	t.Helper()
	_, section, found := strings.Cut(read(t, "operations.md"), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("operations.md has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var cells []string
	for line := range strings.Lines(section) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			cell, _, _ := strings.Cut(rest, "`")
			cells = append(cells, cell)
		}
	}
	if len(cells) == 0 {
		t.Fatalf("the section %q of operations.md has no table", heading)
	}
	return cells
}

// same fails the test for each name that one side has alone.
func same(t *testing.T, heading string, told, exposed []string) {
	t.Helper()
	for _, name := range exposed {
		if !slices.Contains(told, name) {
			t.Errorf("%s: operations.md does not tell of %s", heading, name)
		}
	}
	for _, name := range told {
		if !slices.Contains(exposed, name) {
			t.Errorf("%s: operations.md tells of %s, which there is not", heading, name)
		}
	}
}

// A running agent exposes the metrics, conditions and files that the page tells of.
func TestOperationsOfARunningAgent(t *testing.T) {
	server, env := harness.Vendors(t, sandbox.Options{AutoCreate: true})
	if err := server.AddSend(sandbox.Send{SessionNo: "s", Project: "org-34", Count: 1, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	site := harness.NewSite(t, harness.Self(t), harness.FourVendors+`
resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"
}

resource "ucloud_usms_report_pull" "main" {}

resource "ucloud_usms_message" "promo" {
  session_no = "s"
}
`, env)
	agent := site.Agent()
	harness.Eventually(t, func() string {
		return harness.Unless(agent.Metric(`waybill_records{status="matched",type="ucloud_usms_message"}`), "1")
	})
	_, body := agent.Get("/metrics")
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (waybill_\S+) `).FindAllStringSubmatch(body, -1) {
		names = append(names, m[1])
	}
	// A counter that nothing happened to has no series; callbacks are counted per account from the start.
	same(t, "Metrics", rows(t, "Metrics"), names)
	if !strings.Contains(read(t, "operations.md"), "`met_late`") || !strings.Contains(body, `waybill_expectations{state="met_late"}`) {
		t.Error("the states of expectations are not those of the page")
	}

	_, ready := agent.Get("/-/ready")
	troubles := rows(t, "When something is wrong")
	for line := range strings.Lines(ready) {
		if text := strings.Join(strings.Fields(line), " "); !slices.Contains(troubles, text) {
			t.Errorf("operations.md does not tell of the line %q of /-/ready", text)
		}
	}

	told := rows(t, "Files beside the state")
	entries, err := os.ReadDir(site.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, "waybill.db") && !slices.Contains(told, name) && !slices.Contains(told, name+"/") {
			t.Errorf("operations.md does not tell of the file %s", name)
		}
	}
	agent.Stop()
}

// Each environment variable that the sources name stands on the page, and no other.
func TestEnvironmentOnThePage(t *testing.T) {
	pattern := regexp.MustCompile(`^(WAYBILL_[A-Z_]*|NO_COLOR|TERM|COLUMNS|[A-Z]+_(API|APP|PUBLIC|PRIVATE|PROJECT|CALLBACK)_[A-Z]+)$`)
	found := make(map[string]bool)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"../tests", "../bench", "../failpoint", "../docs", "../.git", "../providers/sandbox"}, filepath.ToSlash(path)):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && pattern.MatchString(text) {
					found[text] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Environment", rows(t, "Environment"), slices.Sorted(maps.Keys(found)))
}
