package functions

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// What would take all memory or all time is refused with a sentence, wherever
// the argument comes from.
func TestBounds(t *testing.T) {
	aliases, err := os.ReadFile("testdata/aliases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	list := make([]cty.Value, 3000)
	for i := range list {
		list[i] = cty.StringVal("x")
	}
	shared := cty.TupleVal([]cty.Value{cty.StringVal("x"), cty.StringVal("y")})
	for range 21 { // 2^22 leaves in 22 pairs
		shared = cty.TupleVal([]cty.Value{shared, shared})
	}
	variables := map[string]cty.Value{
		"long": cty.StringVal(long), "list": cty.ListVal(list), "shared": shared, "digits": cty.StringVal(strings.Repeat("9", 100_000)),
		"aliases": cty.StringVal(string(aliases)), "deep": cty.StringVal(strings.Repeat("[", 2000)), "dashes": cty.StringVal(strings.Repeat("- ", 5000)),
		"steps": cty.StringVal("a:\n" + stairs(1500)), "self": cty.StringVal("a: &a [*a]"), "cell": cty.StringVal("1e300000000"),
	}
	table := New(folder{}, &process{})
	for text, want := range map[string]string{
		`tonumber("1e100000000")`:            "the number is too large",
		`tonumber("1e-100000000")`:           "the number is too large or too small",
		`tonumber("1E+0000100000000")`:       "the number is too large",
		`tonumber(sensitive("1e100000000"))`: "the reason is not shown",
		`tonumber(digits)`:                   "the number is too large",
		`cell + 1`:                           "the number is too large",
		`-cell`:                              "the number is too large",
		`abs(cell)`:                          "the number is too large",
		`max(1, cell)`:                       "the number is too large",
		`sum([1, cell])`:                     "the number is too large",
		`jsondecode("[1e100000000]")`:        "the number is too large",
		`yamldecode("a: 1e100000000")`:       "the number is too large",
		`regexall("x?", join("", [long, long, long, long, long]))`: "more than 4194304 elements",
		`split("", join("", [long, long, long, long, long]))`:      "more than 4194304 elements",
		`range(0, cell)`:                        "the number is too large",
		`element(list, cell)`:                   "the number is too large",
		`cidrsubnet("10.0.0.0/8", 8, cell)`:     "the number is too large",
		`formatlist("%d", [cell])`:              "the number is too large",
		`log(10, 1)`:                            "not a finite number",
		`parseint(digits, 10)`:                  "more than 10000 digits",
		`format("%d", cell)`:                    "the number is too large",
		`tonumber("1e900") * tonumber("1e900")`: "the number is too large",
		`pow(10, 100000)`:                       "finite",
		`bcrypt("x", 31)`:                       "takes too long",
		`setproduct(list, list)`:                "more than 4194304 elements",
		`setproduct(list, list, list, list, list, list, list)`:    "more than 4194304 elements",
		`format("%1000000000s", "x")`:                             "a width, precision or index over",
		`format("%.1000000000f", 1)`:                              "a width, precision or index over",
		`format("%[1000000000]s", "x")`:                           "a width, precision or index over",
		`formatlist("%1000000000s", list)`:                        "a width, precision or index over",
		`join(long, list)`:                                        "more than 64 MiB",
		`replace(long, "x", long)`:                                "more than 64 MiB",
		`replace(long, "/x/", long)`:                              "more than 64 MiB",
		`replace(long, "/.*/", join("", [for x in list : "$0"]))`: "more than 64 MiB",
		`replace(long, "", long)`:                                 "more than 64 MiB",
		`indent(1000000000, "a\nb")`:                              "more than 64 MiB",
		`indent(8675309123456, "a")`:                              "more than 64 MiB",
		`indent(1e18, "")`:                                        "more than 64 MiB",
		`indent(1e300, "a")`:                                      "more than 64 MiB",
		`indent(-1, "a\nb")`:                                      "must not be negative",
		`flatten(shared)`:                                         "more than 4194304 elements",
		`yamldecode(aliases)`:                                     "with its aliases expanded",
		`yamldecode(self)`:                                        "alias",
		`yamldecode(deep)`:                                        "nested more than",
		`yamldecode(dashes)`:                                      "nested more than",
		`yamldecode(steps)`:                                       "nested more than",
		`jsondecode(deep)`:                                        "nested more than",
		`range(0, 1000000000)`:                                    "more than 1024 values",
		`5 / 0`:                                                   "division by zero",
		`5 % 0`:                                                   "division by zero",
		`0 / 0`:                                                   "division by zero",
	} {
		_, diags := evaluate(t, table, variables, text)
		if !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: %v, want %q", text, diags, want)
		}
	}
	for _, name := range []string{"jsonencode", "yamlencode"} {
		if err := bounds[name]([]cty.Value{shared}); err == nil {
			t.Errorf("%s of a value with millions of parts is computed", name)
		}
	}
	// What is large but not too large goes on.
	for _, text := range []string{`yamldecode("a: &x [1]\nb: *x")`, `tonumber("1e300")`, `jsondecode("1e-300")`, `setproduct(list, ["a", "b"])`, `indent(100, "a\nb")`,
		`replace(long, "x", "yy")`, `replace(long, "/x/", "yy")`, `join(",", list)`, `format("%100s", long)`, `jsonencode(list)`, `split("", long)`, `bcrypt("x", 4)`} {
		if _, diags := evaluate(t, table, variables, text); diags.HasErrors() {
			t.Errorf("%s: %s", text, diags)
		}
	}
}

// stairs is a YAML map in a map, n deep.
func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

// Evaluation that is to end ends at the next function.
func TestStopped(t *testing.T) {
	env := &process{}
	table := New(folder{}, env)
	if _, diags := evaluate(t, table, nil, `upper("a")`); diags.HasErrors() {
		t.Fatal(diags)
	}
	env.stopped = context.Canceled
	if _, diags := evaluate(t, table, nil, `[for x in ["a"] : upper(x)]`); !strings.Contains(diags.Error(), "evaluation was ended") {
		t.Errorf("%v", diags)
	}
}

// timestamp does not move while a configuration is in force.
func TestTimestamp(t *testing.T) {
	table := New(folder{}, &process{})
	for _, text := range []string{`timestamp()`, `plantimestamp()`} {
		if v, diags := evaluate(t, table, nil, text); diags.HasErrors() || v.AsString() != "2026-01-02T03:04:05Z" {
			t.Errorf("%s is %#v, %v", text, v, diags)
		}
	}
}

func TestRSADecrypt(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 rsadecrypt reads what Terraform reads: PKCS #1 v1.5
	cipher, err := rsa.EncryptPKCS1v15(rand.Reader, &key.PublicKey, []byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	variables := map[string]cty.Value{"cipher": cty.StringVal(base64.StdEncoding.EncodeToString(cipher)), "key": cty.StringVal(string(text)).Mark(Sensitive)}
	v, diags := evaluate(t, New(folder{}, &process{}), variables, `rsadecrypt(cipher, key)`)
	if plain, marks := v.Unmark(); diags.HasErrors() || plain.AsString() != "message" || len(marks) == 0 {
		t.Errorf("%#v, %v", v, diags)
	}
}
