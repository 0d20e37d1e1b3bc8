package hclspec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evaluateText evaluates an expression with a configuration's functions.
func evaluateText(t testing.TB, c *Root, text string) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "test", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return expr.Value(c.static)
}

// A path that leaves the configuration directory is an error, through a
// symbolic link too; one that stays within it may be a link.
func TestFilesStayInside(t *testing.T) {
	outside := writeDir(t, map[string]string{"secret.txt": "secret"})
	dir := writeDir(t, map[string]string{"main.wb.hcl": "locals {\n}\n", "data/real.txt": "real"})
	for link, target := range map[string]string{"leads-out.txt": filepath.Join(outside, "secret.txt"), "dir-out": outside, "inside.txt": filepath.Join("data", "real.txt")} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	c := mustLoadOptions(t, testOptions(dir))
	for _, text := range []string{`file("leads-out.txt")`, `file("dir-out/secret.txt")`, `file("../x")`, `file("data/../../x")`, `file("/etc/hostname")`, `filemd5("leads-out.txt")`, `fileexists("../x")`,
		`fileset("dir-out", "*")`, `templatefile("leads-out.txt", {})`} {
		if _, diags := evaluateText(t, c, text); !strings.Contains(diags.Error(), "leads out of the configuration directory") {
			t.Errorf("%s: %v", text, diags)
		}
	}
	if value, diags := evaluateText(t, c, `fileset(".", "**")`); diags.HasErrors() || strings.Contains(fmt.Sprintf("%#v", value), "secret") {
		t.Errorf("fileset: %#v %v", value, diags)
	}
	value, diags := evaluateText(t, c, `file("inside.txt")`)
	if diags.HasErrors() || value.AsString() != "real" {
		t.Errorf("a link within the directory: %v", diags)
	}
}
