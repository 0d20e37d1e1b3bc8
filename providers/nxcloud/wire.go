package nxcloud

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// records reads a pushed body: always one record, quarantined when the body is
// not understood.
func records(a providers.Answer) providers.Page {
	return providers.Page{Records: []plan.Record{read(a.Body)}, Whole: true}
}

func read(body []byte) plan.Record {
	r := plan.Record{Type: recordType, Outcome: plan.Unknown}
	value, repeated, err := providers.Decode(body)
	object, isObject := value.(map[string]any)
	if err != nil || !isObject {
		r.Digest = digest(body)
		r.Attributes = []byte("{}")
		r.Quarantined = "the body is not a JSON object"
		if len(body) == 0 {
			r.Quarantined = "the callback has no body"
		}
		return r
	}
	canonical := providers.CanonicalJSON(value)
	if len(repeated) > 0 {
		canonical = body
	}
	r.Digest = digest(canonical)

	f := providers.NewFields(object)
	attrs := make(map[string]any, len(object))
	text := func(name, field string) string {
		s, ok := f.Text(field)
		if ok {
			attrs[name] = s
		}
		return s
	}
	r.Key = text("request_id", "requestId")
	r.Identity = text("batch_no", "batchNo")
	text("message", "message")
	text("phone", "phone")
	code, hasCode := f.Int("code")
	if hasCode {
		attrs["code"] = code
		r.Code = strconv.FormatInt(code, 10)
	}
	attrs["data"] = readData(f)
	problem := readCost(f, &r, attrs)
	f.Done()
	if unknown := f.Unknown(); unknown != nil {
		attrs["extra"] = unknown
	}
	r.Attributes = providers.CanonicalJSON(attrs)
	switch {
	case r.Key == "":
		r.Quarantined = "the callback has no requestId"
	case utf8.RuneCountInString(r.Key) > maxID:
		r.Quarantined = "the callback's requestId is longer than 64 characters"
	case r.Identity == "":
		r.Quarantined = "the callback has no batchNo"
	case len(f.Misfits()) > 0:
		r.Quarantined = strings.Join(f.Misfits(), ", ") + " of the callback has an unexpected form"
	case len(repeated) > 0:
		r.Quarantined = "the callback holds " + strings.Join(repeated, ", ") + " twice with different values"
	case !hasCode:
		r.Quarantined = "the callback has no code"
	case problem != "":
		r.Quarantined = problem
	case code == 0:
		r.Outcome = plan.Succeeded
	default:
		r.Outcome = plan.Failed
	}
	if r.Quarantined != "" {
		r.Amount, r.Currency = nil, ""
	}
	return r
}

// dataFields are the documented fields of data.
var dataFields = [...][2]string{
	{"number_type", "numberType"}, {"operator", "operator"}, {"country", "country"},
	{"mcc", "mcc"}, {"mnc", "mnc"}, {"ported", "ported"}, {"active", "active"},
}

// readData reads the check's result, nil when there is none, as on failure.
func readData(f *providers.Fields) any {
	objects := f.Objects("data")
	if len(objects) == 0 {
		return nil
	}
	in := f.Within("data.", objects[0])
	data := make(map[string]any, len(dataFields))
	for _, names := range dataFields {
		if s, ok := in.Text(names[1]); ok {
			data[names[0]] = s
		}
	}
	in.Done()
	return data
}

// readCost reads the price, digit for digit, and its currency.
func readCost(f *providers.Fields, r *plan.Record, attrs map[string]any) (problem string) {
	attrs["cost"] = nil
	objects := f.Objects("cost")
	if len(objects) == 0 {
		return ""
	}
	in := f.Within("cost.", objects[0])
	cost := make(map[string]any, 2)
	attrs["cost"] = cost
	price, priced := in.Number("price")
	if priced {
		cost["price"] = price
	}
	currency, _ := in.Text("currency")
	if currency != "" {
		cost["currency"] = currency
	}
	in.Done()
	if len(in.Misfits()) > 0 {
		return strings.Join(in.Misfits(), ", ") + " of the callback has an unexpected form"
	}
	if !priced {
		return ""
	}
	if currency == "" {
		return "the callback has a price without a currency"
	}
	amount, err := providers.DecimalOf(price)
	if err != nil {
		return "the callback's price is not a decimal number"
	}
	r.Amount, r.Currency = amount, currency
	return ""
}

func digest(content []byte) (d [16]byte) {
	sum := sha256.Sum256(content)
	copy(d[:], sum[:])
	return d
}

// remedy explains a code of the vendor's table, with what the page says to do.
func remedy(code string) string {
	switch code {
	case "-1":
		return "failure; ask your NXCLOUD contact to look into it"
	case "261":
		return "vendorRouter obtain fail; the route is not supported"
	case "262":
		return "vendorAppInfo obtain fail; the route is configured wrongly: ask your NXCLOUD contact"
	case "263":
		return "vendor api_class missed; the route is configured wrongly: ask your NXCLOUD contact"
	case "264":
		return "vendor quotation missed; the route is not supported"
	case "265":
		return "vendor new_code missed; the route is configured wrongly: ask your NXCLOUD contact"
	case "266":
		return "subBalance failed; the balance is too low: top up the account"
	case "267":
		return "dr data failed; the receipt's form is wrong"
	case "268":
		return "bizApiDetect failed; ask your NXCLOUD contact to look into it"
	}
	return ""
}
