// Package nxcloud takes the results of number checks that NXCLOUD pushes. Its
// page "Number Check API callback" is the source of what stands here.
package nxcloud

import (
	"fmt"
	"net/netip"
	"strings"
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
	minToken = 16
)

// Definition is NXCLOUD: one type, pushed.
func Definition() *providers.Definition {
	return &providers.Definition{
		Schema: &plan.Schema{
			Provider:    vendor,
			Description: "Results of number checks that NXCLOUD pushes to the receiver. Nothing in a callback is signed, so a secret token in the URL tells who sent it.",
			Blocks: []plan.Block{{
				Name:        "callback",
				Description: "Who may push results.",
				Arguments: []plan.Argument{
					{
						Name: "tokens", Type: cty.List(cty.String), Required: true, Sensitive: true, Env: "NXCLOUD_CALLBACK_TOKEN",
						Description: "Secrets of at least 16 characters; a callback's URL ends with one of them. Several while one is being replaced.",
					},
					{
						Name: "allowed_cidrs", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String),
						Description: "Addresses that callbacks may come from, such as 203.0.113.0/24; empty means any.",
					},
				},
			}},
			Check: checkProvider,
			Types: []*plan.Type{checkType()},
		},
		Records: records,
		// The page: every minute, for 60 minutes.
		Redelivery: providers.Redelivery{For: time.Hour, Chance: 70 * time.Second},
		Connect:    connect,
	}
}

func checkProvider(config cty.Value) []plan.Problem {
	var problems []plan.Problem
	callback := callbackOf(config)
	tokens, known := texts(callback, "tokens")
	if known && len(tokens) == 0 {
		problems = append(problems, plan.Problem{
			Argument: "callback.tokens", Summary: "Missing callback token",
			Detail: "Without a token nobody can push results. Write tokens = [env(\"NXCLOUD_CALLBACK_TOKEN\")], a secret of at least 16 characters.",
		})
	}
	for i, token := range tokens {
		detail := ""
		switch {
		case len(token) < minToken:
			detail = fmt.Sprintf("Token %d has fewer than %d characters, and could be guessed. Make one with \"openssl rand -hex 16\".", i+1, minToken)
		case strings.Trim(token, tokenCharacters) != "":
			detail = fmt.Sprintf("Token %d has characters that do not stand for themselves in a URL. Use letters, digits, and - . _ ~ only, such as \"openssl rand -hex 16\" prints.", i+1)
		default:
			continue
		}
		problems = append(problems, plan.Problem{Argument: "callback.tokens", Summary: "Invalid callback token", Detail: detail})
	}
	cidrs, _ := texts(callback, "allowed_cidrs")
	for _, cidr := range cidrs {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			problems = append(problems, plan.Problem{
				Argument: "callback.allowed_cidrs", Summary: "Invalid allowed_cidrs",
				Detail: fmt.Sprintf("%q is not a range of addresses. Write one such as \"203.0.113.0/24\", or \"203.0.113.7/32\" for one address.", cidr),
			})
		}
	}
	return problems
}

// tokenCharacters stand for themselves in a URL's path.
const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

func callbackOf(config cty.Value) cty.Value {
	if config == cty.NilVal {
		return cty.NilVal
	}
	config, _ = config.Unmark()
	callback, _ := providers.Attribute(config, "callback", cty.DynamicPseudoType).Unmark()
	return callback
}

// texts are the known strings of a list; known is false when the list or
// something in it is not known, so that its length says nothing.
func texts(block cty.Value, name string) (list []string, known bool) {
	if block == cty.NilVal || !block.IsKnown() {
		return nil, false
	}
	v, _ := providers.Attribute(block, name, cty.List(cty.String)).Unmark()
	if !v.IsKnown() {
		return nil, false
	}
	if v.IsNull() || !v.CanIterateElements() {
		return nil, true
	}
	known = true
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		e, _ = e.Unmark()
		if !e.IsKnown() || e.IsNull() || e.Type() != cty.String {
			known = false
			continue
		}
		list = append(list, e.AsString())
	}
	return list, known
}

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
