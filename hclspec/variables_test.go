package hclspec

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// Later beats earlier, the environment first.
func TestVariablePrecedence(t *testing.T) {
	dir := writeDir(t, map[string]string{
		"main.wb.hcl": `
variable "a" {
  default = "default"
}
variable "b" {
  default = "default"
}
variable "c" {
  default = "default"
}
variable "d" {
  default = "default"
}
variable "e" {
  default = "default"
}
variable "f" {
  default = "default"
}
`,
		"waybill.wbvars.hcl": "c = \"main\"\nd = \"main\"\ne = \"main\"\nf = \"main\"\n",
		"b.auto.wbvars.hcl":  "d = \"auto b\"\ne = \"auto b\"\nf = \"auto b\"\n",
		"a.auto.wbvars.hcl":  "d = \"auto a\"\n",
		"vars/file":          "e = \"file\"\nf = \"file\"\n",
	})
	opts := testOptions(dir)
	opts.Environ = environ(map[string]string{"WAYBILL_VAR_b": "environment", "WAYBILL_VAR_c": "environment"})
	opts.Vars = []Var{{filepath.Join(dir, "vars/file"), true}, {"f=first", false}, {"f=last", false}}
	c := mustLoadOptions(t, opts)
	for name, want := range map[string]string{"a": "default", "b": "environment", "c": "main", "d": "auto b", "e": "file", "f": "last"} {
		if got := c.module.variables[name].value.AsString(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestVariableTypes(t *testing.T) {
	opts := testOptions(writeDir(t, map[string]string{"main.wb.hcl": `
variable "list" {
  type = list(string)
}
variable "object" {
  type = object({
    name = string
    size = optional(number, 7)
    note = optional(string)
  })
  default = { name = "x" }
}
variable "number" {
  type = number
}
variable "any" {
  default = ["a", 1]
}
variable "kept" {
  default  = "kept"
  nullable = false
}
variable "unset" {
  default = null
}
variable "secret" {
  type      = string
  sensitive = true
}
`, "waybill.wbvars.hcl": "kept = null\n"}))
	opts.Vars = []Var{{Text: `list=["a", "b"]`}, {Text: "number=0.10"}, {Text: "secret=tell-nobody"}}
	c := mustLoadOptions(t, opts)
	for name, want := range map[string]cty.Value{
		"list":   cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
		"object": cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("x"), "size": cty.NumberIntVal(7), "note": cty.NullVal(cty.String)}),
		"number": cty.MustParseNumberVal("0.1"),
		"any":    cty.TupleVal([]cty.Value{cty.StringVal("a"), cty.NumberIntVal(1)}),
		"kept":   cty.StringVal("kept"),
		"unset":  cty.NullVal(cty.DynamicPseudoType),
		"secret": cty.StringVal("tell-nobody").Mark(markSensitive),
	} {
		if got := c.module.variables[name].value; !got.RawEquals(want) {
			t.Errorf("%s is %#v, want %#v", name, got, want)
		}
	}
}

func TestUndeclaredValueInAFileIsAWarning(t *testing.T) {
	c, diags := Load(testOptions(writeDir(t, map[string]string{"main.wb.hcl": "variable \"invoices\" {\n  default = 1\n}\n", "x.auto.wbvars.hcl": "invoice = 2\n"})))
	noErrors(t, c, diags)
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, `Did you mean "invoices"?`) {
		t.Errorf("diagnostics:\n%s", printed(c, diags))
	}
}

// Missing values are unknown offline, and what hangs on them is deferred.
func TestVariableWithoutValueOffline(t *testing.T) {
	opts := testOptions(writeDir(t, hclFile(`
variable "refs" {
  type = set(string)
}
resource "globfax_recipient" "a" {
  for_each = var.refs
  rcpt_ref = each.key
}
`)))
	opts.Offline = true
	c := mustLoadOptions(t, opts)
	all := waves(t, c, c.NewEvaluation(nil))
	equalStrings(t, "deferred", all[0].Deferred, []string{"globfax_recipient.a"})
}

// What is not referred to is not evaluated: a missing credential of one place
// does not hurt another.
func TestLocalsAreLazy(t *testing.T) {
	c := mustLoad(t, hclFile(`
locals {
  broken = env("NOWHERE")
  used   = "ref"
}
resource "globfax_recipient" "a" {
  rcpt_ref = local.used
}
`))
	e := c.NewEvaluation(seenMap{})
	wave, diags := e.next(t.Context())
	noErrors(t, c, diags)
	if wave.Desired[0].Identity != "ref" {
		t.Errorf("identity %q", wave.Desired[0].Identity)
	}
}
