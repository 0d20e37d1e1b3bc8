package functions

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/value"
)

// tableFiles is the directory that the tables' expressions read.
func tableFiles() folder {
	return folder{
		"a.txt": "hello\n", "u.txt": "café", "bin": "\xff\xfe", "empty.txt": "",
		"t.tmpl": "Hi ${name}!", "for.tmpl": "%{ for x in list ~}\n- ${x}\n%{ endfor ~}\n", "rec.tmpl": `${templatefile("rec.tmpl", {})}`,
		"sub/b.csv": "x", "sub/deep/c.csv": "x",
	}
}

// tableVariables are the values of which the tables speak: unknown ones, and
// sensitive ones.
func tableVariables() map[string]cty.Value {
	texts := cty.MapVal(map[string]cty.Value{"a": cty.StringVal("1"), "b": cty.StringVal("2")})
	list := cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")})
	return map[string]cty.Value{
		"unknown": cty.ObjectVal(map[string]cty.Value{
			"string": cty.UnknownVal(cty.String), "number": cty.UnknownVal(cty.Number), "bool": cty.UnknownVal(cty.Bool),
			"list": cty.UnknownVal(cty.List(cty.String)), "any": cty.DynamicVal,
			"map": cty.MapVal(map[string]cty.Value{"a": cty.UnknownVal(cty.String)}),
		}),
		"secret": cty.ObjectVal(map[string]cty.Value{
			"string": cty.StringVal("hunter2").Mark(Sensitive), "number": cty.NumberIntVal(7).Mark(Sensitive),
			"list": list.Mark(Sensitive), "map": texts.Mark(Sensitive),
		}),
	}
}

// told is what a table says of a result: its JSON, "unknown", "error: " and the
// reason; before it "sensitive" where it is.
func told(v cty.Value, diags hcl.Diagnostics) string {
	if diags.HasErrors() {
		return "error: " + strings.Join(strings.Fields(diags[0].Summary+" "+diags[0].Detail), " ")
	}
	sensitive := ""
	if v.IsMarked() {
		sensitive = "sensitive "
	}
	v, _ = v.UnmarkDeep()
	if !v.IsWhollyKnown() {
		return sensitive + "unknown"
	}
	encoded, err := value.Encode(v)
	if err != nil {
		return err.Error()
	}
	return sensitive + string(encoded)
}

// TestTables evaluates every row of the tables in testdata: an expression, and
// what it is in Terraform. Where we differ, what it is here stands after "||".
func TestTables(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no tables", err)
	}
	table := New(tableFiles(), &process{variables: map[string]string{"HOME": "/home/nobody", "HOME_TOWN": "Bern", "EMPTY": ""}})
	tried := map[string]int{}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		section := ""
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			line := lines.Text()
			if name, ok := strings.CutPrefix(line, "# "); ok {
				section = name
			}
			text, want, ok := strings.Cut(line, " ==> ")
			if strings.HasPrefix(line, "#") || !ok {
				continue
			}
			if _, ours, differs := strings.Cut(want, " || "); differs {
				want = ours
			}
			tried[section]++
			expr, diags := hclsyntax.ParseExpression([]byte(text), "test", hcl.InitialPos)
			got := told(cty.DynamicVal, diags)
			if !diags.HasErrors() {
				expr = expressions.PrepareExpression(expr, expressions.Rules{})
				got = told(expr.Value(&hcl.EvalContext{Functions: table, Variables: tableVariables()}))
			}
			if got != want {
				t.Errorf("%s\n  is   %s\n  want %s", text, got, want)
			}
		}
	}
	for name := range table {
		if tried[name] == 0 && !strings.HasPrefix(name, core) {
			t.Errorf("no table tries %s", name)
		}
	}
}
