package providers_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers"
)

// asWritten is a secret in the forms in which a vendor may write it back.
func asWritten(t testing.TB, secret string) map[string]string {
	t.Helper()
	marshalled, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	var codes, percent strings.Builder
	for _, r := range secret {
		fmt.Fprintf(&codes, `\u%04X`, r)
		fmt.Fprintf(&percent, "%%%02x", r)
	}
	return map[string]string{
		"as it is":            secret,
		"in capitals":         strings.ToUpper(secret),
		"in a query":          url.QueryEscape(secret),
		"in a path":           url.PathEscape(secret),
		"percent all over":    percent.String(),
		"a query in a query":  url.QueryEscape(url.QueryEscape(secret)),
		"JSON":                strings.Trim(string(marshalled), `"`),
		"JSON of PHP":         strings.ReplaceAll(secret, "/", `\/`),
		"JSON in JSON":        strings.ReplaceAll(secret, "/", `\\\/`),
		"JSON, .NET":          strings.ReplaceAll(secret, "+", `\u002B`),
		"JSON in code points": codes.String(),
		"HTML":                html.EscapeString(secret),
		"HTML in numbers":     strings.ReplaceAll(secret, "+", "&#43;"),
		"base64":              base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 of a pair":    base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		"base64, shifted":     base64.URLEncoding.EncodeToString([]byte("abcd" + secret + "efg")),
		"hex":                 hex.EncodeToString([]byte(secret)),
	}
}

// leak says whether a text lets a secret be read, in whatever form.
func leak(t testing.TB, text, secret string) string {
	t.Helper()
	for form, written := range asWritten(t, secret) {
		core := written
		if strings.HasPrefix(form, "base64") && len(core) > 12 {
			core = core[len(core)/2-4 : len(core)/2+4] // the ends depend on what stands beside it
		}
		if strings.Contains(text, core) {
			return form
		}
	}
	return ""
}

func packed(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A vendor that repeats our credentials in its answer, in any form, leaves no
// trace of them in what we keep; the rest of its bytes stays as it came.
func TestEchoedCredentials(t *testing.T) {
	for form, written := range asWritten(t, secret) {
		for name, wrap := range map[string]func(string) (body, want string){
			"whole": func(s string) (string, string) {
				before, after := `{"success":false,"message":"key `, ` is wrong","n":1.50}`
				if form == "as it is" || form == "base64" {
					return before + s + after, before + strings.Repeat("*", len(strings.TrimRight(s, "="))) // the padding tells nothing
				}
				return before + s + after, before
			},
			"packed": func(s string) (string, string) { return packed(t, `{"message":"`+s+`"}`), `{"message":"` },
			"twice":  func(s string) (string, string) { return `{"a":"` + s + `","b":"` + s + s + `"}`, `{"a":"` },
		} {
			body, want := wrap(written)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
			c := client(t, server.URL, nil)
			for kind, call := range map[string]func(context.Context, providers.Request) (providers.Answer, error){"poll": c.Poll, "pull": c.Pull} {
				answer, err := call(context.Background(), methods["POST"])
				if err != nil || !answer.Complete {
					t.Fatalf("%s, %s, %s: %v", form, name, kind, err)
				}
				if l := leak(t, string(answer.Body), secret); l != "" || !bytes.HasPrefix(answer.Body, []byte(want)) || !json.Valid(answer.Body) || !answer.Redacted {
					t.Errorf("%s, %s, %s: %q leaks %q, redacted %v", form, name, kind, answer.Body, l, answer.Redacted)
				}
			}
			server.Close()
		}
	}
}

// What is no credential of ours is not touched, to the byte.
func TestNothingElseIsRedacted(t *testing.T) {
	for _, body := range []string{
		`{"a":"top/secret"}`, `{"a":"top/secret+012345678"}`, `"\u0074op\/secret\u002b01234567"`, "%%%\\\\\\&&&&#&#x;\\u12", packed(t, "{}"),
		strings.Repeat("top/", 1000), "", "\x00\xff",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		answer, err := client(t, server.URL, nil).Poll(context.Background(), methods["GET"])
		if err != nil || string(answer.Body) != body || answer.Redacted {
			t.Errorf("%q became %q, redacted %v (%v)", body, answer.Body, answer.Redacted, err)
		}
		server.Close()
	}
}

// An answer that is cut off in the middle of a credential keeps no part of it
// that would help to guess the rest.
func TestEchoCutOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"message":"` + secret[:len(secret)-2]))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	answer, err := client(t, server.URL, nil).Pull(context.Background(), methods["POST"])
	if err == nil || !answer.Redacted || !strings.HasPrefix(string(answer.Body), `{"message":"***`) || strings.Contains(string(answer.Body), secret[:6]) {
		t.Errorf("%q, %v", answer.Body, err)
	}
}

// Texts of the transport that hold what the vendor sent: a status line, a
// header, a redirect.
func TestEchoInTransport(t *testing.T) {
	for form, written := range asWritten(t, secret) {
		for name, reply := range map[string]string{
			"status line": "HTTP/1.1 " + written + " no\r\n\r\n",
			"no HTTP":     written + "\r\n\r\n",
			"header":      "HTTP/1.1 200 OK\r\n" + written + "\r\n\r\n",
			"length":      "HTTP/1.1 200 OK\r\nContent-Length: " + written + "\r\n\r\n",
			"transfer":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + written + "\r\n\r\n",
			"redirect":    "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/?k=" + written + "\r\nContent-Length: 0\r\n\r\n",
			"after":       "HTTP/1.1 503 No\r\nRetry-After: " + written + "\r\nContent-Length: 0\r\n\r\n",
		} {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = conn.Write([]byte(reply))
				}
			}()
			answer, err := client(t, "http://"+listener.Addr().String(), nil).Pull(context.Background(), methods["GET"])
			text := fmt.Sprintf("%v %+v", err, answer)
			if fault := providers.JudgeTransport("vendor", answer); fault != nil {
				text += fault.Error()
			}
			if l := leak(t, text, secret); l != "" {
				t.Errorf("%s, %s: %s leaks %q", form, name, text, l)
			}
			listener.Close()
			<-done
		}
	}
}
