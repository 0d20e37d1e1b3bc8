package hclspec

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/value"
)

// Heredocs are what Terraform 1.11 makes of them.
func TestHeredocs(t *testing.T) {
	want, err := os.ReadFile("testdata/heredocs/want.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := mustLoadOptions(t, testOptions("testdata/heredocs"))
	e := c.NewEvaluation(nil)
	waves(t, c, e)
	outputs, diags := e.Outputs(context.Background())
	noErrors(t, c, diags)
	var got strings.Builder
	for _, o := range outputs {
		text, err := value.Encode(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(o.Name + " " + string(text) + "\n")
	}
	if got.String() != string(want) {
		t.Errorf("they are\n%swant\n%s", got.String(), want)
	}
}
