package hclspec

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/expressions"
)

// given is a value that somebody gave to a variable.
type given struct {
	value cty.Value
	text  string     // from the environment or -var: not parsed yet
	file  bool       // value is set
	from  string     // in words: "the environment variable WAYBILL_VAR_a"
	at    *hcl.Range // nil on the command line
}

// gatherValues gives each variable its value: from the environment, then the
// files of the directory, then -var and -var-file in their order. Of several
// the last counts.
func (c *Root) gatherValues() hcl.Diagnostics {
	var diags hcl.Diagnostics
	values := map[string]given{}
	for name := range c.module.variables {
		key := "WAYBILL_VAR_" + name
		if text, ok := c.opts.Environ(key); ok {
			values[name] = given{text: text, from: "the environment variable " + key}
		}
	}
	files, unread := c.valueFiles()
	diags = append(diags, unread...)
	for _, file := range files {
		diags = append(diags, c.readValues(file, values)...)
	}
	for _, given := range c.opts.Vars {
		if given.File {
			path, err := filepath.Abs(given.Text)
			if err != nil {
				path = given.Text
			}
			diags = append(diags, c.readValues(valueFile{path: path, shown: given.Text}, values)...)
			continue
		}
		diags = append(diags, c.readOption(given.Text, values)...)
	}
	for _, name := range sortedKeys(c.module.variables) {
		v := c.module.variables[name]
		g, ok := values[name]
		diags = append(diags, c.assign(v, g, ok)...)
	}
	return diags
}

// readOption reads one -var.
func (c *Root) readOption(option string, values map[string]given) hcl.Diagnostics {
	name, text, ok := strings.Cut(option, "=")
	name = nameOf(name)
	switch trimmed := strings.TrimSpace(name); {
	case !ok || trimmed == "":
		return hcl.Diagnostics{mistake("Invalid -var option", "Write a variable's name, an equals sign and the value, such as -var=\"region=eu\".", nil)}
	case trimmed != name:
		return hcl.Diagnostics{mistake("Invalid -var option", fmt.Sprintf("The variable name %q has spaces around it. Write -var=\"%s=...\", without spaces before the equals sign.", name, trimmed), nil)}
	case c.module.variables[name] == nil:
		return hcl.Diagnostics{undeclared("Value for undeclared variable",
			fmt.Sprintf("The option -var names %q, and the configuration has no such variable.%s", name, didYouMean(name, sortedKeys(c.module.variables))), nil)}
	}
	values[name] = given{text: text, from: fmt.Sprintf("the option -var %s=...", name)}
	return nil
}

// valueFile is a file of variable values.
type valueFile struct{ path, shown string }

// valueFiles are the directory's: waybill.wbvars, then *.auto.wbvars in the order
// of their names, each as .hcl or .json.
func (c *Root) valueFiles() ([]valueFile, hcl.Diagnostics) {
	// What is there and cannot be read is a mistake, not nothing; an unreadable
	// directory was told before.
	list := func(pattern string) []string {
		names, _ := c.opts.Files.List(pattern)
		return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, ".") })
	}
	auto := slices.Concat(list("*.auto.wbvars.hcl"), list("*.auto.wbvars.json"))
	slices.Sort(auto)
	var files []valueFile
	for _, name := range slices.Concat(list("waybill.wbvars.hcl"), list("waybill.wbvars.json"), auto) {
		files = append(files, valueFile{path: filepath.Join(c.dir, name), shown: name})
	}
	var diags hcl.Diagnostics
	for _, name := range slices.Concat(list("waybill.wbvars"), list("*.auto.wbvars")) {
		d := mistake("Variables file is not read", fmt.Sprintf("The file %s is not read, for its name does not say its syntax. Call it %s.hcl, or %s.json.", name, name, name), nil)
		d.Severity = hcl.DiagWarning
		diags = append(diags, d)
	}
	return files, diags
}

