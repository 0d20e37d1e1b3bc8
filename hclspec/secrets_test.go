package hclspec

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is derived from a secret is a secret: no mistake repeats a part of one,
// in the values that it shows or in its sentence, however the part was come by.
func TestMistakesTellNoPartOfASecret(t *testing.T) {
	const parts = `split(",", env("TOKENS"))`
	for _, text := range []string{
		`[for k in PARTS : tonumber(k)]`,
		`[for i, k in PARTS : tonumber(k) + i]`,
		`{ for k in PARTS : k => tonumber(k) }`,
		`{ for k in concat(PARTS, PARTS) : k => 1 }`,
		`{ for k in [1, 2] : PARTS[0] => k }`,
		`{ for k in PARTS : null => k }`,
		`[for k in PARTS : 1 if tobool(k)]`,
		`[for k in PARTS : 1 if k]`,
		`[for k in PARTS : k.name]`,
		`[for k in PARTS : k + 1]`,
		`[for k in PARTS : -k]`,
		`[for k in PARTS : "x${[k]}"]`,
		`[for a in [1] : [for k in PARTS : tonumber(k)]]`,
		`[for k in PARTS : [for z in [1] : tonumber(k)]]`,
		`[for k in PARTS : [for z in [k] : tonumber(z)]]`,
		`[for k in toset(PARTS) : tonumber(k)]`,
		`[for k, v in { for p in PARTS : p => 1 } : tonumber(k)]`,
		`[for k, v in zipmap(PARTS, [1, 2]) : tonumber(k)]`,
		`[for k in [PARTS[0]] : tonumber(k)]`,
		`[for o in [{ secret = PARTS[0] }] : tonumber(o.secret)]`,
		`[for k in PARTS : env(k)]`,
		`[for k in PARTS : file(k)]`,
		`"%{ for k in PARTS }${tonumber(k)}%{ endfor }"`,
		`"%{ if PARTS[0] }x%{ endif }"`,
		`PARTS[*].name`,
		`[PARTS[0]][*].name`,
		`PARTS[PARTS[0]]`,
		`PARTS[0] ? 1 : 2`,
		`{ a = 1 }[PARTS[0]]`,
		`tomap({ a = 1 })[PARTS[0]]`,
		`templatestring("%{ for k in list }$${tonumber(k)}%{ endfor }", { list = PARTS })`,
		`templatestring("$${tonumber(k)}", { k = PARTS[0] })`,
		`templatefile("t.tmpl", { list = PARTS })`,
		`tonumber(PARTS[0])`,
		`tobool(PARTS[0])`,
		`tomap(PARTS)`,
		`parseint(PARTS[0], 10)`,
		`regex(PARTS[0], "x")`,
		`regex("([", PARTS[0])`,
		`lookup({}, PARTS[0])`,
		`lookup(tomap({ a = 1 }), PARTS[0])`,
		`formatlist("%d", PARTS)`,
		`transpose({ for k in PARTS : k => 1 })`,
		`transpose({ a = { for k in PARTS : k => 1 } })`,
		`join(",", { for k in PARTS : k => 1 })`,
		`join(",", [{ for k in PARTS : k => 1 }])`,
		`setunion({ for k in PARTS : k => 1 }, [1])`,
		`true ? { for k in PARTS : k => [k] } : { a = 1 }`,
		`false ? { a = 1 } : local.keyed`,
		`true ? [local.keyed] : [{ a = 1 }]`,
		`true ? { a = local.keyed } : { a = { b = 1 } }`,
		`[for z in [1] : z == 1 ? local.keyed : { a = 1 }]`,
		`format("%d", PARTS[0])`,
		`format(PARTS[0], 1)`,
		`jsondecode(PARTS[0])`,
		`yamldecode("*${PARTS[0]}")`,
		`csvdecode("a\n${PARTS[0]},1")`,
		`csvdecode("${PARTS[0]},${PARTS[0]}\n")`,
		`timeadd(PARTS[0], "1h")`,
		`timecmp(PARTS[0], "2026-01-02T03:04:05Z")`,
		`formatdate("YYYY", PARTS[0])`,
		`cidrhost(PARTS[0], 1)`,
		`base64decode(PARTS[0])`,
		`textencodebase64("x", PARTS[0])`,
		`file(PARTS[0])`,
		`fileset(PARTS[0], "*")`,
		`fileset(".", "[${PARTS[0]}")`,
		`env(PARTS[0])`,
		`uuidv5(PARTS[0], "x")`,
		`rsadecrypt(PARTS[0], PARTS[1])`,
		`index(["a"], PARTS[0])`,
		`one(PARTS)`,
		`sum(PARTS)`,
		`max(PARTS...)`,
		`element(["a"], PARTS[0])`,
		`pathexpand("~${PARTS[0]}")`,
		`try([for k in PARTS : tonumber(k)])`,
		`try(tonumber(PARTS[0]))`,
		`try({ for k in concat(PARTS, PARTS) : k => 1 }, PARTS[5])`,
		`try(env(PARTS[0]), file(PARTS[0]))`,
		`local.parts[0] + 1`,
		`[for k in local.parts : tonumber(k)]`,
		`[for k in nonsensitive(1) == 1 ? local.parts : [] : tonumber(k)]`,
		`{ for k in ["x"] : k => tonumber(local.object[k]) }`,
	} {
		text = strings.ReplaceAll(text, "PARTS", parts)
		template, err := json.Marshal("${" + text + "}")
		if err != nil {
			t.Fatal(err)
		}
		for name, source := range map[string]string{
			"main.wb.hcl":  "locals {\n  parts  = " + parts + "\n  object = { x = local.parts[0] }\n  keyed  = { for k in local.parts : k => [k] }\n}\noutput \"o\" {\n  sensitive = true\n  value = " + text + "\n}\n",
			"main.wb.json": `{"locals": {"parts": "${split(\",\", env(\"TOKENS\"))}", "object": {"x": "${local.parts[0]}"}, "keyed": "${{ for k in local.parts : k => [k] }}"}, "output": {"o": {"sensitive": true, "value": ` + string(template) + `}}}`,
		} {
			opts := testOptions(writeDir(t, map[string]string{name: source, "t.tmpl": "%{ for k in list }${tonumber(k)}%{ endfor }"}))
			variables := testEnviron()
			variables["TOKENS"] = "hunter2-A,hunter2-B"
			opts.Environ = environ(variables)
			c, diags := judgeAll(opts, nil)
			shown := printed(c, diags)
			if !diags.HasErrors() {
				t.Errorf("%s in %s is no mistake", text, name)
			}
			if strings.Contains(shown, "hunter2") {
				t.Errorf("%s in %s tells:\n%s", text, name, shown)
			}
			for _, d := range diags {
				if d.Expression == nil || d.EvalContext == nil {
					continue
				}
				for _, traversal := range d.Expression.Variables() {
					if v, bad := traversal.TraverseAbs(d.EvalContext); !bad.HasErrors() && v.IsMarked() {
						t.Errorf("%s in %s hands out a secret to whoever prints %s", text, name, traversal.RootName())
					}
				}
			}
		}
	}
}

