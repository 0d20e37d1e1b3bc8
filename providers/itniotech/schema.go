// Package itniotech reads OTP verification records at itniotech. Its page
// "query by order id" is the source of what stands here; sibling brands serve
// the same at other addresses.
package itniotech

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

const (
	vendor = "itniotech"
	// maxName bounds app_id and order_id, for which the page gives no bound.
	maxName = 255
)

// Definition is itniotech: one type, polled.
func Definition() *providers.Definition {
	return &providers.Definition{
		Schema: &plan.Schema{
			Provider:    vendor,
			Description: "OTP orders at itniotech, read one by one (POST /verification/orderId/record).",
			Arguments:   providerArguments(),
			Check:       checkProvider,
			Types:       []*plan.Type{orderType()},
		},
		Observe: observe,
		Connect: connect,
	}
}

func providerArguments() []plan.Argument {
	arguments := []plan.Argument{
		{
			Name: "api_key", Type: cty.String, Required: true, Sensitive: true, Env: "ITNIOTECH_API_KEY",
			Description: "API key, sent as the header Api-Key and part of the signature.",
		},
		{
			Name: "api_secret", Type: cty.String, Required: true, Sensitive: true, Env: "ITNIOTECH_API_SECRET",
			Description: "API secret, part of the signature and never sent.",
		},
		{
			Name: "app_id", Type: cty.String,
			Description: "Application of the orders that do not name one themselves.",
		},
	}
	return append(arguments, providers.NetworkArguments(providers.Defaults{
		Endpoint: "https://api.itniotech.com/otp", Timeout: "30s", RequestsPerSecond: 50, Concurrency: 16, MinInterval: "30s",
	})...)
}

func checkProvider(config cty.Value) []plan.Problem {
	problems := providers.CheckNetwork(config, "")
	problems = append(problems, providers.CheckCredential(config, "api_key", "api_secret")...)
	return append(problems, providers.CheckName(config, "app_id", maxName, "the application's id, or leave it out")...)
}

func orderType() *plan.Type {
	attributes := attributes()
	return &plan.Type{
		Name:        "itniotech_otp_order",
		Description: "One OTP order: whether its code was entered in time, how it was sent, and what it cost.",
		Kind:        plan.Polled,
		Arguments: []plan.Argument{
			{
				Name: "order_id", Type: cty.String, Required: true, Identity: true,
				Description: "Your own serial number of the order, as it was given when the code was sent.",
			},
			{
				Name: "app_id", Type: cty.String, FromProvider: true, Identity: true,
				Description: "Application of the order; the provider's unless given.",
			},
			{
				Name: "valid_for", Type: cty.String, Duration: true, Default: cty.StringVal("10m"),
				Description: "How long the code can be entered, from the earliest send time; after that an order that was not verified has failed.",
			},
		},
		Attributes: attributes,
		Identity: func(args cty.Value) string {
			order, _ := providers.Text(args, "order_id")
			if app, _ := providers.Text(args, "app_id"); app != "" {
				return app + "/" + order
			}
			return order
		},
		Check: func(args cty.Value) []plan.Problem {
			problems := providers.CheckName(args, "order_id", maxName, "the serial number that was given when the code was sent")
			problems = append(problems, providers.CheckName(args, "app_id", maxName, "the application's id, or leave it out")...)
			return append(problems, providers.CheckPositiveDuration(args, "valid_for", "10m")...)
		},
		Derive: func(e plan.Evidence) cty.Value { return derive(attributes, e) },
		// An order that nobody verifies fails by the clock.
		ClockDriven: true,
	}
}

func attributes() []plan.Attribute {
	return []plan.Attribute{
		{Name: "flow_id", Type: cty.Number, Description: "id of the task flow"},
		{Name: "matched", Type: cty.Number, Description: "result of the check: -1 not checked yet, 0 right, 1 being sent, 2 wrong code, 3 no such verification"},
		{Name: "verified_date", Type: cty.String, Description: "when the code was checked, RFC 3339"},
		{Name: "ori_receiver", Type: cty.String, Description: "number that received the code"},
		{Name: "channel", Type: cty.String, Description: "active channel: sms, call or sna"},
		{Name: "sms", Type: cty.List(objectType(smsFields)), Description: "text messages that were sent, with what each cost"},
		{Name: "call", Type: cty.List(objectType(callFields)), Description: "voice calls that were made, with what each cost"},
		{Name: "sna", Type: cty.List(objectType(snaFields)), Description: "silent network authentications, with what each cost"},
		{Name: "extra", Type: cty.DynamicPseudoType, Description: "fields that the vendor's page does not document, and documented ones of an unexpected form, as an object with names such as \"sms[0].foo\"; null when there are none"},
	}
}

// field is one field of a list's objects.
type field struct {
	name   string   // in snake_case
	vendor []string // the vendor's spellings
	form   form
}

type form uint8

const (
	asText   form = iota // money too: exactly as written
	asNumber             // counts, codes and statuses
	asTime
)

// The fields of sms, call and sna. The page's table says settleCurrency where
// its example says currency, and billPeriodstring where billPeriod may be meant.
var (
	settleFields = []field{
		{"settle_pay", []string{"settlePay"}, asText},
		{"settle_price", []string{"settlePrice"}, asText},
		{"settle_currency", []string{"settleCurrency", "currency"}, asText},
		{"quote_exchange", []string{"quoteExchange"}, asText},
	}
	smsFields = append([]field{
		{"submit_tm", []string{"submitTm"}, asTime},
		{"send_tm", []string{"sendTm"}, asTime},
		{"done_tm", []string{"doneTm"}, asTime},
		{"mcc", []string{"mcc"}, asNumber},
		{"mnc", []string{"mnc"}, asNumber},
		{"sender", []string{"sender"}, asText},
		{"charge_cnt", []string{"chargeCnt"}, asNumber},
		{"pay", []string{"pay"}, asText},
		{"status", []string{"status"}, asNumber},
		{"reason", []string{"reason"}, asText},
	}, settleFields...)
	callFields = append([]field{
		{"termination_code", []string{"terminationCode"}, asNumber},
		{"termination_reason", []string{"terminationReason"}, asText},
		{"submit_time", []string{"submitTime"}, asTime},
		{"call_time", []string{"callTime"}, asTime},
		{"ringing_time", []string{"ringingTime"}, asTime},
		{"answer_time", []string{"answerTime"}, asTime},
		{"hangup_time", []string{"hangupTime"}, asTime},
		{"call_duration", []string{"callDuration"}, asNumber},
		{"charged_duration", []string{"chargedDuration"}, asNumber},
		{"display_num", []string{"displayNum"}, asText},
		{"bill_period", []string{"billPeriod", "billPeriodstring"}, asText},
		{"code", []string{"code"}, asText},
		{"rate", []string{"rate"}, asText},
		{"cost", []string{"cost"}, asText},
	}, settleFields...)
	snaFields = append([]field{
		{"post_verification_time", []string{"postVerificationTime"}, asTime},
		{"verification_back_time", []string{"verificationBackTime"}, asTime},
		{"mcc", []string{"mcc"}, asNumber},
		{"mnc", []string{"mnc"}, asNumber},
		{"status", []string{"status"}, asNumber},
		{"reason", []string{"reason"}, asText},
	}, settleFields...)
)

func objectType(fields []field) cty.Type {
	attrs := make(map[string]cty.Type, len(fields))
	for _, f := range fields {
		attrs[f.name] = cty.String
		if f.form == asNumber {
			attrs[f.name] = cty.Number
		}
	}
	return cty.Object(attrs)
}
