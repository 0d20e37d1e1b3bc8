package providertest

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// phone stands in vendors' messages where errors must not show it.
const phone = "8613812345678"

// wrongBodies are contents that no vendor means.
func wrongBodies() map[string][]byte {
	return map[string][]byte{
		"HTML":          []byte("\n<!DOCTYPE html><html><body>Sign in " + phone + "</body></html>"),
		"nothing":       {},
		"white space":   []byte(" \n"),
		"text":          []byte("service unavailable " + phone),
		"null":          []byte("null"),
		"number":        []byte("5"),
		"string":        []byte(`"ok"`),
		"array":         []byte("[]"),
		"empty object":  []byte("{}"),
		"other object":  []byte(`{"hello":"world"}`),
		"two objects":   []byte("{}{}"),
		"binary":        {0, 1, 2, 0xff, 0xfe},
		"deep":          []byte(strings.Repeat(`{"data":`, 100_000)),
		"deep array":    []byte(strings.Repeat(`[`, 100_000)),
		"huge number":   []byte(`{"status":1e999999999,"success":1e999999999,"RetCode":1e999999999,"code":1e999999999}`),
		"many brackets": []byte(strings.Repeat(`}]`, 1000)),
	}
}

// kindsOfStatus is what an HTTP status means, for all vendors.
func kindsOfStatus() map[int]providers.Kind {
	return map[int]providers.Kind{
		401: providers.Credentials, 403: providers.Permission, 429: providers.Throttled, 408: providers.Transient,
		500: providers.Transient, 502: providers.Transient, 503: providers.Transient, 504: providers.Transient,
		301: providers.Rejected, 302: providers.Rejected, 307: providers.Rejected,
	}
}

