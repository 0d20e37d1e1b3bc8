package hclspec

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad loads any text as HCL and as JSON: no text may crash the loader,
// and every diagnostic can be printed. What loads is evaluated.
func FuzzLoad(f *testing.F) {
	paths, _ := filepath.Glob("testdata/bad/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if isConfigName(file.Name) && len(file.Data) < 4096 {
				f.Add(file.Data, strings.HasSuffix(file.Name, ".json"))
			}
		}
	}
	example, err := os.ReadFile("testdata/good/product/main.wb.hcl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, false)
	schemas := testSchemas()
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte, isJSON bool) {
		name := "main.wb.hcl"
		if isJSON {
			name = "main.wb.json"
		}
		c, diags := newRoot(Options{Dir: dir, Schemas: schemas, Environ: environ(testEnviron()), Parallelism: 1})
		file, fileDiags := c.parse(name, src)
		diags = append(diags, fileDiags...)
		if file != nil && file.Body != nil {
			diags = append(diags, c.load([]*hcl.File{file})...)
		}
		_, more := c.Settings()
		diags = append(diags, more...)
		if !diags.HasErrors() && !costly(src) {
			_, more = c.Accounts()
			diags = append(diags, more...)
			e := c.NewEvaluation(nil)
			for {
				wave, more := e.next(context.Background())
				diags = append(diags, more...)
				if wave == nil {
					break
				}
				for _, d := range wave.Desired {
					for _, v := range e.Judge(d.Address, c.types[d.Address.Type()].unread()) {
						_ = v.Message
					}
				}
			}
			_, more = e.Outputs(context.Background())
			diags = append(diags, more...)
			_, more = e.Checks(context.Background())
			diags = append(diags, more...)
		}
		if diags.HasErrors() && !costly(src) {
			c.broken = brokenBy(fileDiags, c.parser.Files())
			diags = c.Mistakes(context.Background(), c.broken.without(diags))
		}
		_ = printed(c, c.clean(diags))
	})
}

// costly texts are right to take long: they ask for a million things.
func costly(src []byte) bool {
	for _, word := range []string{"bcrypt", "format", "pow", "setproduct", "count", "indent", "e", "E"} {
		if bytes.Contains(src, []byte(word+"(")) {
			return true
		}
	}
	return bytes.Contains(src, []byte("count")) || len(src) > 1<<16
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte("a=1\nb  = {c=2}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		once, diags := Format("main.wb.hcl", src)
		if diags.HasErrors() {
			return
		}
		twice, diags := Format("main.wb.hcl", once)
		if diags.HasErrors() || !bytes.Equal(once, twice) {
			t.Errorf("formatted %q again: %q %v", once, twice, diags)
		}
	})
}

func TestFormat(t *testing.T) {
	got, diags := Format("main.wb.hcl", []byte("resource \"a\" \"b\" {\na=1\n  bcd = 2\n}\n"))
	if diags.HasErrors() || string(got) != "resource \"a\" \"b\" {\n  a   = 1\n  bcd = 2\n}\n" {
		t.Errorf("%q %v", got, diags)
	}
	if _, diags := Format("main.wb.hcl", []byte("a = \n")); !diags.HasErrors() {
		t.Error("a syntax mistake was formatted")
	}
}
