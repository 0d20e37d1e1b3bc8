package nxcloud

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// connect makes an account's gate.
func connect(config cty.Value, _ providers.Options) (*providers.Connection, error) {
	if problems := checkProvider(config); len(problems) > 0 {
		return nil, providers.Fault(providers.Rejected, vendor, "%s", problems[0].Detail)
	}
	gate, redactor := providers.NewGate(config)
	return &providers.Connection{Gate: gate, Redactor: redactor}, nil
}
