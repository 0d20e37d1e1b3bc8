package hclspec

import (
	"testing"
)

func TestProductExample(t *testing.T) {
	c, diags := judgeAll(testOptions("testdata/good/product"), nil)
	t.Log(printed(c, diags))
	e := c.NewEvaluation(nil)
	for _, w := range waves(t, c, e) {
		for _, d := range w.Desired {
			t.Log(d.Address, d.Account, d.Identity, string(d.Args), d.Origin)
		}
	}
}
