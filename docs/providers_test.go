package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/tests/harness"
	"github.com/waybill-dev/waybill/value"
)

var update = flag.Bool("update", false, "write the pages anew")

// The pages under docs/providers are what the schemas say.
func TestWrittenProviders(t *testing.T) {
	for _, d := range harness.Catalog() {
		current(t, filepath.Join("providers", d.Schema.Provider+".md"), providerPage(d.Schema))
	}
}

// current fails the test unless a page is what it should be; with -update it writes
// the page.
func current(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/%s is not current: run make docs", name)
	}
}

func providerPage(s *plan.Schema) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n## Provider\n\n", s.Provider, sentence(s.Description))
	arguments(&b, s.Arguments)
	for _, block := range s.Blocks {
		fmt.Fprintf(&b, "### Block `%s`\n\n%s\n\n", block.Name, sentence(block.Description))
		arguments(&b, block.Arguments)
	}
	for _, t := range s.Types {
		fmt.Fprintf(&b, "## Resource `%s`\n\n%s\n\nArguments:\n\n", t.Name, sentence(t.Description))
		arguments(&b, t.Arguments)
		b.WriteString("Observed:\n\n| attribute | type | meaning |\n|---|---|---|\n")
		for _, a := range append(append([]plan.Attribute(nil), t.Attributes...), plan.CommonAttributes()...) {
			if _, isArgument := t.Argument(a.Name); isArgument {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, typeName(a.Type), cell(a.Description))
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func arguments(b *strings.Builder, list []plan.Argument) {
	b.WriteString("| argument | type | default | meaning |\n|---|---|---|---|\n")
	for _, a := range list {
		fallback := ""
		switch {
		case a.Env != "":
			fallback = "`$" + a.Env + "`"
		case a.Required:
			fallback = "required"
		case a.FromProvider:
			fallback = "the provider's"
		case a.Default != cty.NilVal && !a.Default.IsNull():
			if encoded, err := value.Encode(a.Default); err == nil {
				fallback = "`" + string(encoded) + "`"
			}
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, typeName(a.Type), fallback, cell(a.Description))
	}
	b.WriteString("\n")
}

func typeName(ty cty.Type) string {
	switch {
	case ty == cty.DynamicPseudoType:
		return "object"
	case ty.IsListType() && ty.ElementType().IsObjectType():
		return "list of objects"
	}
	return ty.FriendlyName()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
