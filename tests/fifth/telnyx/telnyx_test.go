package telnyx_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/providertest"
	"github.com/waybill-dev/waybill/tests/fifth/telnyx"
)

const (
	key   = "KEY0123456789ABCDEF_secret"
	token = "token-0123456789abcdef"
	fax   = "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0"
)

func TestSuite(t *testing.T) {
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	providertest.Run(t, providertest.Vendor{
		Definition: telnyx.Definition(),
		Config: map[string]cty.Value{
			"api_key": cty.StringVal(key), "public_key": cty.StringVal(base64.StdEncoding.EncodeToString(public)),
			"callback.tokens": cty.ListVal([]cty.Value{cty.StringVal(token)}),
		},
		Secrets: []string{key},
		Args: map[string]map[string]cty.Value{
			"telnyx_fax":     {"fax_id": cty.StringVal(fax)},
			"telnyx_message": {"message_id": cty.StringVal("834f3d53-8a3c-4aa0-a733-7f2d682a72df")},
		},
		Good:           providertest.File(t, "testdata/fax.json"),
		Other:          providertest.File(t, "testdata/other.json"),
		NotFound:       providertest.File(t, "testdata/not_found.json"),
		NotFoundStatus: 404,
		Pushed:         providertest.File(t, "testdata/finalized.json"),
	})
}

// The vendor's own examples, as they are read.
func TestGolden(t *testing.T) {
	d := telnyx.Definition()
	ty := providertest.TypeOf(t, d.Schema, "telnyx_fax")
	args := providertest.Args(ty, map[string]cty.Value{"fax_id": cty.StringVal(fax)})
	o, err := d.Observe(providers.Target{Type: ty.Name, Identity: fax, Args: args}, providertest.OK(providertest.File(t, "testdata/fax.json")))
	if err != nil {
		t.Fatal(err)
	}
	providertest.Golden(t, "fax.golden.json", map[string]json.RawMessage{
		"seen": providertest.Encode(t, o.Seen), "derived": providertest.Encode(t, ty.Derive(plan.Evidence{Args: args, Seen: o.Seen})),
	})
	r := d.Records(providertest.OK(providertest.File(t, "testdata/finalized.json"))).Records[0]
	providertest.Golden(t, "finalized.golden.json", map[string]any{
		"key": r.Key, "identity": r.Identity, "outcome": r.Outcome, "code": r.Code, "amount": r.Amount.Text('f'), "currency": r.Currency,
		"parts": r.Parts, "at": r.EventTime, "quarantined": r.Quarantined, "attributes": r.Attributes,
	})
}
