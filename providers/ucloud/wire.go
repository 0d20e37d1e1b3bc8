package ucloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

const credentials = "public_key and private_key (UCLOUD_PUBLIC_KEY, UCLOUD_PRIVATE_KEY)"

// records reads a pulled page. Each report is read from its own bytes, so that
// an odd one costs no other, and a page that was cut short gives up its whole
// reports.
func records(a providers.Answer) providers.Page {
	layout := split(a.Body, a.Complete)
	page := providers.Page{Records: make([]plan.Record, 0, len(layout.reports))}
	for _, report := range layout.reports {
		page.Records = append(page.Records, readReport(report))
	}
	code, said, envelope := readEnvelope(layout)
	whole := a.Complete && envelope && json.Valid(trimMark(a.Body))
	switch fault := providers.JudgeTransport(vendor, a); {
	case whole && code != 0:
		page.Whole = true
		page.Err = refused(a, code, said)
	case fault != nil:
		page.Err = fault
	case a.Status != http.StatusOK:
		page.Err = notOK(a, said)
	case !whole:
		page.Err = wrong("the answer is not a whole page of JSON with a RetCode; what could be read of it was kept")
	default:
		page.Whole = true
	}
	return page
}

func notOK(a providers.Answer, said string) *providers.Error {
	if fault := providers.JudgeStatus(vendor, a, credentials, said); fault != nil {
		return fault
	}
	return wrong("HTTP status %d instead of 200; check endpoint", a.Status)
}

// readEnvelope reads RetCode and Message; ok is false when there is no RetCode,
// or two that differ.
func readEnvelope(l layout) (code int64, message string, ok bool) {
	for _, text := range l.fields["RetCode"] {
		value, _, err := providers.Decode(text)
		n, isInt := providers.IntOf(value)
		if err != nil || !isInt || ok && n != code {
			return 0, "", false
		}
		code, ok = n, true
	}
	for _, text := range l.fields["Message"] {
		_ = json.Unmarshal(text, &message) // a message of another form is none
	}
	return code, message, ok
}

// readReport reads one report. The vendor's page says to judge by ReceiptResult
// alone.
func readReport(text []byte) plan.Record {
	r := plan.Record{Type: recordType, Outcome: plan.Unknown}
	value, repeated, err := providers.Decode(text)
	object, isObject := value.(map[string]any)
	if err != nil || !isObject {
		r.Digest = digest(text)
		r.Attributes = []byte("{}")
		r.Quarantined = "the report is not a JSON object"
		return r
	}
	canonical := providers.CanonicalJSON(value)
	if len(repeated) > 0 {
		canonical = text
	}
	r.Digest = digest(canonical)

	f := providers.NewFields(object)
	attrs := make(map[string]any, len(object))
	session, hasSession := put(attrs, "session_no")(f.Text("SessionNo"))
	phone, hasPhone := put(attrs, "phone")(f.Text("Phone"))
	code, _ := put(attrs, "receipt_code")(f.Text("ReceiptCode"))
	result, _ := put(attrs, "receipt_result")(f.Text("ReceiptResult"))
	put(attrs, "receipt_desc")(f.Text("ReceiptDesc"))
	put(attrs, "user_id")(f.Text("UserId"))
	parts, hasParts := f.Int("CostCount")
	if hasParts {
		attrs["cost_count"] = parts
	}
	seconds, hasTime := f.Int("ReceiptTime")
	f.Done()
	if unknown := f.Unknown(); unknown != nil {
		attrs["extra"] = unknown
	}

	outcome, known := outcomes[strings.ToLower(strings.TrimSpace(result))]
	r.Identity = session
	r.Code = code
	if hasSession && hasPhone {
		r.Key = session + "/" + phone
	}
	if hasTime && seconds > 0 && seconds < endOfTime {
		r.EventTime = time.Unix(seconds, 0).UTC()
		attrs["receipt_time"] = r.EventTime.Format(time.RFC3339)
	} else if hasTime {
		attrs["receipt_time"] = fmt.Sprint(seconds)
	}
	r.Attributes = providers.CanonicalJSON(attrs)
	switch {
	case session == "":
		r.Quarantined = "the report has no SessionNo"
	case phone == "":
		r.Quarantined = "the report has no Phone"
	case len(f.Misfits()) > 0:
		r.Quarantined = strings.Join(f.Misfits(), ", ") + " of the report has an unexpected form"
	case len(repeated) > 0:
		r.Quarantined = "the report holds " + strings.Join(repeated, ", ") + " twice with different values"
	case !known:
		r.Quarantined = "the report's ReceiptResult is none that the vendor's page lists"
	case !hasParts || parts < 0:
		r.Quarantined = "the report has no CostCount that counts"
	case hasTime && seconds != 0 && r.EventTime.IsZero():
		r.Quarantined = "the report's ReceiptTime is no time in seconds"
	default:
		r.Outcome = outcome
		r.Parts = parts
	}
	return r
}

// endOfTime is the first second that RFC 3339 cannot write.
const endOfTime = 253402300800

// put notes a text among the attributes when it is there, and hands it on.
func put(attrs map[string]any, name string) func(string, bool) (string, bool) {
	return func(text string, ok bool) (string, bool) {
		if ok {
			attrs[name] = text
		}
		return text, ok
	}
}

// outcomes are the values of ReceiptResult: Chinese or English, "Unknow" as the
// vendor spells it, and as others would.
var outcomes = map[string]plan.Outcome{
	"发送成功": plan.Succeeded, "success": plan.Succeeded,
	"发送失败": plan.Failed, "fail": plan.Failed, "failed": plan.Failed,
	"状态未知": plan.Unknown, "unknow": plan.Unknown, "unknown": plan.Unknown,
}

func digest(content []byte) (d [16]byte) {
	sum := sha256.Sum256(content)
	copy(d[:], sum[:])
	return d
}

func trimMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")) }

// refused makes an error of a RetCode other than 0.
func refused(a providers.Answer, code int64, message string) *providers.Error {
	said := providers.Quote(message)
	var fault *providers.Error
	switch code {
	case 153:
		fault = providers.Fault(providers.Throttled, vendor, "too many requests (RetCode %d, %s); it is asked again later: lengthen the policy's interval if this goes on", code, said)
	case 110, 130, 150, 151, 200, 18004, 18007:
		fault = providers.Fault(providers.Transient, vendor, "trouble at the vendor (RetCode %d, %s); it is asked again later", code, said)
	case 170, 171, 172, 174:
		fault = providers.Fault(providers.Credentials, vendor, "the credentials were refused (RetCode %d, %s); check %s", code, said, credentials)
	case 173, 290, 291, 292, 294, 295, 299:
		fault = providers.Fault(providers.Permission, vendor, "not allowed (RetCode %d, %s); check the key's rights and project_id, and that UCloud's support has enabled pulling for the account", code, said)
	case 160, 161:
		fault = providers.Fault(providers.Rejected, vendor, "the action is not known there (RetCode %d, %s); check that endpoint is UCloud's API", code, said)
	case 18000, 18001, 18002, 18003:
		fault = providers.Fault(providers.Rejected, vendor, "a parameter was refused (RetCode %d, %s); check project_id and limit", code, said)
	default:
		fault = providers.Fault(providers.Rejected, vendor, "the pull was refused (RetCode %d, %s); check that pulling is enabled for the account, or ask UCloud's support", code, said)
	}
	fault.RetryAfter = a.RetryAfter
	return fault
}

func wrong(format string, args ...any) *providers.Error {
	return providers.Fault(providers.WrongContent, vendor, format, args...)
}