func testObserve(t *testing.T, v Vendor) {
	target := v.target(t)
	observe := func(a providers.Answer) (plan.Observation, error) { return v.Definition.Observe(target, a) }

	observation, err := observe(OK(v.Good))
	if err != nil || observation.NotFound {
		t.Fatalf("a good answer: %+v, %v", observation, err)
	}
	types := make(map[string]bool)
	for _, ty := range v.Definition.Schema.Types {
		for _, a := range ty.Attributes {
			if ty.Name == target.Type && observation.Seen.Type().HasAttribute(a.Name) {
				types[a.Name] = true
				if errs := observation.Seen.GetAttr(a.Name).Type().TestConformance(a.Type); len(errs) > 0 {
					t.Errorf("%s: %v", a.Name, errs)
				}
			}
		}
	}
	for name := range observation.Seen.Type().AttributeTypes() {
		if !types[name] {
			t.Errorf("%s was observed and is no attribute", name)
		}
	}
	marked, err := observe(OK(append([]byte("\xef\xbb\xbf"), v.Good...)))
	if err != nil || !bytes.Equal(Encode(t, marked.Seen), Encode(t, observation.Seen)) {
		t.Errorf("a byte order mark: %v", err)
	}

	for name, body := range wrongBodies() {
		if _, err := observe(OK(body)); providers.KindOf(err) != providers.WrongContent {
			t.Errorf("%s: %v", name, err)
		} else {
			checkError(t, v, err)
		}
	}
	good := bytes.TrimSpace(v.Good)
	for i := range good {
		if _, err := observe(OK(good[:i])); providers.KindOf(err) != providers.WrongContent {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := observe(providers.Answer{Status: 200, Body: v.Good}); providers.KindOf(err) != providers.WrongContent {
		t.Errorf("an incomplete answer: %v", err)
	}
	if _, err := observe(OK(v.Other)); providers.KindOf(err) != providers.WrongContent {
		t.Errorf("an answer about another record: %v", err)
	}
	if o, err := observe(OK(v.NotFound)); err != nil || !o.NotFound {
		t.Errorf("not found: %+v, %v", o, err)
	}
	if len(v.Refused) > 0 {
		if _, err := observe(OK(v.Refused)); providers.KindOf(err) != providers.Credentials {
			t.Errorf("refused: %v", err)
		} else {
			checkError(t, v, err)
		}
	}
	for status, kind := range kindsOfStatus() {
		for name, body := range map[string][]byte{"HTML": wrongBodies()["HTML"], "nothing": nil, "object": []byte(`{"message":"call ` + phone + `"}`)} {
			_, err := observe(providers.Answer{Status: status, Body: body, Complete: true, RetryAfter: time.Minute})
			fault, ok := errors.AsType[*providers.Error](err)
			if !ok || fault.Kind != kind {
				t.Errorf("HTTP %d with %s: %v", status, name, err)
				continue
			}
			if fault.RetryAfter != time.Minute {
				t.Errorf("HTTP %d with %s: Retry-After is %s", status, name, fault.RetryAfter)
			}
			checkError(t, v, err)
		}
	}
}

// checkError sees that an error names the vendor and shows neither secrets nor
// phone numbers.
func checkError(t *testing.T, v Vendor, err error) {
	t.Helper()
	text := err.Error()
	if !strings.HasPrefix(text, v.Definition.Schema.Provider) {
		t.Errorf("the error does not name the vendor: %s", text)
	}
	if strings.ContainsAny(text, "\n\r\x00") {
		t.Errorf("the error is not one line: %q", text)
	}
	for _, secret := range append([]string{phone}, v.Secrets...) {
		if strings.Contains(text, secret) {
			t.Errorf("a secret or phone number shows in: %s", text)
		}
	}
}

func testRecords(t *testing.T, v Vendor) {
	page := v.Definition.Records(OK(v.Good))
	if page.Err != nil || !page.Whole || len(page.Records) == 0 {
		t.Fatalf("a good answer: %+v", page)
	}
	for _, r := range page.Records {
		if r.Quarantined != "" || r.Key == "" || r.Identity == "" {
			t.Errorf("a good record: %+v", r)
		}
	}
	pushed := false
	for _, ty := range v.Definition.Schema.Types {
		pushed = pushed || ty.Kind == plan.Counted && len(v.Definition.Schema.Types) == 1
	}
	bodies := wrongBodies()
	for i := range v.Good {
		bodies["cut"] = v.Good[:i]
		for name, body := range bodies {
			checkPage(t, v, name, v.Definition.Records(OK(body)), pushed)
			if !pushed {
				checkPage(t, v, name, v.Definition.Records(providers.Answer{Status: 200, Body: body}), pushed)
			}
		}
		if i == 0 {
			bodies = map[string][]byte{}
		}
	}
	if pushed {
		return
	}
	for status, kind := range kindsOfStatus() {
		page := v.Definition.Records(providers.Answer{Status: status, Body: wrongBodies()["HTML"], Complete: true, RetryAfter: time.Minute})
		if page.Whole || providers.KindOf(page.Err) != kind {
			t.Errorf("HTTP %d: %+v", status, page)
		}
		page = v.Definition.Records(providers.Answer{Status: status, Body: v.Good, Complete: true})
		if page.Whole || page.Err == nil || len(page.Records) == 0 {
			t.Errorf("HTTP %d with reports (%s): %+v", status, http.StatusText(status), page)
		}
	}
}

func checkPage(t *testing.T, v Vendor, name string, page providers.Page, pushed bool) {
	t.Helper()
	if pushed {
		if len(page.Records) != 1 || !page.Whole || page.Err != nil {
			t.Errorf("%s: a push is one record: %+v", name, page)
		} else if page.Records[0].Quarantined == "" && name != "cut" {
			t.Errorf("%s: not quarantined", name)
		}
	} else {
		if page.Err == nil && name != "cut" {
			t.Errorf("%s: no error", name)
		}
		if page.Err != nil {
			checkError(t, v, page.Err)
		}
	}
	for _, r := range page.Records {
		if r.Type == "" || len(r.Attributes) == 0 || r.Digest == [16]byte{} {
			t.Errorf("%s: an incomplete record: %+v", name, r)
		}
	}
}
