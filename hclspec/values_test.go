package hclspec

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// Every source of a value beats those before it, whatever its syntax; on the
// command line the order is the user's.
func TestValueSources(t *testing.T) {
	files := map[string]string{
		"main.wb.hcl":               "variable \"v\" {\n  default = \"default\"\n}\n",
		"waybill.wbvars.hcl":        `v = "wbvars.hcl"`,
		"waybill.wbvars.json":       `{"v": "wbvars.json ${x}"}`,
		"a.auto.wbvars.json":        `{"v": "a.auto.json"}`,
		"b.auto.wbvars.hcl":         `v = "b.auto.hcl"`,
		"c.auto.wbvars.json":        `{"v": "c.auto.json"}`,
		".hidden.auto.wbvars.hcl":   `v = "hidden"`,
		".hidden.auto.wbvars.json":  `{"v": "hidden"}`,
		"values/by-hand.wbvars.hcl": `v = "file"`,
		"values/by-hand.json":       `{"v": "file.json"}`,
	}
	sources := []string{"environment", "waybill.wbvars.hcl", "waybill.wbvars.json", "a.auto.wbvars.json", "b.auto.wbvars.hcl", "c.auto.wbvars.json"}
	want := []string{"environment", "wbvars.hcl", "wbvars.json ${x}", "a.auto.json", "b.auto.hcl", "c.auto.json"}
	load := func(n int, vars ...Var) string {
		present := map[string]string{}
		for name, text := range files {
			present[name] = text
		}
		for _, later := range sources[n:] {
			delete(present, later)
		}
		opts := testOptions(writeDir(t, present))
		opts.Environ = environ(map[string]string{"WAYBILL_VAR_v": "environment"})
		if n == 0 {
			opts.Environ = nil
		}
		for i := range vars {
			if vars[i].File {
				vars[i].Text = filepath.Join(opts.Dir, vars[i].Text)
			}
		}
		opts.Vars = vars
		return mustLoadOptions(t, opts).module.variables["v"].value.AsString()
	}
	if got := load(0); got != "default" {
		t.Errorf("nothing given: %q", got)
	}
	for i := range sources {
		if got := load(i + 1); got != want[i] {
			t.Errorf("with %s: %q, want %q", sources[i], got, want[i])
		}
	}
	hand, json := Var{Text: "values/by-hand.wbvars.hcl", File: true}, Var{Text: "values/by-hand.json", File: true}
	option := Var{Text: "v=option"}
	for _, tc := range []struct {
		vars []Var
		want string
	}{
		{[]Var{option}, "option"}, {[]Var{hand}, "file"}, {[]Var{option, hand}, "file"}, {[]Var{hand, option}, "option"},
		{[]Var{hand, json}, "file.json"}, {[]Var{json, option, hand}, "file"}, {[]Var{hand, option, json, {Text: "v=x=y"}}, "x=y"},
	} {
		if got := load(len(sources), tc.vars...); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.vars, got, tc.want)
		}
	}
}

// What a text on the command line or in the environment means depends on the
// type that is declared: itself for none and for a primitive one, else HCL.
func TestTextsOfValues(t *testing.T) {
	for _, tc := range []struct{ declared, text, want string }{
		{``, `true`, `"true"`}, {``, `["p"]`, `"[\"p\"]"`}, {``, `null`, `"null"`},
		{`type = string`, `true`, `"true"`}, {`type = string`, `null`, `"null"`},
		{`type = bool`, `true`, `true`}, {`type = number`, `0.10`, `0.1`},
		{`type = any`, `true`, `true`}, {`type = any`, `["p", 1]`, `["p",1]`}, {`type = any`, `{a = {b = 1}}`, `{"a":{"b":1}}`},
		{`type = any`, `"x"`, `"x"`}, {`type = any`, `null`, `null`}, {`type = any`, `12.50`, `12.5`},
		{`type = list(any)`, `["p", 1]`, `["p","1"]`}, {`type = map(string)`, `{a = 1}`, `{"a":"1"}`},
		{`type = object({a = optional(any, 3)})`, `{}`, `{"a":3}`}, {`type = tuple([string, number])`, `[1, "2"]`, `["1",2]`},
		{`type = list`, `["p", 1]`, `["p","1"]`}, {`type = map`, `{a = 1}`, `{"a":1}`},
		{`type = set(string)`, `["b", "a", "b"]`, `["a","b"]`},
	} {
		files := hclFile("variable \"v\" {\n" + tc.declared + "\n}\noutput \"o\" {\n  value = var.v\n}\n")
		for _, from := range []string{"-var", "environment"} {
			opts := testOptions(writeDir(t, files))
			if from == "-var" {
				opts.Vars = []Var{{Text: "v=" + tc.text}}
			} else {
				opts.Environ = environ(map[string]string{"WAYBILL_VAR_v": tc.text})
			}
			c := mustLoadOptions(t, opts)
			got, err := value.Encode(c.module.variables["v"].value)
			if err != nil || string(got) != tc.want {
				t.Errorf("%s by %s, %q: %s (%v), want %s", tc.declared, from, tc.text, got, err, tc.want)
			}
		}
	}
}

// Where values come later, defaults are not judged, nor what follows from them;
// what holds for every value is.
func TestValuesLater(t *testing.T) {
	opts := testOptions(writeDir(t, hclFile(`
variable "empty" {
  default = ""
  validation {
    condition     = length(var.empty) > 0
    error_message = "Set it."
  }
}
variable "zero" {
  default = 0
}
variable "csv" {
  default = "missing.csv"
}
variable "refs" {
  type    = list(string)
  default = ["same", "same"]
}
locals {
  rows = csvdecode(file(var.csv))
  part = [1][var.zero + 1]
}
resource "globfax_recipient" "a" {
  for_each = { for i, r in var.refs : i => r }
  rcpt_ref = each.value
}
resource "globfax_recipient" "b" {
  for_each = { for r in local.rows : r.id => r }
  rcpt_ref = each.value.ref
}
`)))
	opts.Offline, opts.ValuesLater = true, true
	c, diags := Load(opts)
	noErrors(t, c, c.Mistakes(context.Background(), diags))
	if v := c.module.variables["refs"].value; !v.RawEquals(cty.UnknownVal(cty.List(cty.String))) {
		t.Errorf("refs is %#v", v)
	}

	opts.ValuesLater = false
	c, diags = Load(opts)
	if n := len(c.Mistakes(context.Background(), diags)); n < 4 {
		t.Errorf("%d mistakes where the defaults count", n)
	}

	opts.ValuesLater, opts.Vars = true, []Var{{Text: "empty="}}
	if _, diags := Load(opts); !diags.HasErrors() {
		t.Error("a value that was given is not judged")
	}
}
