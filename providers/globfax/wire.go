package globfax

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/value"
)

const (
	currency    = "CNY"
	credentials = "api_key and api_secret (GLOBFAX_API_KEY, GLOBFAX_API_SECRET)"
)

var errNoZone = errors.New("a time zone needs a name of the IANA database")

// observer reads answers. It keeps the zones that it loaded, for loading one
// reads the zone database.
type observer struct {
	zones sync.Map // name -> *time.Location
}

func (o *observer) zone(config cty.Value) *time.Location {
	name, ok := providers.Text(config, "time_zone")
	if !ok {
		name = defaultZone
	}
	if z, ok := o.zones.Load(name); ok {
		return z.(*time.Location)
	}
	z, err := loadZone(name)
	if err != nil { // the provider block was checked: a name that is no zone does not come here
		return time.UTC
	}
	o.zones.Store(name, z)
	return z
}

// observe reads the answer to one poll. What counts is data about this recipient
// with a status; what stands around it may be in any form that can be read.
func (o *observer) observe(target providers.Target, a providers.Answer) (plan.Observation, error) {
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
	message, _ := envelope.Text("message")
	success, known := envelope.Bool("success")
	errs := envelope.Take("errors")
	if known && !success {
		return refused(a, message, errs)
	}
	if fault := providers.JudgeStatus(vendor, a, credentials, message); fault != nil {
		return plan.Observation{}, fault
	}
	f := envelope.Apart("data")
	if f == nil && envelope.Has("rcpt_ref") {
		f = envelope
	}
	for _, misfit := range []string{envelope.Misfit("success"), envelope.Misfit("data")} {
		if misfit != "" {
			return plan.Observation{}, wrong("the answer holds %s; if this goes on, ask GlobFax's support", misfit)
		}
	}
	if f == nil {
		return plan.Observation{}, wrong("the answer lacks success or data; check endpoint")
	}
	return o.recipient(target, f)
}

// recipient reads data.
func (o *observer) recipient(target providers.Target, f *providers.Fields) (plan.Observation, error) {
	ref, named := f.Text("rcpt_ref")
	status, ok := f.Text("status")
	for _, misfit := range []string{f.Misfit("rcpt_ref"), f.Misfit("status")} {
		if misfit != "" {
			return plan.Observation{}, wrong("the answer holds %s; if this goes on, ask GlobFax's support", misfit)
		}
	}
	switch {
	case !named || ref != target.Identity:
		return plan.Observation{}, wrong("the answer is about another recipient, or names none; it is asked again later")
	case !ok:
		return plan.Observation{}, wrong("the answer has no status; it is asked again later")
	}
	zone := o.zone(target.Config)
	attrs := map[string]cty.Value{
		"status":         cty.StringVal(status),
		"phone_number":   providers.StringValue(f.Text("phone_number")),
		"unit_price":     providers.NumberValue(f.Number("unit_price")),
		"page_count":     providers.NumberValue(f.Number("page_count")),
		"charged_amount": providers.NumberValue(f.Number("charged_amount")),
		"failed_code":    providers.StringValue(f.Text("failed_code")),
		"failed_reason":  providers.StringValue(f.Text("failed_reason")),
		"completed_at":   providers.StringValue(f.Time("completed_at", zone)),
		"created_at":     providers.StringValue(f.Time("created_at", zone)),
	}
	f.Done()
	attrs["extra"] = f.Extra()
	return plan.Observation{Seen: cty.ObjectVal(attrs)}, nil
}

