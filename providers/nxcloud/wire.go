package nxcloud

import (
	"strconv"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// records reads a pushed body: always one record, quarantined when the body is
// not understood. The vendor publishes two forms of it, one on its Chinese page
// (requestId, message, a flat data) and one on its English page (messageId, msg,
// data with basic, live and dial).
func records(a providers.Answer) providers.Page {
	body, err := providers.Unpack(a.Body, providers.MaxCallback)
	r, ok := providers.ReadRecord(recordType, "callback", body)
	switch {
	case err != nil:
		r.Record.Quarantined = "the callback " + err.Error()
	case !ok && len(body) == 0:
		r.Record.Quarantined = "the callback has no body"
	case ok:
		read(r)
		return page(r.Done())
	}
	return page(r.Record)
}

func page(r plan.Record) providers.Page {
	return providers.Page{Records: []plan.Record{r}, Whole: true}
}

func read(r *providers.Reading) {
	r.Record.Key = r.Must("request_id", "requestId", "messageId")
	if utf8.RuneCountInString(r.Record.Key) > maxID {
		r.Quarantine("the callback's requestId is longer than 64 characters")
	}
	r.Record.Identity = r.Must("batch_no", "batchNo")
	r.Note("message", "message", "msg")
	r.Note("phone", "phone")
	code, ok := r.Int("code")
	switch {
	case !ok:
		r.Lacks("code")
	case code == 0:
		r.Record.Outcome = plan.Succeeded
	default:
		r.Record.Outcome = plan.Failed
	}
	if ok {
		r.Set("code", code)
		r.Record.Code = strconv.FormatInt(code, 10)
	}
	r.Set("data", readData(r.Object("data")))
	readCost(r)
}

// dataFields are the documented fields of data, of both pages, in snake_case and
// as the vendor writes them. They may stand in data itself or in one of its parts.
var dataFields = [...][2]string{
	{"number_type", "numberType"}, {"operator", "operator"}, {"country", "country"},
	{"mcc", "mcc"}, {"mnc", "mnc"}, {"ported", "ported"}, {"active", "active"},
	{"pre_check", "preCheck"}, {"region_code", "regionCode"}, {"country_code", "countryCode"},
	{"national_number", "nationalNumber"}, {"stand_number", "standNumber"}, {"carrier", "carrier"},
	{"validity", "validity"}, {"reachable", "reachable"}, {"roaming", "roaming"},
	{"early", "early"}, {"answered", "answered"}, {"response", "response"},
}

// dataParts are the parts that data has on the English page.
var dataParts = [...]string{"basic", "live", "dial"}

// readData reads the check's result, nil when there is none, as on failure.
func readData(in *providers.Fields) any {
	if in == nil {
		return nil
	}
	data := make(map[string]any, 8)
	for _, name := range dataParts {
		if part := in.Object(name); part != nil {
			data[name] = readPart(part, make(map[string]any))
		}
	}
	return readPart(in, data)
}

func readPart(in *providers.Fields, part map[string]any) map[string]any {
	for _, names := range dataFields {
		if s, ok := in.Word(names[1]); ok {
			part[names[0]] = s
		}
	}
	in.Done()
	return part
}

// readCost reads the price, digit for digit, and its currency. They may stand
// in the callback itself. A price of nothing in no currency is no cost; any other
// is summed, one without a currency apart from the rest.
func readCost(r *providers.Reading) {
	in, nested := r.Object("cost"), true
	if in == nil {
		in, nested = r.Fields, false
	}
	price, priced := in.Number("price")
	currency, named := in.Text("currency")
	r.Set("cost", nil)
	if nested || priced || named {
		cost := make(map[string]any, 2)
		if priced {
			cost["price"] = price
		}
		if named && currency != "" {
			cost["currency"] = currency
		}
		r.Set("cost", cost)
	}
	if nested {
		in.Done()
	}
	if !priced {
		return
	}
	amount, err := providers.DecimalOf(price)
	if currency = providers.Currency(currency); err == nil && (currency != "" || !amount.IsZero()) {
		r.Record.Amount, r.Record.Currency = amount, currency
	}
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
