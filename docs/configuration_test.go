package docs

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/hclspec/functions"
)

// The list of functions is what the language has.
func TestWrittenFunctions(t *testing.T) {
	table := functions.New(nil, nil)
	var list strings.Builder
	list.WriteString("\n```\n")
	for _, name := range functions.Names() {
		list.WriteString(signature(name, table[name]) + "\n")
	}
	list.WriteString("```\n")
	const begin, end = "<!-- functions: written by make docs -->\n", "<!-- end -->\n"
	page := read(t, "configuration.md")
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("configuration.md has no place for the functions: it needs %q and %q", begin, end)
	}
	current(t, "configuration.md", before+begin+strings.TrimPrefix(list.String(), "\n")+end+after)
}

// signature is how a function is called: "element(list, index)".
func signature(name string, f function.Function) string {
	var params []string
	for _, p := range f.Params() {
		params = append(params, p.Name)
	}
	if p := f.VarParam(); p != nil {
		params = append(params, p.Name+"...")
	}
	return name + "(" + strings.Join(params, ", ") + ")"
}

var (
	blockHeading = regexp.MustCompile("^#+ Block `(\\w+)`(?: in `(\\w+)`)?$")
	tableRow     = regexp.MustCompile("^\\| `(\\w+)` \\|")
)

// Each block and argument of the language stands on the page, and nothing else.
func TestBlocksOnThePage(t *testing.T) {
	told := make(map[string][]string) // block path -> arguments
	path := ""
	for line := range strings.Lines(read(t, "configuration.md")) {
		line = strings.TrimSpace(line)
		if m := blockHeading.FindStringSubmatch(line); m != nil {
			path = strings.TrimPrefix(m[2]+"/"+m[1], "/")
			told[path] = nil
		} else if strings.HasPrefix(line, "#") {
			path = ""
		} else if m := tableRow.FindStringSubmatch(line); m != nil && path != "" {
			told[path] = append(told[path], m[1])
		}
	}
	known := make(map[string][]string)
	var walk func(prefix string, blocks []hclspec.Block)
	walk = func(prefix string, blocks []hclspec.Block) {
		for _, b := range blocks {
			known[prefix+b.Type] = b.Arguments
			walk(prefix+b.Type+"/", b.Blocks)
		}
	}
	walk("", hclspec.Grammar())
	for _, path := range slices.Sorted(maps.Keys(known)) {
		if _, ok := told[path]; !ok {
			t.Errorf("configuration.md does not tell of the block %s", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(told)) {
		arguments, ok := known[path]
		if !ok {
			t.Errorf("configuration.md tells of a block %s that the language does not have", path)
		}
		if got, want := fmt.Sprint(slices.Sorted(slices.Values(told[path]))), fmt.Sprint(slices.Sorted(slices.Values(arguments))); got != want {
			t.Errorf("configuration.md says that %s has %s; it has %s", path, got, want)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
