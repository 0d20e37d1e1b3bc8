package hclspec

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// testSchemas are schemas of the four vendors' shapes. The vendors' own are in
// packages that this one does not import.
func testSchemas() []*plan.Schema {
	secret := func(name, env string) plan.Argument {
		return plan.Argument{Name: name, Type: cty.String, Required: true, Sensitive: true, Env: env}
	}
	network := func(endpoint string) []plan.Argument {
		return []plan.Argument{
			{Name: "endpoint", Type: cty.String, Default: cty.StringVal(endpoint)},
			{Name: "timeout", Type: cty.String, Default: cty.StringVal("30s"), Duration: true},
			{Name: "min_interval", Type: cty.String, Default: cty.StringVal("30s"), Duration: true},
		}
	}
	check := func(config cty.Value) []plan.Problem {
		endpoint := config.GetAttr("endpoint")
		if !endpoint.IsKnown() || endpoint.IsNull() || !strings.HasPrefix(endpoint.AsString(), "http://") {
			return nil
		}
		return []plan.Problem{{Argument: "endpoint", Summary: "Endpoint without TLS", Detail: "The endpoint would send the credentials in clear. Write https://."}}
	}
	text := func(args cty.Value, name string) string {
		v := args.GetAttr(name)
		if v.IsNull() {
			return ""
		}
		return v.AsString()
	}
	return []*plan.Schema{
		{
			Provider:  "globfax",
			Arguments: append([]plan.Argument{secret("api_key", "GLOBFAX_API_KEY"), secret("api_secret", "GLOBFAX_API_SECRET")}, network("https://api.globfax.com")...),
			Check:     check,
			Types: []*plan.Type{{
				Name: "globfax_recipient", Kind: plan.Polled,
				Arguments: []plan.Argument{{Name: "rcpt_ref", Type: cty.String, Required: true, Identity: true}},
				Attributes: []plan.Attribute{{Name: "status", Type: cty.String}, {Name: "failed_reason", Type: cty.String}, {Name: "charged_amount", Type: cty.Number},
					{Name: "unit_price", Type: cty.Number}, {Name: "extra", Type: cty.DynamicPseudoType}},
				Identity: func(args cty.Value) string { return text(args, "rcpt_ref") },
				Check: func(args cty.Value) []plan.Problem {
					ref := args.GetAttr("rcpt_ref")
					if !ref.IsKnown() || ref.IsNull() || !strings.ContainsAny(ref.AsString(), " /") {
						return nil
					}
					return []plan.Problem{{Argument: "rcpt_ref", Summary: "Invalid rcpt_ref", Detail: "A rcpt_ref has letters, digits, _ and -."}}
				},
			}},
		},
		{
			Provider:  "itniotech",
			Arguments: append([]plan.Argument{secret("api_key", "ITNIOTECH_API_KEY"), secret("api_secret", "ITNIOTECH_API_SECRET"), {Name: "app_id", Type: cty.String}}, network("https://api.itniotech.com/otp")...),
			Types: []*plan.Type{{
				Name: "itniotech_otp_order", Kind: plan.Polled,
				Arguments: []plan.Argument{{Name: "order_id", Type: cty.String, Required: true, Identity: true}, {Name: "app_id", Type: cty.String, FromProvider: true, Identity: true},
					{Name: "valid_for", Type: cty.String, Duration: true, Default: cty.StringVal("10m")}},
				Attributes: []plan.Attribute{{Name: "matched", Type: cty.Number}, {Name: "sms", Type: cty.List(cty.Object(map[string]cty.Type{"settle_pay": cty.String}))}},
				Identity:   func(args cty.Value) string { return text(args, "app_id") + "/" + text(args, "order_id") },
			}},
		},
		{
			Provider: "ucloud",
			Arguments: []plan.Argument{secret("public_key", "UCLOUD_PUBLIC_KEY"), secret("private_key", "UCLOUD_PRIVATE_KEY"), {Name: "project_id", Type: cty.String},
				{Name: "endpoint", Type: cty.String, Default: cty.StringVal("https://api.ucloud.cn/")}},
			Queue: func(config cty.Value) string { return text(config, "endpoint") + text(config, "public_key") },
			Types: []*plan.Type{
				{
					Name: "ucloud_usms_report_pull", Kind: plan.Policy,
					Arguments: []plan.Argument{{Name: "project_id", Type: cty.String, FromProvider: true, Identity: true}, {Name: "interval", Type: cty.String, Duration: true, Default: cty.StringVal("1m")},
						{Name: "limit", Type: cty.Number, Default: cty.NumberIntVal(100)}, {Name: "drain", Type: cty.Bool, Default: cty.True}},
					Attributes: []plan.Attribute{{Name: "pulled_total", Type: cty.Number}},
					Identity:   func(args cty.Value) string { return text(args, "project_id") },
				},
				{
					Name: "ucloud_usms_message", Kind: plan.Counted,
					Arguments:  []plan.Argument{{Name: "session_no", Type: cty.String, Required: true, Identity: true}, {Name: "expected", Type: cty.Number, Default: cty.NumberIntVal(1)}},
					Attributes: []plan.Attribute{{Name: "received", Type: cty.Number}, {Name: "failed_codes", Type: cty.Map(cty.Number)}},
					Identity:   func(args cty.Value) string { return text(args, "session_no") },
				},
			},
		},
		{
			Provider: "nxcloud",
			Blocks: []plan.Block{{Name: "callback", Arguments: []plan.Argument{
				{Name: "tokens", Type: cty.List(cty.String), Required: true, Sensitive: true, Env: "NXCLOUD_CALLBACK_TOKEN"},
				{Name: "allowed_cidrs", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String)},
			}}},
			Types: []*plan.Type{{
				Name: "nxcloud_number_check", Kind: plan.Counted,
				Arguments:  []plan.Argument{{Name: "batch_no", Type: cty.String, Required: true, Identity: true}, {Name: "expected", Type: cty.Number, Default: cty.NumberIntVal(1)}},
				Attributes: []plan.Attribute{{Name: "received", Type: cty.Number}},
				Identity:   func(args cty.Value) string { return text(args, "batch_no") },
			}},
		},
	}
}
