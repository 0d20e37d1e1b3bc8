package functions

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/value"
)

// folder is a directory of texts in memory.
type folder map[string]string

func (f folder) Abs(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/configuration", name)
}

func (f folder) Read(name string) ([]byte, error) {
	text, ok := f[path.Clean(name)]
	if !ok {
		return nil, fmt.Errorf("no file exists at %q", name)
	}
	return []byte(text), nil
}

func (f folder) Exists(path string) (bool, error) {
	if path == "sub" {
		return false, fmt.Errorf("%q is not a regular file", path)
	}
	_, ok := f[path]
	return ok, nil
}

func (f folder) Match(dir, pattern string) ([]string, error) {
	var found []string
	for name := range f {
		if rest, ok := strings.CutPrefix(path.Join("/", name), path.Join("/", dir)); ok {
			rest = strings.TrimPrefix(rest, "/")
			if matches, err := doublestar.Match(pattern, rest); err == nil && matches {
				found = append(found, rest)
			}
		}
	}
	return found, nil
}

// process is an environment, and what it was told of secrets.
type process struct {
	variables map[string]string
	secrets   []cty.Value
	offline   bool
	stopped   error
}

func (p *process) Lookup(name string) (string, bool) {
	text, ok := p.variables[name]
	return text, ok
}

func (p *process) Offline() bool          { return p.offline }
func (p *process) Loaded() time.Time      { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
func (p *process) Stopped() error         { return p.stopped }
func (p *process) Secret(value cty.Value) { p.secrets = append(p.secrets, value) }

// evaluate gives an expression its value, with these functions and variables.
func evaluate(t testing.TB, table map[string]function.Function, variables map[string]cty.Value, text string) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "test", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	expr = expressions.PrepareExpression(expr, expressions.Rules{})
	return expr.Value(&hcl.EvalContext{Functions: table, Variables: variables})
}

func TestFunctionErrors(t *testing.T) {
	table := New(folder{}, &process{})
	for _, tc := range []struct{ text, want string }{
		{`one([1, 2])`, "at most one element"}, {`sum("x")`, "no list or set of numbers"}, {`sum([null])`, "it holds a null"}, {`sum(["a"])`, "no number"},
		{`lookup({ a = 1 }, "b")`, `no attribute "b"`}, {`index(["a"], "b")`, "item not found"}, {`length(5)`, "has a length"},
		{`replace("a", "/(/", "b")`, "missing closing"}, {`timecmp("x", "y")`, "is not a time such as"}, {`env("NOWHERE")`, "NOWHERE is not set"}, {`env("")`, "name of an environment variable"},
		{`env("A", "b", "c")`, "at most one default"},
		{`templatefile("none.tmpl", {})`, `no file exists at "none.tmpl"`}, {`templatestring("$${x}", {})`, `the template uses "x"`}, {`templatestring("$${", {})`, "<template>:1"},
		{`fileset(".", "[")`, "is not a pattern"}, {`jsondecode("` + strings.Repeat("[", 2000) + `")`, "nested more than"}, {`yamldecode("` + strings.Repeat("[", 2000) + `")`, "nested more than"},
		{`transpose({ a = null })`, "a list in the map is null"}, {`matchkeys(["a"], ["b", "c"], ["b"])`, "not as many keys as values"}, {`tonumber("x")`, "cannot convert"},
	} {
		_, diags := evaluate(t, table, nil, tc.text)
		if !strings.Contains(diags.Error(), tc.want) {
			t.Errorf("%.40s: %v, want %q", tc.text, diags, tc.want)
		}
	}
}

func TestFunctionsOfUnknowns(t *testing.T) {
	table := New(folder{}, &process{})
	variables := map[string]cty.Value{"u": cty.UnknownVal(cty.String), "d": cty.DynamicVal, "l": cty.UnknownVal(cty.List(cty.Number)), "s": cty.UnknownVal(cty.String).Mark(Sensitive)}
	for _, text := range []string{`upper(u)`, `length(d)`, `sum(l)`, `sum([1, d])`, `alltrue([true, d])`, `one(l)`, `lookup({ a = 1 }, u, 2)`, `csvdecode(u)`, `jsondecode(u)`,
		`file(u)`, `templatefile("x", d)`, `index(l, 1)`, `coalesce(u, "x")`, `startswith(u, "a")`, `upper(s)`, `env(u)`} {
		value, diags := evaluate(t, table, variables, text)
		if diags.HasErrors() || value.IsKnown() {
			t.Errorf("%s is %#v, %v", text, value, diags)
		}
		if strings.Contains(text, "(s)") && !value.IsMarked() {
			t.Errorf("%s lost its mark", text)
		}
	}
	if value, diags := evaluate(t, table, nil, `alltrue([false, null])`); diags.HasErrors() || value.True() {
		t.Errorf("%#v %v", value, diags)
	}
}

func TestCSV(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"byte order mark": {"\ufeffa,b\n1,2\n", `[{"a":"1","b":"2"}]`},
		"CRLF":            {"a,b\r\n1,\"x\r\ny\"\r\n3,4\r\n", `[{"a":"1","b":"x\ny"},{"a":"3","b":"4"}]`},
		"BOM and quotes":  {"\ufeff\"a\",b\n1,2", `[{"a":"1","b":"2"}]`},
		"empty fields":    {"a,b\n,\n", `[{"a":"","b":""}]`},
		"blank lines":     {"a\n\n1\n\n", `[{"a":"1"}]`},
		"header only":     {"a,b\n", `[]`},
		"quotes":          {"a\n\"say \"\"hi\"\", you\"\n", `[{"a":"say \"hi\", you"}]`},
		"spaces":          {"a, b\n1, 2\n", `[{" b":" 2","a":"1"}]`},
	} {
		rows, err := csvDecodeFunc.Call([]cty.Value{cty.StringVal(tc.text)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if encoded, err := value.Encode(rows); err != nil || string(encoded) != tc.want {
			t.Errorf("%s: %s (%v), want %s", name, encoded, err, tc.want)
		}
	}
	var header, row []string
	for i := range 100_000 {
		header, row = append(header, fmt.Sprintf("c%d", i)), append(row, "v")
	}
	rows, _, err := decodeCSV(strings.Join(header, ",") + "\n" + strings.Join(row, ",") + "\n")
	if err != nil || len(rows) != 1 || rows[0].GetAttr("c99999").AsString() != "v" {
		t.Errorf("a hundred thousand columns: %d rows, %v", len(rows), err)
	}
	for text, want := range map[string]string{"": "missing header line", "a,a\n": `duplicate column name "a"`, "a,b\n1\n": "line 2: wrong number of fields", "a\n\"x\n": "a mistake on line 2"} {
		if _, _, err := decodeCSV(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
