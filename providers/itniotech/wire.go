package itniotech

import (
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

const credentials = "api_key and api_secret (ITNIOTECH_API_KEY, ITNIOTECH_API_SECRET)"

// observe reads the answer to one poll. Errors arrive with HTTP 200 and a status
// other than 0 in the envelope.
func observe(target providers.Target, a providers.Answer) (plan.Observation, error) {
	a, fault := providers.Open(vendor, a)
	if fault != nil {
		return plan.Observation{}, fault
	}
	decoded, repeated, err := providers.Decode(a.Body)
	object, isObject := decoded.(map[string]any)
	if err != nil || !isObject {
		if fault := providers.JudgeStatus(vendor, a, credentials, ""); fault != nil {
			return plan.Observation{}, fault
		}
		return plan.Observation{}, wrong("the answer %s; check endpoint", providers.NotJSON(a.Body))
	}
	envelope := providers.NewFields(object, repeated)
	reason, _ := envelope.Text("reason")
	status, ok := envelope.Int("status")
	if fault := providers.JudgeStatus(vendor, a, credentials, reason); fault != nil && (!ok || status == 0) {
		return plan.Observation{}, fault
	}
	switch {
	case envelope.Misfit("status") != "":
		return plan.Observation{}, misfit(envelope, "status")
	case !ok:
		return plan.Observation{}, wrong("the answer has no status; check endpoint")
	case status == codeParameters:
		return plan.Observation{NotFound: true, Message: reason}, nil
	case status != 0:
		return plan.Observation{}, refused(a, status, reason)
	}
	data := envelope.Apart("data")
	switch {
	case envelope.Misfit("data") != "":
		return plan.Observation{}, misfit(envelope, "data")
	case data == nil || data.Empty():
		return plan.Observation{NotFound: true, Message: reason}, nil
	}
	return readOrder(target, data)
}

// misfit is the error of a field without which nothing can be observed.
func misfit(f *providers.Fields, name string) *providers.Error {
	return wrong("the answer holds %s; if this goes on, ask itniotech's support", f.Misfit(name))
}

func readOrder(target providers.Target, f *providers.Fields) (plan.Observation, error) {
	checked := f.Object("verifications")
	if f.Misfit("verifications") != "" {
		return plan.Observation{}, misfit(f, "verifications")
	}
	// The table has orderId in data, the example in verifications as well.
	order, named := f.Text("orderId")
	again, namedAgain := "", false
	if checked == nil {
		checked = f // what it would hold may stand in data itself
	} else {
		again, namedAgain = checked.Text("orderId")
	}
	matched := cty.NullVal(cty.Number)
	if n, ok := checked.Int("matched"); ok {
		matched = cty.NumberIntVal(n)
	}
	switch {
	case f.Misfit("orderId") != "":
		return plan.Observation{}, misfit(f, "orderId")
	case checked.Misfit("orderId") != "":
		return plan.Observation{}, misfit(checked, "orderId")
	case checked.Repeated("matched"):
		return plan.Observation{}, misfit(checked, "matched")
	}
	want, _ := providers.Text(target.Args, "order_id")
	if !named && !namedAgain || named && order != want || namedAgain && again != want {
		return plan.Observation{}, wrong("the answer is about another order, or names none; it is asked again later")
	}
	attrs := map[string]cty.Value{
		"flow_id":       providers.NumberValue(f.Number("flowId")),
		"matched":       matched,
		"verified_date": providers.StringValue(checked.Time("verifiedDate", nil)),
		"ori_receiver":  providers.StringValue(checked.Text("oriReceiver")),
		"channel":       providers.StringValue(checked.Text("channel")),
		"sms":           readList(f, "sms", smsFields),
		"call":          readList(f, "call", callFields),
		"sna":           readList(f, "sna", snaFields),
	}
	checked.Done()
	f.Done()
	attrs["extra"] = f.Extra()
	return plan.Observation{Seen: cty.ObjectVal(attrs)}, nil
}

// readList reads a channel's list, which sibling interfaces send as one object.
func readList(f *providers.Fields, name string, fields []field) cty.Value {
	objects := f.Objects(name)
	if len(objects) == 0 {
		return cty.ListValEmpty(objectType(fields))
	}
	values := make([]cty.Value, len(objects))
	for i, in := range objects {
		attrs := make(map[string]cty.Value, len(fields))
		for _, field := range fields {
			switch field.form {
			case asText:
				attrs[field.name] = providers.StringValue(in.Text(field.vendor...))
			case asNumber:
				attrs[field.name] = providers.NumberValue(in.Number(field.vendor[0]))
			case asTime:
				attrs[field.name] = providers.StringValue(in.Time(field.vendor[0], nil))
			}
		}
		in.Done()
		values[i] = cty.ObjectVal(attrs)
	}
	return cty.ListVal(values)
}

// The page's status codes, and -15 of a sibling interface.
const (
	codeAccount    = -1
	codeAddress    = -2
	codeTooOften   = -15
	codeTimestamp  = -16
	codeSystem     = -18
	codeParameters = -22 // what an unknown order may get: the page does not say
)

// refused makes an error of a status other than 0.
func refused(a providers.Answer, status int64, reason string) *providers.Error {
	said := providers.Quote(reason)
	var fault *providers.Error
	switch status {
	case codeAccount:
		fault = providers.Fault(providers.Credentials, vendor, "account authentication failed (-1, %s); check %s", said, credentials)
	case codeAddress:
		fault = providers.Fault(providers.Permission, vendor, "this machine's address is not allowed (-2, %s); add it to the account's list of allowed addresses at itniotech", said)
	case codeTooOften:
		fault = providers.Fault(providers.Throttled, vendor, "queried too often (-15, %s); it is asked again later: lower requests_per_second if this goes on", said)
	case codeTimestamp:
		fault = providers.Fault(providers.Credentials, vendor, "the time stamp has expired (-16, %s): this machine's clock, %s at the answer, differs from the vendor's; set the clock, for example with NTP",
			said, a.At.UTC().Format(time.RFC3339))
	case codeSystem:
		fault = providers.Fault(providers.Transient, vendor, "trouble at the vendor (-18, %s); it is asked again later", said)
	default:
		// A framework's own error answer has a status too: that of HTTP, which decides.
		if fault = providers.JudgeStatus(vendor, a, credentials, reason); fault != nil {
			return fault
		}
		fault = providers.Fault(providers.Rejected, vendor, "the request was refused (status %d, %s); check the resource's arguments, or ask itniotech's support", status, said)
	}
	fault.RetryAfter = a.RetryAfter
	return fault
}

func wrong(format string, args ...any) *providers.Error {
	return providers.Fault(providers.WrongContent, vendor, format, args...)
}
