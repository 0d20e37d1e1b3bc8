// Package nxcloud takes the results of number checks that NXCLOUD pushes. Its
// page "Number Check API callback" is the source of what stands here.
package nxcloud

import (
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/value"
)

const (
	vendor     = "nxcloud"
	recordType = "nxcloud_number_check"
	// maxID is the length of requestId, in characters, as the page says; batchNo
	// has the same.
	maxID    = 64
	tokenEnv = "NXCLOUD_CALLBACK_TOKEN"
)

// Definition is NXCLOUD: one type, pushed.
func Definition() *providers.Definition {
	return &providers.Definition{
		Schema: &plan.Schema{
			Provider:    vendor,
			Description: "Results of number checks that NXCLOUD pushes to the receiver. Nothing in a callback is signed, so a secret token in the URL tells who sent it.",
			Blocks:      []plan.Block{providers.CallbackBlock(tokenEnv)},
			Check:       checkProvider,
			Types:       []*plan.Type{checkType()},
		},
		Records: records,
		// The page: every minute, for 60 minutes.
		Redelivery: providers.Redelivery{For: time.Hour, Chance: 70 * time.Second},
		Connect:    connect,
	}
}

func checkProvider(config cty.Value) []plan.Problem { return providers.CheckCallback(config, tokenEnv) }

func checkType() *plan.Type {
	return &plan.Type{
		Name:        recordType,
		Description: "One batch of number checks whose results are waited for; NXCLOUD pushes one callback for each number.",
		Kind:        plan.Counted,
		Arguments: []plan.Argument{
			{
				Name: "batch_no", Type: cty.String, Required: true, Identity: true,
				Description: "Number of the batch that submitting returned (batchNo), at most 64 characters.",
			},
			{
				Name: "expected", Type: cty.Number, Default: cty.NumberIntVal(1),
				Description: "How many results to wait for: one for each number that was submitted.",
			},
		},
		Attributes: []plan.Attribute{
			{Name: "received", Type: cty.Number, Description: "how many results arrived, one for each requestId"},
			{Name: "succeeded", Type: cty.Number, Description: "how many of them have code 0"},
			{Name: "failed", Type: cty.Number, Description: "how many of them have another code"},
			{Name: "failed_codes", Type: cty.Map(cty.Number), Description: "how many failed with each code"},
			{Name: "costs", Type: cty.Map(cty.Number), Description: "exact sum of the prices per currency, failures included"},
			{Name: "last_received_at", Type: cty.String, Description: "when the latest result arrived, RFC 3339 in UTC"},
		},
		Identity: func(args cty.Value) string {
			batch, _ := providers.Text(args, "batch_no")
			return batch
		},
		Check: func(args cty.Value) []plan.Problem {
			problems := providers.CheckName(args, "batch_no", maxID, "the batchNo that submitting returned")
			return append(problems, providers.CheckInteger(args, "expected", 1, 0)...)
		},
		Derive: derive,
	}
}

func derive(e plan.Evidence) cty.Value {
	attrs := providers.CountAttributes(e.Tally)
	attrs["costs"] = providers.CostMap(e.Tally.Costs)
	attrs["last_received_at"] = providers.TimeValue(e.Tally.LastAt)
	v := providers.CountVerdict(e, "results", remedy)
	if sum := e.Tally.Costs[""]; sum != nil {
		v.Reason += "; " + value.FormatDecimal(sum) + " of the cost names no currency"
	}
	if len(e.Tally.Costs) == 1 { // one sum of two currencies would be none
		for currency, sum := range e.Tally.Costs {
			v.Cost, v.Currency = sum, currency
		}
	}
	v.Put(attrs)
	return cty.ObjectVal(attrs)
}
