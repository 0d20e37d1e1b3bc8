package hclspec

import (
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// An argument that is a map breaks nothing: its keys are the user's, whatever
// Waybill's own arguments are called, and its order is no difference.
func TestMapArgument(t *testing.T) {
	schemas := testSchemas()
	fax := schemas[0].Types[0]
	fax.Arguments = append(fax.Arguments, plan.Argument{Name: "labels", Type: cty.Map(cty.String)})
	load := func(labels string) plan.Desired {
		opts := testOptions(writeDir(t, map[string]string{"f.csv": "id,suspend\nr1,no\n", "main.wb.hcl": `
resource "globfax_recipient" "a" {
  for_each      = { for r in csvdecode(file("f.csv")) : r.id => r }
  rcpt_ref      = each.value.id
  give_up_after = "24h"
  ` + labels + `
  poll {
    interval = "2m"
  }
}
`}))
		opts.Schemas = schemas
		c := mustLoadOptions(t, opts)
		return waves(t, c, c.NewEvaluation(nil))[0].Desired[0]
	}
	want := plan.Settings{Interval: 2 * time.Minute, MaxInterval: 15 * time.Minute, GiveUpAfter: 24 * time.Hour}
	none := load("")
	a := load(`labels = { suspend = "true", interval = "1s", "give_up_after" = each.key, prevent_forget = true, poll = "x" }`)
	b := load(`labels = { poll = "x", "give_up_after" = "r1", prevent_forget = "true", interval = "1s", suspend = "${true}" }`)
	if none.Settings != want || a.Settings != want || b.Settings != want {
		t.Errorf("settings %+v, %+v and %+v, want %+v", none.Settings, a.Settings, b.Settings, want)
	}
	if string(a.Args) != string(b.Args) || string(a.Args) == string(none.Args) {
		t.Errorf("arguments %s, %s and %s", none.Args, a.Args, b.Args)
	}
	decoded, err := plan.DecodeSettings(a.Args)
	if err != nil || decoded != want {
		t.Errorf("recorded arguments say %+v, %v", decoded, err)
	}
}
