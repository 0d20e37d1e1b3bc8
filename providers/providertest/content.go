package providertest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
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

// packings are a body in the forms in which a proxy or a sender may compress it.
func packings(t *testing.T, body []byte) map[string][]byte {
	t.Helper()
	pack := func(open func(io.Writer) io.WriteCloser, body []byte) []byte {
		var b bytes.Buffer
		w := open(&b)
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	inGzip := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	inZlib := func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
	return map[string][]byte{"gzip": pack(inGzip, body), "deflate": pack(inZlib, body), "gzip twice": pack(inGzip, pack(inGzip, body))}
}

// bomb is white space that is compressed.
func bomb(t *testing.T, size int) []byte {
	t.Helper()
	return packings(t, bytes.Repeat([]byte(" "), size))["gzip"]
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

	for name, body := range packings(t, v.Good) {
		if o, err := observe(OK(body)); err != nil || !bytes.Equal(Encode(t, o.Seen), Encode(t, observation.Seen)) {
			t.Errorf("%s: %v", name, err)
		}
		for i := 3; i < len(body); i++ {
			if _, err := observe(OK(body[:i])); providers.KindOf(err) != providers.WrongContent {
				t.Fatalf("%s, cut at %d: %v", name, i, err)
			}
		}
	}
	if _, err := observe(OK(bomb(t, providers.MaxAnswer+1))); providers.KindOf(err) != providers.WrongContent || !strings.Contains(err.Error(), "unpacks to") {
		t.Errorf("a bomb: %v", err)
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
	notFound := OK(v.NotFound)
	notFound.Status = cmp.Or(v.NotFoundStatus, notFound.Status)
	if o, err := observe(notFound); err != nil || !o.NotFound {
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
	good := v.recorded()
	page := v.Definition.Records(OK(good))
	if page.Err != nil || !page.Whole || len(page.Records) == 0 {
		t.Fatalf("a good answer: %+v", page)
	}
	for _, r := range page.Records {
		if r.Quarantined != "" || r.Key == "" || r.Identity == "" {
			t.Errorf("a good record: %+v", r)
		}
	}
	pushed := v.Definition.Redelivery.For > 0
	for name, body := range packings(t, good) {
		again := v.Definition.Records(OK(body))
		if again.Err != nil || !again.Whole || len(again.Records) != len(page.Records) {
			t.Fatalf("%s: %+v", name, again)
		}
		for i, r := range again.Records {
			if r.Digest != page.Records[i].Digest || r.Key != page.Records[i].Key || r.Quarantined != "" {
				t.Errorf("%s: record %d is %+v", name, i, r)
			}
		}
	}
	if again := v.Definition.Records(OK(bomb(t, providers.MaxAnswer+1))); again.Err == nil && (len(again.Records) != 1 || !strings.Contains(again.Records[0].Quarantined, "unpacks to")) {
		t.Errorf("a bomb: %+v", again)
	}
	bodies := wrongBodies()
	for i := range good {
		bodies["cut"] = good[:i]
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
		page = v.Definition.Records(providers.Answer{Status: status, Body: good, Complete: true})
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
