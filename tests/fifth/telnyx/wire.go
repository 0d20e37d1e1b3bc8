package telnyx

import (
	"net/http"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// observe reads the answer to one poll.
func observe(target providers.Target, a providers.Answer) (plan.Observation, error) {
	a, fault := providers.Open(vendor, a)
	if fault != nil {
		return plan.Observation{}, fault
	}
	decoded, repeated, err := providers.Decode(a.Body)
	object, ok := decoded.(map[string]any)
	if err == nil && ok && a.Status == http.StatusNotFound {
		return plan.Observation{NotFound: true}, nil
	}
	envelope := providers.NewFields(object, repeated)
	if fault := providers.JudgeStatus(vendor, a, "api_key ("+keyEnv+")", said(envelope)); fault != nil {
		return plan.Observation{}, fault
	}
	f := envelope.Apart("data")
	if err != nil || f == nil {
		return plan.Observation{}, wrong("the answer is not a JSON object with data; check endpoint")
	}
	id, _ := f.Text("id")
	status, ok := f.Text("status")
	switch {
	case id != target.Identity:
		return plan.Observation{}, wrong("the answer is about another fax, or names none; it is asked again later")
	case !ok:
		return plan.Observation{}, wrong("the answer has no status that can be read; it is asked again later")
	}
	attrs := map[string]cty.Value{
		"status":         cty.StringVal(status),
		"direction":      providers.StringValue(f.Text("direction")),
		"from":           providers.StringValue(f.Text("from")),
		"to":             providers.StringValue(f.Text("to")),
		"quality":        providers.StringValue(f.Text("quality")),
		"failure_reason": providers.StringValue(f.Text("failure_reason")),
		"created_at":     providers.StringValue(f.Time("created_at", nil)),
		"updated_at":     providers.StringValue(f.Time("updated_at", nil)),
	}
	f.Done()
	attrs["extra"] = f.Extra()
	return plan.Observation{Seen: cty.ObjectVal(attrs)}, nil
}

// said is the vendor's first word on an error.
func said(envelope *providers.Fields) string {
	for _, e := range envelope.Objects("errors") {
		if detail, ok := e.Text("detail"); ok {
			return detail
		}
	}
	return ""
}

func wrong(text string) *providers.Error {
	return providers.Fault(providers.WrongContent, vendor, "%s", text)
}

// records reads a webhook: one record, quarantined when it is not the end of a
// message.
func records(a providers.Answer) providers.Page {
	body, err := providers.Unpack(a.Body, providers.MaxCallback)
	r, ok := providers.ReadRecord(messageType, "webhook", body)
	switch {
	case err != nil:
		r.Record.Quarantined = "the webhook " + err.Error()
	case ok:
		r.Record = read(r)
	}
	return providers.Page{Records: []plan.Record{r.Record}, Whole: true}
}

func read(r *providers.Reading) plan.Record {
	r.Delivery("meta")
	data := r.Object("data")
	if data == nil {
		r.Lacks("data")
		return r.Done()
	}
	if event, _ := data.Text("event_type"); event != "message.finalized" {
		r.Quarantine("the webhook is no message.finalized")
	}
	payload := data.Object("payload")
	if payload == nil {
		r.Quarantine("the webhook has no payload")
		return r.Done()
	}
	id, _ := payload.Text("id")
	to := payload.Objects("to")
	if id == "" || len(to) != 1 {
		r.Quarantine("the webhook does not name one message and one recipient")
		return r.Done()
	}
	phone, _ := to[0].Text("phone_number")
	status, _ := to[0].Text("status")
	r.Record.Identity, r.Record.Key = id, providers.JoinKey(id, phone)
	r.Set("message_id", id)
	r.Set("phone_number", phone)
	r.Set("status", status)
	r.Record.Code = status
	switch status {
	case "delivered":
		r.Record.Outcome = plan.Succeeded
	case "sending_failed", "delivery_failed":
		r.Record.Outcome = plan.Failed
	case "delivery_unconfirmed":
		r.Record.Outcome = plan.Unknown
	default:
		r.Quarantine("the recipient's status, " + providers.Quote(status) + ", is none that ends a message")
	}
	r.Record.Parts, _ = payload.Int("parts")
	r.Record.EventTime = data.Instant("occurred_at", nil)
	if cost := payload.Object("cost"); cost != nil {
		amount, ok := cost.Number("amount")
		currency, _ := cost.Text("currency")
		if ok {
			r.Record.Amount, _ = providers.DecimalOf(amount) // it was found to be a number
			r.Record.Currency = providers.Currency(currency)
		}
		cost.Done()
	}
	to[0].Done()
	payload.Done()
	data.Done()
	return r.Done()
}

func deriveFax(attributes []plan.Attribute, e plan.Evidence) cty.Value {
	attrs := providers.SeenAttributes(attributes, e.Seen)
	v := providers.NotReadYet()
	if status, ok := providers.Text(e.Seen, "status"); ok {
		switch status {
		case "delivered":
			v = providers.Verdict{Outcome: plan.Succeeded, Settled: true, Reason: "the fax was delivered"}
		case "failed":
			reason, _ := providers.Text(e.Seen, "failure_reason")
			v = providers.Verdict{Outcome: plan.Failed, Settled: true, Reason: "the fax failed: " + reason}
		default:
			v = providers.Verdict{Outcome: plan.Pending, Reason: "Telnyx reports status " + status}
		}
	}
	if e.NotFound {
		v = providers.Verdict{Outcome: plan.Unknown, Reason: "Telnyx knows no such fax: check fax_id"}
	}
	v.GiveUp(e).Put(attrs)
	return cty.ObjectVal(attrs)
}

func deriveMessage(e plan.Evidence) cty.Value {
	attrs := providers.CountAttributes(e.Tally)
	attrs["costs"] = providers.CostMap(e.Tally.Costs)
	providers.CountVerdict(e, "recipients", func(string) string { return "" }).Put(attrs)
	return cty.ObjectVal(attrs)
}
