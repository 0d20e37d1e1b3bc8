// Package providertest is the suite that every vendor passes, and what the
// vendors' own tests share. It touches the vendor that it is given, through a server
// on this machine, and the files under the caller's testdata.
package providertest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/value"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Config is a provider block's complete values: the schema's defaults, with the
// values given in their place. An argument of a nested block is named
// "callback.tokens".
func Config(schema *plan.Schema, values map[string]cty.Value) cty.Value {
	attrs := complete(schema.Arguments, "", values)
	for _, block := range schema.Blocks {
		attrs[block.Name] = cty.ObjectVal(complete(block.Arguments, block.Name+".", values))
	}
	attrs["suspend"] = cty.False
	return cty.ObjectVal(attrs)
}

// Args is the complete arguments of an instance of a type, made as Config is.
func Args(ty *plan.Type, values map[string]cty.Value) cty.Value {
	attrs := complete(ty.Arguments, "", values)
	for name, aty := range ty.ArgsType().AttributeTypes() {
		if _, ok := attrs[name]; ok {
			continue
		}
		attrs[name] = cty.NullVal(aty)
		if v, ok := values[name]; ok {
			attrs[name] = v
		}
	}
	return cty.ObjectVal(attrs)
}

func complete(arguments []plan.Argument, prefix string, values map[string]cty.Value) map[string]cty.Value {
	attrs := make(map[string]cty.Value)
	for _, a := range arguments {
		attrs[a.Name] = cty.NullVal(a.Type)
		if a.Default != cty.NilVal {
			attrs[a.Name] = a.Default
		}
		if v, ok := values[prefix+a.Name]; ok {
			attrs[a.Name] = v
		}
	}
	return attrs
}

// TypeOf is the type of that name; the test ends when there is none.
func TypeOf(t testing.TB, schema *plan.Schema, name string) *plan.Type {
	t.Helper()
	for _, ty := range schema.Types {
		if ty.Name == name {
			return ty
		}
	}
	t.Fatalf("%s has no type %s", schema.Provider, name)
	return nil
}

// OK is a whole answer with HTTP 200.
func OK(body []byte) providers.Answer {
	return providers.Answer{Status: 200, Body: body, Complete: true, Reached: true}
}

// File is the content of a file.
func File(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Encode is a value as canonical JSON.
func Encode(t testing.TB, v cty.Value) json.RawMessage {
	t.Helper()
	b, err := value.Encode(v)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b
}

// Golden compares JSON with what stands in testdata/name, which -update writes.
func Golden(t *testing.T, name string, got any) {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := File(t, path); !bytes.Equal(want, text.Bytes()) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, text.Bytes(), want)
	}
}
