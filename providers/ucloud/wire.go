package ucloud

import (
	"bytes"
	"encoding/json"
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
	a, fault := providers.Open(vendor, a)
	layout := split(a.Body, a.Complete)
	page := providers.Page{Records: make([]plan.Record, 0, len(layout.reports))}
	for _, report := range layout.reports {
		page.Records = append(page.Records, readReport(report))
	}
	code, said, envelope := readEnvelope(layout)
	whole := a.Complete && envelope && json.Valid(trimMark(a.Body))
	switch {
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
	r, ok := providers.ReadRecord(recordType, "report", text)
	if !ok {
		return r.Record
	}
	session := r.Must("session_no", "SessionNo")
	phone := r.Must("phone", "Phone")
	r.Record.Identity = session
	if session != "" && phone != "" {
		r.Record.Key = providers.JoinKey(session, phone)
	}
	r.Record.Code, _ = r.Note("receipt_code", "ReceiptCode")
	r.Note("receipt_desc", "ReceiptDesc")
	r.Note("user_id", "UserId")
	if parts, ok := r.Int("CostCount"); ok && parts >= 0 {
		r.Record.Parts = parts
		r.Set("cost_count", parts)
	} else if ok {
		r.Keep("CostCount", parts)
	}
	if r.Record.EventTime = r.Instant("ReceiptTime", nil); !r.Record.EventTime.IsZero() {
		r.Set("receipt_time", r.Record.EventTime.Format(time.RFC3339Nano))
	}
	result, told := r.Note("receipt_result", "ReceiptResult")
	outcome, known := outcomes[spaceless.Replace(strings.ToLower(result))]
	switch {
	case known:
		r.Record.Outcome = outcome
	case told && strings.TrimSpace(result) != "":
		r.Quarantine("the report's ReceiptResult, " + providers.Quote(result) + ", is none that the vendor's pages list")
	default:
		r.Lacks("ReceiptResult")
	}
	return r.Done()
}

var spaceless = strings.NewReplacer(" ", "", "\t", "", "_", "", "-", "")

// outcomes are the values of ReceiptResult: Chinese or English, "Unknow" as the
// vendor spells it, and as others would. SubmitFail, that a message could not be
// handed on at all, is on the page of a sibling brand.
var outcomes = map[string]plan.Outcome{
	"发送成功": plan.Succeeded, "success": plan.Succeeded,
	"发送失败": plan.Failed, "fail": plan.Failed, "failed": plan.Failed,
	"提交失败": plan.Failed, "submitfail": plan.Failed, "submitfailed": plan.Failed,
	"状态未知": plan.Unknown, "unknow": plan.Unknown, "unknown": plan.Unknown,
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
