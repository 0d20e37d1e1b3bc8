package functions

import (
	"fmt"
	"path"
	"strings"
	"testing"

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

func (f folder) Abs(path string) string { return "/configuration/" + path }

func (f folder) Read(path string) ([]byte, error) {
	text, ok := f[path]
	if !ok {
		return nil, fmt.Errorf("no file exists at %q", path)
	}
	return []byte(text), nil
}

func (f folder) Exists(path string) (bool, error) {
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
}

func (p *process) Lookup(name string) (string, bool) {
	text, ok := p.variables[name]
	return text, ok
}

func (p *process) Offline() bool          { return p.offline }
func (p *process) Secret(value cty.Value) { p.secrets = append(p.secrets, value) }

// evaluate gives an expression its value, with these functions and variables.
func evaluate(t testing.TB, table map[string]function.Function, variables map[string]cty.Value, text string) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "test", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	expressions.UseDecimals(expr)
	return expr.Value(&hcl.EvalContext{Functions: table, Variables: variables})
}

// TestFunctions evaluates each function once or more; the results, as
// canonical JSON, are those that Terraform's console prints.
func TestFunctions(t *testing.T) {
	files := folder{"a.txt": "hello", "t.tmpl": "%{ for x in list }${upper(x)} %{ endfor }", "sub/b.csv": "x", "sub/deep/c.csv": "x", "bin": "\xff"}
	table := New(files, &process{variables: map[string]string{"HOME_TOWN": "Bern"}})
	tested := map[string]bool{}
	for _, tc := range []struct{ text, want string }{
		{`abs(-3.5)`, `3.5`},
		{`alltrue([true, "true"])`, `true`}, {`alltrue([true, false])`, `false`}, {`alltrue([])`, `true`},
		{`anytrue([false, true])`, `true`}, {`anytrue([])`, `false`}, {`anytrue([false])`, `false`},
		{`base64decode("aGVsbG8=")`, `"hello"`}, {`base64encode("hello")`, `"aGVsbG8="`},
		{`length(base64gzip("hello")) > 10`, `true`},
		{`base64sha256("hello")`, `"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="`},
		{`substr(base64sha512("hello"), 0, 8)`, `"m3HSJL1i"`},
		{`basename("a/b.txt")`, `"b.txt"`}, {`dirname("a/b.txt")`, `"a"`},
		{`startswith(bcrypt("x"), "$2a$")`, `true`},
		{`can(tonumber("x"))`, `false`}, {`ceil(1.2)`, `2`}, {`floor(1.8)`, `1`}, {`chomp("a\n")`, `"a"`},
		{`chunklist(["a", "b", "c"], 2)`, `[["a","b"],["c"]]`},
		{`cidrhost("10.0.0.0/8", 5)`, `"10.0.0.5"`}, {`cidrnetmask("10.0.0.0/8")`, `"255.0.0.0"`},
		{`cidrsubnet("10.0.0.0/8", 8, 2)`, `"10.2.0.0/16"`}, {`cidrsubnets("10.0.0.0/8", 8, 8)`, `["10.0.0.0/16","10.1.0.0/16"]`},
		{`coalesce(null, "", "c")`, `"c"`}, {`coalescelist([], ["a"])`, `["a"]`}, {`compact(["a", "", "b"])`, `["a","b"]`},
		{`concat(["a"], ["b"])`, `["a","b"]`}, {`contains(["a"], "a")`, `true`},
		{`csvdecode("a,b\n1,\"x\ny\"\n")`, `[{"a":"1","b":"x\ny"}]`},
		{`distinct(["a", "a", "b"])`, `["a","b"]`}, {`element(["a", "b"], 3)`, `"b"`}, {`endswith("hello", "lo")`, `true`},
		{`nonsensitive(env("HOME_TOWN"))`, `"Bern"`}, {`nonsensitive(env("NOWHERE", "x"))`, `"x"`}, {`issensitive(env("HOME_TOWN"))`, `true`},
		{`issensitive("x")`, `false`}, {`issensitive(sensitive("x"))`, `true`}, {`nonsensitive("x")`, `"x"`},
		{`file("a.txt")`, `"hello"`}, {`filebase64("a.txt")`, `"aGVsbG8="`}, {`filebase64("bin")`, `"/w=="`}, {`fileexists("a.txt")`, `true`}, {`fileexists("b.txt")`, `false`},
		{`filemd5("a.txt")`, `"5d41402abc4b2a76b9719d911017c592"`}, {`filesha1("a.txt")`, `"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"`},
		{`filesha256("a.txt") == sha256("hello")`, `true`}, {`filesha512("a.txt") == sha512("hello")`, `true`},
		{`filebase64sha256("a.txt") == base64sha256("hello")`, `true`}, {`filebase64sha512("a.txt") == base64sha512("hello")`, `true`},
		{`fileset(".", "**/*.csv")`, `["sub/b.csv","sub/deep/c.csv"]`}, {`fileset("sub", "*")`, `["b.csv"]`}, {`fileset(".", "*.none")`, `[]`},
		{`flatten([["a"], [["b"]]])`, `["a","b"]`}, {`format("%s-%03d", "a", 7)`, `"a-007"`},
		{`formatdate("YYYY-MM-DD", "2026-01-02T03:04:05Z")`, `"2026-01-02"`}, {`formatlist("%s!", ["a", "b"])`, `["a!","b!"]`},
		{`indent(2, "a\nb")`, `"a\n  b"`}, {`index(["a", "b"], "b")`, `1`}, {`join("-", ["a", "b"])`, `"a-b"`},
		{`jsondecode("{\"a\": [1, 0.10]}")`, `{"a":[1,0.1]}`}, {`jsonencode({ a = 1, b = [true, null] })`, `"{\"a\":1,\"b\":[true,null]}"`},
		{`keys({ b = 1, a = 2 })`, `["a","b"]`}, {`length("häß")`, `3`}, {`length([1, 2])`, `2`}, {`length({ a = 1 })`, `1`}, {`length(toset(["a"]))`, `1`},
		{`log(8, 2)`, `3`}, {`lookup({ a = "1" }, "a")`, `"1"`}, {`lookup({ a = "1" }, "b", "d")`, `"d"`}, {`lookup(tomap({ a = "1" }), "a", "d")`, `"1"`}, {`lower("ABC")`, `"abc"`},
		{`matchkeys(["i-1", "i-2"], ["a", "b"], ["b"])`, `["i-2"]`}, {`max(1, 3, 2)`, `3`}, {`min(1, 3, 2)`, `1`}, {`md5("hello")`, `"5d41402abc4b2a76b9719d911017c592"`},
		{`merge({ a = 1 }, { b = 2 })`, `{"a":1,"b":2}`}, {`one([])`, `null`}, {`one(["a"])`, `"a"`}, {`one(toset(["a"]))`, `"a"`},
		{`parseint("ff", 16)`, `255`}, {`pow(2, 10)`, `1024`}, {`range(3)`, `[0,1,2]`}, {`regex("[a-z]+", "12ab")`, `"ab"`}, {`regexall("[a-z]", "1a2b")`, `["a","b"]`},
		{`replace("1 + 2", "+", "-")`, `"1 - 2"`}, {`replace("hello", "/l+/", "L")`, `"heLo"`}, {`replace("a-b", "/(\\w)-(\\w)/", "$2-$1")`, `"b-a"`}, {`reverse(["a", "b"])`, `["b","a"]`},
		{`setintersection(["a", "b"], ["b"])`, `["b"]`}, {`setproduct(["a"], ["b"])`, `[["a","b"]]`}, {`setsubtract(["a", "b"], ["b"])`, `["a"]`}, {`setunion(["a"], ["b"])`, `["a","b"]`},
		{`sha1("hello")`, `"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"`}, {`length(sha256("x"))`, `64`}, {`length(sha512("x"))`, `128`},
		{`signum(-3)`, `-1`}, {`slice(["a", "b", "c"], 1, 2)`, `["b"]`}, {`sort(["b", "a"])`, `["a","b"]`}, {`split(",", "a,b")`, `["a","b"]`},
		{`startswith("hello", "he")`, `true`}, {`strcontains("hello", "ell")`, `true`}, {`strrev("abc")`, `"cba"`}, {`substr("hello", 1, 3)`, `"ell"`},
		{`sum([for i in range(10) : 0.1])`, `1`}, {`sum([0.1, 0.2])`, `0.3`}, {`sum([])`, `0`}, {`sum(["12345678901234567.01", 0.02])`, `12345678901234567.03`}, {`sum(toset([1, 2]))`, `3`},
		{`templatefile("t.tmpl", { list = ["a", "b"] })`, `"A B "`}, {`templatestring("$${x}!", { x = "y" })`, `"y!"`},
		{`timeadd("2026-01-02T03:04:05Z", "1h")`, `"2026-01-02T04:04:05Z"`}, {`timecmp("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00")`, `0`},
		{`timecmp(timestamp(), "2020-01-01T00:00:00Z")`, `1`}, {`title("hello world")`, `"Hello World"`},
		{`tobool("true")`, `true`}, {`tolist(["a"])`, `["a"]`}, {`tomap({ a = 1 })`, `{"a":1}`}, {`tonumber("1.50")`, `1.5`}, {`toset(["b", "a", "a"])`, `["a","b"]`}, {`tostring(1.5)`, `"1.5"`},
		{`transpose({ a = ["x", "y"], b = ["y"] })`, `{"x":["a"],"y":["a","b"]}`}, {`trim("?a?", "?")`, `"a"`}, {`trimprefix("aab", "a")`, `"ab"`}, {`trimspace(" a ")`, `"a"`}, {`trimsuffix("baa", "a")`, `"ba"`},
		{`try(tonumber("x"), 5)`, `5`}, {`upper("abc")`, `"ABC"`}, {`urlencode("a b&c")`, `"a+b%26c"`}, {`length(uuid())`, `36`},
		{`uuidv5("dns", "www.terraform.io")`, `"a5008fae-b28c-5ba5-96cd-82b4c53552d6"`}, {`values({ b = 1, a = 2 })`, `[2,1]`},
		{`yamldecode("a: 1\nb: [x, z]")`, `{"a":1,"b":["x","z"]}`}, {`yamlencode({ a = 1 })`, `"\"a\": 1\n"`}, {`zipmap(["a", "b"], [1, 2])`, `{"a":1,"b":2}`},
		{`endswith(abspath("x"), "/x")`, `true`},
		// Numbers are exact, whatever the arithmetic.
		{`0.1 + 0.2`, `0.3`}, {`3 * 0.0136800000000000000000001`, `0.0410400000000000000000003`}, {`"${0.1} EUR"`, `"0.1 EUR"`}, {`10 / 4`, `2.5`},
	} {
		got, diags := evaluate(t, table, nil, tc.text)
		if diags.HasErrors() {
			t.Errorf("%s: %s", tc.text, diags)
			continue
		}
		got, _ = got.UnmarkDeep()
		encoded, err := value.Encode(got)
		if err != nil || string(encoded) != tc.want {
			t.Errorf("%s is %s (%v), want %s", tc.text, encoded, err, tc.want)
		}
		for name := range table {
			if strings.Contains(tc.text, name+"(") {
				tested[name] = true
			}
		}
	}
	for name := range table {
		if !tested[name] && name != "rsadecrypt" { // the library's own test has a key
			t.Errorf("%s is not tried", name)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	table := New(folder{}, &process{})
	for _, tc := range []struct{ text, want string }{
		{`one([1, 2])`, "zero or one elements"}, {`sum("x")`, "must be list, set, or tuple"}, {`sum([null])`, "it holds a null"}, {`sum(["a"])`, "number values"},
		{`lookup({ a = 1 }, "b")`, `no attribute "b"`}, {`index(["a"], "b")`, "item not found"}, {`length(5)`, "must be a string"},
		{`replace("a", "/(/", "b")`, "missing closing"}, {`timecmp("x", "y")`, "not a valid RFC3339"}, {`env("NOWHERE")`, "NOWHERE is not set"}, {`env("")`, "name of an environment variable"},
		{`env("A", "b", "c")`, "at most one default"},
		{`templatefile("none.tmpl", {})`, `no file exists at "none.tmpl"`}, {`templatestring("$${x}", {})`, `does not contain key "x"`}, {`templatestring("$${", {})`, "<template>:1"},
		{`fileset(".", "[")`, "is not a pattern"}, {`jsondecode("` + strings.Repeat("[", 2000) + `")`, "nested more than"}, {`yamldecode("` + strings.Repeat("[", 2000) + `")`, "nested more than"},
		{`transpose({ a = null })`, "null list"}, {`matchkeys(["a"], ["b", "c"], ["b"])`, "should be equal"}, {`tonumber("x")`, "cannot convert"},
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
	for text, want := range map[string]string{"": "missing header line", "a,a\n": `duplicate column name "a"`, "a,b\n1\n": "line 2: wrong number of fields", "a\n\"x\n": "CSV parse error on line"} {
		if _, _, err := decodeCSV(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
