package web

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type nobody struct{ reloads int }

func (*nobody) Readiness() Readiness { return Readiness{} }
func (n *nobody) Reload(context.Context) (string, error) {
	n.reloads++
	return "", nil
}

func TestAdminAnswersNoOtherOriginAndNoOtherName(t *testing.T) {
	agent := &nobody{}
	admin := NewAdmin(agent, &Metrics{registry: prometheus.NewRegistry()})
	for _, c := range []struct {
		what, listen string
		logins       bool
		method, path string
		host, origin string
		site         string // Sec-Fetch-Site
		status       int
	}{
		{"curl", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "", "", 200},
		{"curl by name", "127.0.0.1:8480", false, "POST", "/-/reload", "localhost:8480", "", "", 200},
		{"curl by IPv6", "[::1]:8480", false, "POST", "/-/reload", "[::1]:8480", "", "", 200},
		{"its own page", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "http://127.0.0.1:8480", "same-origin", 200},
		{"another page", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "https://evil.example", "cross-site", 403},
		{"another page of an old browser", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "https://evil.example", "", 403},
		{"a page of another port", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "http://127.0.0.1:3000", "", 403},
		{"a page of no origin", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "null", "", 403},
		{"a page without Origin", "127.0.0.1:8480", false, "POST", "/-/reload", "127.0.0.1:8480", "", "cross-site", 403},
		{"a name that leads here", "127.0.0.1:8480", false, "POST", "/-/reload", "evil.example:8480", "", "", 403},
		{"a name that leads here, its page", "127.0.0.1:8480", false, "POST", "/-/reload", "evil.example", "http://evil.example", "same-origin", 403},
		{"a name like loopback", "127.0.0.1:8480", false, "GET", "/metrics", "localhost.evil.example", "", "", 403},
		{"no name", "127.0.0.1:8480", false, "GET", "/metrics", "", "", "", 403},
		{"another address", "127.0.0.1:8480", false, "GET", "/metrics", "10.0.0.1:8480", "", "", 403},
		{"metrics", "127.0.0.1:8480", false, "GET", "/metrics", "127.0.0.1:8480", "", "", 200},
		{"metrics for another page", "127.0.0.1:8480", false, "GET", "/metrics", "127.0.0.1:8480", "https://evil.example", "", 403},
		{"metrics by a name that leads here", "127.0.0.1:8480", false, "GET", "/metrics", "evil.example", "", "", 403},
		{"a link to metrics", "127.0.0.1:8480", false, "GET", "/metrics", "127.0.0.1:8480", "", "cross-site", 200},
		{"everywhere, a scrape by name", "0.0.0.0:8480", false, "GET", "/metrics", "waybill.svc:8480", "", "", 200},
		{"everywhere, a probe by address", "[::]:8480", false, "GET", "/-/ready", "10.1.2.3:8480", "", "", 200},
		{"everywhere, an order by address", ":8480", false, "POST", "/-/reload", "10.1.2.3:8480", "", "", 200},
		{"everywhere, an order by name", "0.0.0.0:8480", false, "POST", "/-/reload", "evil.example", "", "", 403},
		{"a name of its own", "waybill.internal:8480", false, "POST", "/-/reload", "Waybill.Internal:8480", "", "", 200},
		{"with logins, by name", "0.0.0.0:8480", true, "POST", "/-/reload", "waybill.example", "", "", 200},
		{"with logins, another page", "0.0.0.0:8480", true, "POST", "/-/reload", "waybill.example", "https://evil.example", "", 403},
	} {
		t.Run(c.what, func(t *testing.T) {
			agent.reloads = 0
			r := httptest.NewRequest(c.method, c.path, nil)
			r.Host = c.host
			for name, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			guarded(admin, c.listen, c.logins).ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%d %q, want %d", w.Code, w.Body, c.status)
			}
			if (agent.reloads > 0) != (c.method == "POST" && c.status == 200) {
				t.Errorf("%d reloads", agent.reloads)
			}
		})
	}
}

// A message that tells two lengths ends its connection, whichever is believed.
func TestTwoLengthsCloseTheConnection(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { closeAmbiguous(w, r) })
	server := httptest.NewServer(handler)
	defer server.Close()
	for name, c := range map[string]struct {
		head   string
		closed bool
	}{
		"both":         {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
		"chunked":      {"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
		"a length":     {"Content-Length: 0\r\n\r\n", false},
		"another case": {"transfer-encoding: Chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%s", c.head); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.Close != c.closed {
				t.Errorf("closed: %v, want %v", response.Close, c.closed)
			}
		})
	}
}

func TestCallbackPath(t *testing.T) {
	for path, want := range map[string]string{
		"/callbacks/nxcloud/t0ken":        "nxcloud t0ken",
		"/callbacks/nxcloud/t0ken/":       "nxcloud t0ken",
		"/callbacks/nxcloud/t0ken//":      "",
		"//callbacks/nxcloud/t0ken":       "",
		"/callbacks/nxcloud":              "",
		"/callbacks/nxcloud/":             "",
		"/callbacks//t0ken":               "",
		"/callbacks/nxcloud/t0ken/more":   "",
		"/callback/nxcloud/t0ken":         "",
		"/x/callbacks/nxcloud/t0ken":      "",
		"/callbacks/nxcloud/../x/t0ken":   "",
		"/callbacks/nxcloud/t0ken/../../": "",
		"/":                               "",
	} {
		provider, token, ok := callbackPath(path)
		if got := strings.TrimSpace(provider + " " + token); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %v, want %q", path, got, ok, want)
		}
	}
}