// A sensitive variable's value is not told by what is wrong with it, wherever
// it comes from.
func TestMistakesTellNoPartOfASensitiveVariable(t *testing.T) {
	for _, typ := range []string{"map(number)", "map(list(string))", "map(object({ a = number }))", "object({ a = string })", "list(string)", "tuple([string])", "number"} {
		declared := "variable \"s\" {\n  type      = " + typ + "\n  sensitive = true\n}\n"
		for name, give := range map[string]func(files, variables map[string]string, opts *Options){
			"environment": func(_, variables map[string]string, _ *Options) {
				variables["WAYBILL_VAR_s"] = `{ hunter2 = "hunter3" }`
			},
			"option": func(_, _ map[string]string, opts *Options) {
				opts.Vars = []Var{{Text: `s={ hunter2 = "hunter3" }`}}
			},
			"HCL": func(files, _ map[string]string, _ *Options) {
				files["waybill.wbvars.hcl"] = "s = {\n  hunter2 = \"hunter3\"\n}\n"
			},
			"JSON": func(files, _ map[string]string, _ *Options) {
				files["a.auto.wbvars.json"] = `{"s": {"hunter2": "hunter3"}}`
			},
			"broken HCL": func(files, _ map[string]string, _ *Options) {
				files["waybill.wbvars.hcl"] = "s = { hunter2 = \"a\" \"hunter3\" }\n"
			},
			"broken HCL block": func(files, _ map[string]string, _ *Options) {
				files["waybill.wbvars.hcl"] = "s hunter2 {\n}\n"
			},
			"broken JSON": func(files, _ map[string]string, _ *Options) {
				files["waybill.wbvars.json"] = `{"s": {"hunter2": hunter3}}`
			},
		} {
			files, variables := map[string]string{"main.wb.hcl": declared}, testEnviron()
			opts := testOptions("")
			give(files, variables, &opts)
			opts.Dir, opts.Environ = writeDir(t, files), environ(variables)
			c, diags := judgeAll(opts, nil)
			shown := printed(c, diags)
			if !diags.HasErrors() {
				t.Errorf("%s from %s is no mistake", typ, name)
			}
			if strings.Contains(shown, "hunter") {
				t.Errorf("%s from %s tells:\n%s", typ, name, shown)
			}
		}
	}
}
