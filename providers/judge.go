package providers

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
)

// Fault makes an *Error of a vendor. The format says what happened and ends
// with what to do.
func Fault(kind Kind, vendor, format string, args ...any) *Error {
	return &Error{Kind: kind, Err: fmt.Errorf(vendor+": "+format, args...)}
}

// JudgeTransport finds what is wrong with an answer before its content is
// looked at: nothing arrived, cut off, a web page, no content. It does not
// judge the HTTP status.
func JudgeTransport(vendor string, a Answer) *Error {
	body := bytes.TrimSpace(a.Body)
	switch {
	case a.Status == 0:
		return Fault(Transient, vendor, "no answer arrived; it is asked again later")
	case !a.Complete:
		return Fault(WrongContent, vendor, "the answer was cut off after %d bytes (HTTP %d); it is asked again later", len(a.Body), a.Status)
	case len(body) > 0 && body[0] == '<':
		if fault := judgeKnownStatus(vendor, a); fault != nil {
			return fault
		}
		return Fault(WrongContent, vendor, "the answer is a web page and not JSON (HTTP %d); check that endpoint is the API's address and that no proxy or login page stands in between", a.Status)
	case len(body) == 0:
		if fault := judgeKnownStatus(vendor, a); fault != nil {
			return fault
		}
		return Fault(WrongContent, vendor, "the answer is empty (HTTP %d); check that endpoint is the API's address", a.Status)
	}
	return nil
}

// judgeKnownStatus lets an HTTP status that says why decide, for a gateway's 503
// is a web page too.
func judgeKnownStatus(vendor string, a Answer) *Error {
	_, known := kindOfStatus(a.Status)
	if !known && (a.Status < 300 || a.Status >= 400) {
		return nil
	}
	return JudgeStatus(vendor, a, "the provider's credentials", "")
}

func kindOfStatus(status int) (Kind, bool) {
	switch {
	case status == http.StatusUnauthorized:
		return Credentials, true
	case status == http.StatusForbidden:
		return Permission, true
	case status == http.StatusTooManyRequests:
		return Throttled, true
	case status == http.StatusRequestTimeout, status >= 500:
		return Transient, true
	}
	return Transient, false
}

// JudgeStatus makes an error of an HTTP status other than 2xx; credentials
// names the arguments to check. It is nil for 2xx.
func JudgeStatus(vendor string, a Answer, credentials, message string) *Error {
	said := ""
	if message != "" {
		said = ", " + Quote(message)
	}
	kind, known := kindOfStatus(a.Status)
	var fault *Error
	switch {
	case a.Status >= 200 && a.Status < 300:
		return nil
	case known && kind == Credentials:
		fault = Fault(kind, vendor, "the credentials were refused (HTTP 401%s); check %s", said, credentials)
	case known && kind == Permission:
		fault = Fault(kind, vendor, "not allowed (HTTP 403%s); check the account's rights, its list of allowed addresses, and %s", said, credentials)
	case known && kind == Throttled:
		fault = Fault(kind, vendor, "too many requests (HTTP 429%s); it is asked again later: lower requests_per_second if this goes on", said)
	case known:
		fault = Fault(kind, vendor, "trouble at the vendor (HTTP %d%s); it is asked again later", a.Status, said)
	case a.Status >= 300 && a.Status < 400:
		fault = Fault(Rejected, vendor, "the endpoint redirects elsewhere (HTTP %d), which is refused because it would take the credentials along; set endpoint to the address itself", a.Status)
	default:
		fault = Fault(Rejected, vendor, "the request was refused (HTTP %d%s); check endpoint and the resource's arguments", a.Status, said)
	}
	fault.RetryAfter = a.RetryAfter
	return fault
}

// maxQuote bounds how much of a vendor's own message an error repeats.
const maxQuote = 160

// longNumber finds what may be a phone number, masked or grouped.
var longNumber = regexp.MustCompile(`[+(]?[0-9]([ ()-]{0,2}[0-9*xX]){5,}[ ()-]{0,2}[0-9]`)

// Quote is a short piece of a vendor's message, fit for an error: one line, no
// control characters, no phone numbers.
func Quote(message string) string {
	message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, message)
	message = strings.Join(strings.Fields(message), " ")
	message = withoutNumbers(message)
	if runes := []rune(message); len(runes) > maxQuote {
		message = string(runes[:maxQuote]) + "..."
	}
	return fmt.Sprintf("%q", message)
}

var leadingDate = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}\b`)

// withoutNumbers takes out what may be a phone number, and leaves dates.
func withoutNumbers(text string) string {
	return longNumber.ReplaceAllStringFunc(text, func(number string) string {
		if date := leadingDate.FindString(number); date != "" {
			return date + withoutNumbers(number[len(date):])
		}
		return "(number)"
	})
}
