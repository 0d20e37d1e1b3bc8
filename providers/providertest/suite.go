package providertest

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// Vendor is what the suite needs to know of a vendor.
type Vendor struct {
	Definition *providers.Definition
	// Config sets what the provider block must have, credentials foremost.
	Config map[string]cty.Value
	// Secrets are the credentials among Config, which must not show anywhere.
	Secrets []string
	// Args sets what an instance of each type must have.
	Args map[string]map[string]cty.Value
	// Good is an answer that is understood: to a poll of the one polled type, a
	// page with two reports, or a callback's body.
	Good []byte
	// Other is an answer to a poll that is about another record.
	Other []byte
	// NotFound is an answer to a poll that says that there is no such record, with
	// that HTTP status (0: 200).
	NotFound       []byte
	NotFoundStatus int
	// Pushed is a callback's body that is understood, for vendors that are polled
	// as well; else Good is.
	Pushed []byte
	// Refused is an answer of the vendor's own form that refuses the credentials;
	// empty where no such form is known.
	Refused []byte
}

// Run puts a vendor through the suite.
func Run(t *testing.T, v Vendor) {
	t.Run("schema", func(t *testing.T) { testSchema(t, v) })
	t.Run("check", func(t *testing.T) { testCheck(t, v) })
	t.Run("facts", func(t *testing.T) { testFacts(t, v) })
	t.Run("derive", func(t *testing.T) { testDerive(t, v) })
	if v.Definition.Observe != nil {
		t.Run("observe", func(t *testing.T) { testObserve(t, v) })
	}
	if v.Definition.Records != nil {
		t.Run("records", func(t *testing.T) { testRecords(t, v) })
	}
	t.Run("connect", func(t *testing.T) { testConnect(t, v) })
}

// recorded is what Records understands.
func (v Vendor) recorded() []byte {
	if len(v.Pushed) > 0 {
		return v.Pushed
	}
	return v.Good
}

// target is a poll's target for the polled type.
func (v Vendor) target(t *testing.T) providers.Target {
	t.Helper()
	for _, ty := range v.Definition.Schema.Types {
		if ty.Kind == plan.Polled {
			args := Args(ty, v.Args[ty.Name])
			return providers.Target{Type: ty.Name, Identity: ty.Identity(args), Args: args, Config: Config(v.Definition.Schema, v.Config)}
		}
	}
	t.Fatal("no type is polled")
	return providers.Target{}
}

// with is Config with further values.
func (v Vendor) with(more map[string]cty.Value) cty.Value {
	values := make(map[string]cty.Value)
	for name, value := range v.Config {
		values[name] = value
	}
	for name, value := range more {
		values[name] = value
	}
	return Config(v.Definition.Schema, values)
}
