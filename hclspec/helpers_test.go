package hclspec

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// testEnviron holds the credentials of all four vendors.
func testEnviron() map[string]string {
	return map[string]string{
		"GLOBFAX_API_KEY": "globfax-key-1", "GLOBFAX_API_SECRET": "globfax-secret-1",
		"ITNIOTECH_API_KEY": "itniotech-key-1", "ITNIOTECH_API_SECRET": "itniotech-secret-1",
		"UCLOUD_PUBLIC_KEY": "ucloud-public-1", "UCLOUD_PRIVATE_KEY": "ucloud-private-1",
		"NXCLOUD_CALLBACK_TOKEN": "nxcloud-token-0123456789",
	}
}

func environ(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := values[name]
		return v, ok
	}
}

// writeDir writes files into a fresh directory.
func writeDir(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func testOptions(dir string) Options {
	return Options{Dir: dir, Schemas: testSchemas(), Environ: environ(testEnviron())}
}

// mustLoad loads a configuration that has no mistakes.
func mustLoad(t testing.TB, files map[string]string) *Root {
	t.Helper()
	return mustLoadOptions(t, testOptions(writeDir(t, files)))
}

func mustLoadOptions(t testing.TB, opts Options) *Root {
	t.Helper()
	c, diags := Load(opts)
	noErrors(t, c, diags)
	return c
}

func hclFile(text string) map[string]string { return map[string]string{"main.wb.hcl": text} }

func noErrors(t testing.TB, c *Root, diags hcl.Diagnostics) {
	t.Helper()
	if diags.HasErrors() {
		t.Fatalf("mistakes:\n%s", printed(c, diags))
	}
}

// printed is what a user sees of diagnostics.
func printed(c *Root, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	sources := map[string]*hcl.File{}
	if c != nil {
		sources = c.Sources()
	}
	if err := hcl.NewDiagnosticTextWriter(&b, sources, 0, false).WriteDiagnostics(diags); err != nil {
		return err.Error()
	}
	return b.String()
}

// judgeAll loads a directory and evaluates everything, as plan does, and
// returns all diagnostics; with a mistake all of them, as validate does.
func judgeAll(opts Options, seen Seen) (*Root, hcl.Diagnostics) {
	ctx := context.Background()
	opts.Version = "0.1.0"
	c, diags := Load(opts)
	if !diags.HasErrors() {
		_, settingsDiags := c.Settings()
		_, accountDiags := c.Accounts()
		e := c.NewEvaluation(seen)
		waveDiags, _ := e.All(ctx, nil)
		_, outputDiags := e.Outputs(ctx)
		_, checkDiags := e.Checks(ctx)
		for _, more := range []hcl.Diagnostics{settingsDiags, accountDiags, waveDiags, outputDiags, checkDiags} {
			diags = append(diags, more...)
		}
	}
	if diags.HasErrors() {
		diags = c.Mistakes(ctx, diags)
	}
	return c, diags
}

// waves walks a whole evaluation.
func waves(t testing.TB, c *Root, e *Evaluation) []*Wave {
	t.Helper()
	var list []*Wave
	for {
		wave, diags := e.next(context.Background())
		noErrors(t, c, diags)
		if wave == nil {
			return list
		}
		list = append(list, wave)
	}
}

// seenMap is what was seen, by block.
type seenMap map[string]map[plan.Key]cty.Value

func (s seenMap) Instances(_ context.Context, typ, name string) (map[plan.Key]cty.Value, error) {
	return s[typ+"."+name], nil
}

// values are an item's values: nulls but for those given.
func values(c *Root, typ string, given map[string]cty.Value) cty.Value {
	attrs := map[string]cty.Value{}
	for name, ty := range c.types[typ].values.AttributeTypes() {
		attrs[name] = cty.NullVal(ty)
		if v, ok := given[name]; ok {
			attrs[name] = v
		}
	}
	return cty.ObjectVal(attrs)
}