// refused reads success = false. `errors` is an object of arrays, "" or a free
// string; only the message tells a recipient that is not found from a failure,
// where the HTTP status does not.
func refused(a providers.Answer, message string, errs any) (plan.Observation, error) {
	if is(message, "Recipient not found") || a.Status == http.StatusNotFound {
		return plan.Observation{NotFound: true, Message: message}, nil
	}
	said := message
	switch e := errs.(type) {
	case string:
		if e != "" {
			said += ": " + e
		}
	case map[string]any:
		for _, field := range slices.Sorted(maps.Keys(e)) {
			for _, text := range asList(e[field]) {
				said += fmt.Sprintf(": %v", text)
			}
		}
	case []any:
		for _, text := range e {
			said += fmt.Sprintf(": %v", text)
		}
	}
	if is(message, "Failed to fetch recipient") {
		fault := providers.Fault(providers.Transient, vendor, "trouble at the vendor (%s); it is asked again later", providers.Quote(said))
		fault.RetryAfter = a.RetryAfter
		return plan.Observation{}, fault
	}
	if fault := providers.JudgeStatus(vendor, a, credentials, said); fault != nil {
		return plan.Observation{}, fault
	}
	return plan.Observation{}, providers.Fault(providers.Rejected, vendor, "the request was refused (%s); check rcpt_ref and the credentials", providers.Quote(said))
}

func is(message, known string) bool {
	return strings.EqualFold(strings.Trim(message, " ."), known)
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func wrong(format string, args ...any) *providers.Error {
	return providers.Fault(providers.WrongContent, vendor, format, args...)
}

// derive decides a recipient's outcome: success and failed settle, any other
// status is pending, and a charge proves nothing.
func derive(attributes []plan.Attribute, e plan.Evidence) cty.Value {
	attrs := providers.SeenAttributes(attributes, e.Seen)
	attrs["charge_mismatch"] = chargeMismatch(e.Seen)
	verdict := judge(e).GiveUp(e)
	if told := providers.Attribute(e.Seen, "extra", cty.DynamicPseudoType); !providers.Attribute(told, "charged_amount", cty.DynamicPseudoType).IsNull() {
		verdict.Reason += "; the cost is not told, for charged_amount cannot be read: see extra"
	}
	verdict.Put(attrs)
	if charged := attrs["charged_amount"]; !charged.IsNull() {
		attrs["cost"], attrs["currency"] = charged, cty.StringVal(currency)
	}
	return cty.ObjectVal(attrs)
}

func judge(e plan.Evidence) providers.Verdict {
	if e.NotFound {
		return providers.Verdict{
			Outcome: plan.Unknown,
			Reason:  "GlobFax knows no such recipient: check that rcpt_ref is right, or whether the record was deleted there",
		}
	}
	status, ok := providers.Text(e.Seen, "status")
	if !ok {
		return providers.NotReadYet()
	}
	switch status {
	case "success":
		return providers.Verdict{Outcome: plan.Succeeded, Settled: true, Reason: "the fax was delivered"}
	case "failed":
		return providers.Verdict{Outcome: plan.Failed, Settled: true, Reason: failure(e.Seen)}
	}
	return providers.Verdict{Outcome: plan.Pending, Reason: fmt.Sprintf("GlobFax reports status %q", status)}
}

func failure(seen cty.Value) string {
	reason, _ := providers.Text(seen, "failed_reason")
	code, _ := providers.Text(seen, "failed_code")
	switch {
	case reason != "" && code != "":
		return fmt.Sprintf("%s (%s)", reason, code)
	case reason != "":
		return reason
	case code != "":
		return "the fax failed with code " + code
	}
	return "the fax failed, and GlobFax gives no reason"
}

func chargeMismatch(seen cty.Value) cty.Value {
	price, err1 := value.DecimalOf(providers.Attribute(seen, "unit_price", cty.Number))
	pages, err2 := value.DecimalOf(providers.Attribute(seen, "page_count", cty.Number))
	charged, err3 := value.DecimalOf(providers.Attribute(seen, "charged_amount", cty.Number))
	if err1 != nil || err2 != nil || err3 != nil {
		return cty.NullVal(cty.Bool)
	}
	return cty.BoolVal(value.Multiply(price, pages).Cmp(charged) != 0)
}