// readValues reads one file of values. What it says of undeclared variables is
// a mistake in a file that was named, since its writer meant this
// configuration, and a warning in the others, as in Terraform.
func (c *Root) readValues(f valueFile, values map[string]given) hcl.Diagnostics {
	src, err := c.opts.Files.Read(f.path)
	if err != nil {
		return hcl.Diagnostics{mistake("Unreadable variables file", fmt.Sprintf("The variables file %s cannot be read: %s.", f.shown, plainError(err)), nil)}
	}
	file, diags := c.parse(f.shown, src)
	if file == nil || file.Body == nil {
		return c.withoutText(diags)
	}
	attrs, attrDiags := file.Body.JustAttributes()
	diags = c.withoutText(append(diags, attrDiags...))
	for _, attr := range attributesInOrder(attrs) {
		name := nameOf(attr.Name)
		v := c.module.variables[name]
		if v == nil {
			d := undeclared("Value for undeclared variable",
				fmt.Sprintf("The configuration has no variable named %q, which has a value in the file %s.%s", attr.Name, f.shown, didYouMean(attr.Name, sortedKeys(c.module.variables))), attr.NameRange.Ptr())
			d.Severity = hcl.DiagWarning
			diags = append(diags, d)
			continue
		}
		value, valueDiags := attr.Expr.Value(nil)
		if v.sensitive {
			for _, d := range valueDiags { // its source line may hold the secret
				d.Subject, d.Context, d.Expression = attr.NameRange.Ptr(), nil, nil
			}
		}
		diags = append(diags, valueDiags...)
		at := attr.Expr.Range()
		if v.sensitive {
			at = v.declared
		}
		if valueDiags.HasErrors() {
			value = cty.DynamicVal
		}
		values[name] = given{value: value, file: true, from: "the file " + f.shown, at: at.Ptr()}
	}
	return diags
}

// withoutText tells of mistakes in a file of values where they are, and repeats
// nothing of the text, where a sensitive variable may have its value in it: what
// cannot be read does not say whose value it is.
func (c *Root) withoutText(diags hcl.Diagnostics) hcl.Diagnostics {
	if !slices.ContainsFunc(slices.Collect(maps.Values(c.module.variables)), func(v *variable) bool { return v.sensitive }) {
		return diags
	}
	for i, d := range diags {
		where := ""
		if d.Subject != nil {
			where = fmt.Sprintf(" at %s, column %d", place(*d.Subject), d.Subject.Start.Column)
		}
		hidden := mistake("Invalid variables file", fmt.Sprintf("The file of values cannot be read%s. What is there is not shown, for sensitive variables may have their values in it.", where), nil)
		hidden.Severity = d.Severity
		diags[i] = hidden
	}
	return diags
}

// assign gives a variable its value.
func (c *Root) assign(v *variable, g given, ok bool) hcl.Diagnostics {
	unknown := cty.UnknownVal(v.typ.WithoutOptionalAttributesDeep())
	set := func(value cty.Value) {
		if v.sensitive {
			collectSecrets(value, c.read.secret)
			value = value.Mark(markSensitive)
		}
		v.value = value
	}
	if !ok {
		switch {
		case c.opts.ValuesLater:
			set(unknown)
		case v.def != cty.NilVal:
			set(v.def)
		case c.opts.Offline:
			set(unknown)
		default:
			set(unknown)
			return hcl.Diagnostics{mistake("No value for required variable",
				fmt.Sprintf("The variable %q has no value and no default. Give it one with -var %s=..., in a variables file or in the environment as WAYBILL_VAR_%s.", v.name, v.name, v.name), v.declared.Ptr())}
		}
		return nil
	}
	at := g.at
	if at == nil {
		at = v.declared.Ptr()
	}
	value := g.value
	if !g.file {
		if v.sensitive {
			c.read.secret(g.text)
		}
		parsed, err := v.parse(g.text)
		if err != nil {
			set(unknown)
			return hcl.Diagnostics{mistake("Invalid value for input variable",
				fmt.Sprintf("The value that %s gives to var.%s is not an expression: write it as in a variables file, strings within it in quotes.", g.from, v.name), at)}
		}
		value = parsed
	}
	value, err := v.convert(value)
	if err != nil {
		set(unknown)
		return hcl.Diagnostics{mistake("Invalid value for input variable",
			fmt.Sprintf("The value that %s gives to var.%s is not suitable for it: %s.", g.from, v.name, v.unsuitable(err)), at)}
	}
	if value.IsNull() && !v.nullable {
		if v.def == cty.NilVal {
			set(unknown)
			return hcl.Diagnostics{mistake("Required variable not set",
				fmt.Sprintf("The value that %s gives to var.%s is null, and its nullable = false allows no null. Give another value.", g.from, v.name), at)}
		}
		value = v.def
	}
	set(value)
	return nil
}

// parse reads the text of -var and of the environment: itself for a primitive
// type or none, else an HCL expression. any is a type.
func (v *variable) parse(text string) (cty.Value, error) {
	if v.untyped || v.typ.IsPrimitiveType() {
		return cty.StringVal(text), nil
	}
	if diags := expressions.CheckText("", []byte(text)); diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return value, nil
}
