package sandbox

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHandlerTransport holds the transport in memory to what a real one does.
func TestHandlerTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: HandlerTransport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/echo":
				w.Header().Set("X-Host", r.Host)
				w.WriteHeader(http.StatusTeapot)
				_, _ = io.Copy(w, r.Body)
			case "/deaf": // answers without reading what was sent
				_, _ = io.WriteString(w, "no")
			case "/empty":
			case "/endless":
				for {
					if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
						return
					}
				}
			case "/slow":
				_, _ = io.WriteString(w, "begun")
				<-r.Context().Done()
			case "/abort":
				panic(http.ErrAbortHandler)
			}
		}))}
		post := func(path, body string) reply {
			r, err := http.NewRequest(http.MethodPost, "http://host.invalid"+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			return (&fixture{t: t, client: client}).do(r)
		}
		if r := post("/echo", "hello"); r.status != http.StatusTeapot || string(r.body) != "hello" || r.header.Get("X-Host") != "host.invalid" {
			t.Errorf("echo: %+v", r)
		}
		if r := post("/deaf", strings.Repeat("x", 1<<20)); r.status != 200 || string(r.body) != "no" || r.err != nil {
			t.Errorf("deaf: %+v", r)
		}
		if r := post("/empty", ""); r.status != 200 || len(r.body) != 0 || r.err != nil {
			t.Errorf("empty: %+v", r)
		}
		if r := post("/abort", ""); r.err == nil {
			t.Errorf("abort: %+v", r)
		}
		// The client's time-out covers the body, as net/http's does.
		client.Timeout = 5 * time.Second
		begun := time.Now()
		if r := post("/slow", ""); r.err == nil || string(r.body) != "begun" || time.Since(begun) != 5*time.Second {
			t.Errorf("slow: %+v after %v", r, time.Since(begun))
		}
		// A client that reads no further ends the handler.
		response, err := client.Get("http://host.invalid/endless")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(response.Body, make([]byte, 1500)); err != nil {
			t.Error(err)
		}
		response.Body.Close()
		synctest.Wait()
	})
}

func TestTransportTellsOfConnections(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	if _, err := f.AddFault(Fault{Vendor: GlobFax, Kind: Unreachable, Next: 1}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		got := false
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { got = true }})
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.at.GlobFax+"/api/v2/fax/recipients/r", nil)
		if err != nil {
			t.Fatal(err)
		}
		f.do(r)
		if got != want {
			t.Errorf("a connection was made: %v, want %v", got, want)
		}
	}
}

func TestStartTwice(t *testing.T) {
	f := overSockets(t)
	if _, err := f.Start("127.0.0.1:0"); err == nil {
		t.Error("started twice")
	}
	if _, err := New(Options{}).Start("256.0.0.1:0"); err == nil || !strings.HasPrefix(err.Error(), "sandbox listener: ") {
		t.Errorf("got %v", err)
	}
}

// TestOverSockets runs all four through real connections: what the sandbox
// command does.
func TestOverSockets(t *testing.T) {
	f := overSockets(t)
	if r := f.fax("r"); r.status != 200 {
		t.Errorf("fax: %d %v", r.status, r.err)
	}
	if r := f.order("o"); r.status != 200 {
		t.Errorf("order: %d %v", r.status, r.err)
	}
	if r := f.pull(nil); r.status != 200 {
		t.Errorf("pull: %d %v", r.status, r.err)
	}
	came := &receiver{answer: always(200)}
	server := httptest.NewServer(came)
	defer server.Close()
	if err := f.AddBatch(Batch{BatchNo: "b", Count: 20, SettleAfter: -1, CallbackURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	if n := f.PushDue(t.Context()); n != 20 || len(came.bodies) != 20 || len(f.Account().Accepted) != 20 {
		t.Errorf("%d pushed, %d came", n, len(came.bodies))
	}
}
