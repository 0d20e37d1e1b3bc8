package providers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zclconf/go-cty/cty"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/providers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "top/secret+0123456789"

func config(endpoint string, more map[string]cty.Value) cty.Value {
	values := map[string]cty.Value{
		"endpoint": cty.StringVal(endpoint), "timeout": cty.StringVal("5s"), "concurrency": cty.NumberIntVal(4),
		"requests_per_second": cty.Zero, "insecure": cty.False,
	}
	for name, v := range more {
		values[name] = v
	}
	return cty.ObjectVal(values)
}

func client(t testing.TB, endpoint string, more map[string]cty.Value) *providers.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := providers.NewClient("vendor", config(endpoint, more), providers.Options{Transport: transport, UserAgent: "Waybill/test"}, secret)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var methods = map[string]providers.Request{
	"GET":  {Method: "GET", Path: "/read", Header: func(h http.Header) { h.Set("X-Key", secret) }},
	"POST": {Method: "POST", Path: "/read", Body: []byte(`{"a":1}`), Header: func(h http.Header) { h.Set("X-Key", secret) }},
}

// hangingUp is a server of bare TCP that answers the first requests of each
// connection and hangs up on the next one, in one of three ways, once it has
// read it.
type hangingUp struct {
	listener net.Listener
	requests atomic.Int64
	good     atomic.Int64 // requests of a connection that are answered
	how      string       // "close", "reset" or "part"
	wait     sync.WaitGroup
}

func serveHangingUp(t *testing.T, good int, how string) *hangingUp {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &hangingUp{listener: listener, how: how}
	s.good.Store(int64(good))
	var open []net.Conn
	s.wait.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				for _, conn := range open {
					conn.Close() // a client may keep it
				}
				return
			}
			open = append(open, conn)
			s.wait.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.wait.Wait()
	})
	return s
}

func (s *hangingUp) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for i := int64(0); ; i++ {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		s.requests.Add(1)
		if i < s.good.Load() {
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			continue
		}
		switch s.how {
		case "reset":
			_ = conn.(*net.TCPConn).SetLinger(0)
		case "part":
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"part\":")
		}
		return
	}
}

// A vendor that hangs up after it has read a request has seen it once, whether
// it is read or pulled: no layer repeats it. The one exception is a read on a
// kept connection that died before a byte of the answer: that is repeated.
func TestOneRequestReachesTheVendor(t *testing.T) {
	for _, how := range []string{"close", "reset", "part"} {
		for name, request := range methods {
			for good := range 3 {
				t.Run(fmt.Sprintf("%s, %s, %d before", how, name, good), func(t *testing.T) {
					server := serveHangingUp(t, good, how)
					calls := make(map[string]func() (providers.Answer, error))
					for _, kind := range []string{"poll", "pull"} { // connections are kept for their own kind
						c := client(t, "http://"+server.listener.Addr().String(), nil)
						call := map[string]func(context.Context, providers.Request) (providers.Answer, error){"poll": c.Poll, "pull": c.Pull}[kind]
						calls[kind] = func() (providers.Answer, error) { return call(context.Background(), request) }
					}
					for kind, call := range calls {
						server.requests.Store(0)
						for i := range int64(good) {
							if answer, err := call(); err != nil || !answer.Complete || server.requests.Load() != i+1 {
								t.Fatalf("%s %d: %+v, %v, %d requests", kind, i, answer, err, server.requests.Load())
							}
						}
						before := server.requests.Load()
						answer, err := call()
						if kind == "poll" && good > 0 && how != "part" {
							if n := server.requests.Load() - before; err != nil || !answer.Complete || n != 2 {
								t.Errorf("%s: %+v, %v, %d requests", kind, answer, err, n)
							}
							continue
						}
						if err == nil || answer.Complete || !answer.Reached {
							t.Fatalf("%s: %+v, %v", kind, answer, err)
						}
						if how == "part" && string(answer.Body) != `{"part":` {
							t.Errorf("%s: the part that came is %q", kind, answer.Body)
						}
						if n := server.requests.Load() - before; n != 1 {
							t.Errorf("%s: %d requests reached the vendor", kind, n)
						}
					}
				})
			}
		}
	}
}

// The test above would prove nothing about kept connections if none were kept.
// The usual transport keeps them for polls, and never for pulls.
func TestKeptConnections(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c, err := providers.NewClient("vendor", config(server.URL, nil), providers.Options{}, secret)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := c.Poll(context.Background(), methods["GET"]); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Swap(0); n != 1 {
		t.Errorf("5 polls took %d connections", n)
	}
	for range 3 {
		if _, err := c.Pull(context.Background(), methods["POST"]); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 3 {
		t.Errorf("3 pulls took %d connections", n)
	}
}

// Only where no connection came about is a poll tried once more; a pull is not.
func TestDialIsRepeated(t *testing.T) {
	for kind, want := range map[string]int64{"poll": 2, "pull": 1} {
		var dials atomic.Int64
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused with " + secret)}
		}}
		c, err := providers.NewClient("vendor", config("http://127.0.0.1:9", nil), providers.Options{Transport: transport}, secret)
		if err != nil {
			t.Fatal(err)
		}
		call := c.Poll
		if kind == "pull" {
			call = c.Pull
		}
		answer, err := call(context.Background(), methods["POST"])
		if err == nil || answer.Reached || dials.Load() != want {
			t.Errorf("%s: %+v, %v, %d dials", kind, answer, err, dials.Load())
		}
		if strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "refused with ***") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// silent is a transport that does not tell whether it has a connection.
type silent struct {
	calls int
	err   error
}

func (s *silent) RoundTrip(*http.Request) (*http.Response, error) {
	s.calls++
	return nil, s.err
}

// Where nobody tells whether a connection was made, it is taken to be so, for
// the vendor may have seen the request; except when the dial itself failed.
func TestReachedIsCautious(t *testing.T) {
	for _, test := range []struct {
		err     error
		reached bool
		calls   int
	}{
		{errors.New("broken"), true, 1},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, true, 1},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, false, 2},
	} {
		transport := &silent{err: test.err}
		c, err := providers.NewClient("vendor", config("http://127.0.0.1:9", nil), providers.Options{Transport: transport}, secret)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Poll(context.Background(), methods["GET"])
		if err == nil || answer.Reached != test.reached || transport.calls != test.calls {
			t.Errorf("%v: %+v, %d calls", test.err, answer, transport.calls)
		}
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow/read" {
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	for _, path := range []string{"/never", "/slow"} {
		c := client(t, server.URL+path, map[string]cty.Value{"timeout": cty.StringVal("50ms")})
		answer, err := c.Pull(context.Background(), methods["POST"])
		if providers.KindOf(err) != providers.Transient || !answer.Reached || answer.Complete || !strings.Contains(err.Error(), "within 50ms") {
			t.Errorf("%s: %+v, %v", path, answer, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	header := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", header)
		w.WriteHeader(503)
	}))
	defer server.Close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c, err := providers.NewClient("vendor", config(server.URL, nil), providers.Options{Transport: transport, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, " 5 ": 5 * time.Second, "-5": 0, "99999999999": 24 * time.Hour, "9223372036854775807": 24 * time.Hour, "soon": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0, "1.5": 0,
	} {
		header = text
		answer, err := c.Poll(context.Background(), methods["GET"])
		if err != nil || answer.RetryAfter != want || !answer.At.Equal(now) {
			t.Errorf("%q: %s, %v", text, answer.RetryAfter, err)
		}
	}
}

// counting is a transport that notes when calls begin and how many are under way.
type counting struct {
	mu        sync.Mutex
	underWay  int
	most      int
	began     []time.Time
	takesTime time.Duration
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	c.mu.Lock()
	c.underWay++
	c.most = max(c.most, c.underWay)
	c.began = append(c.began, time.Now())
	c.mu.Unlock()
	time.Sleep(c.takesTime) // in the bubble of synctest: no real time passes
	c.mu.Lock()
	c.underWay--
	c.mu.Unlock()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestRateAndConcurrency(t *testing.T) {
	for _, test := range []struct {
		perSecond, concurrency, calls int64
		takes                         time.Duration
		total                         time.Duration // until the last one began
		most                          int
	}{
		{10, 100, 30, 0, 2 * time.Second, 30},
		{0, 3, 9, time.Second, 2 * time.Second, 3},
		{1000, 2, 4, time.Second, time.Second, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			transport := &counting{takesTime: test.takes}
			c, err := providers.NewClient("vendor", config("http://127.0.0.1:9", map[string]cty.Value{
				"requests_per_second": cty.NumberIntVal(test.perSecond), "concurrency": cty.NumberIntVal(test.concurrency),
			}), providers.Options{Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			var wait sync.WaitGroup
			for range test.calls {
				wait.Go(func() {
					if _, err := c.Poll(context.Background(), methods["GET"]); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			last := transport.began[len(transport.began)-1].Sub(start)
			if last < test.total-10*time.Millisecond || last > test.total+10*time.Millisecond || transport.most > test.most {
				t.Errorf("%+v: the last began after %s, %d at once", test, last, transport.most)
			}
		})
	}
}

// A cancelled wait for the account's rate is no request.
func TestCancelledWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &counting{}
		c, err := providers.NewClient("vendor", config("http://127.0.0.1:9", map[string]cty.Value{"requests_per_second": cty.NumberFloatVal(0.001)}), providers.Options{Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Pull(context.Background(), methods["POST"]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		answer, err := c.Pull(ctx, methods["POST"])
		if providers.KindOf(err) != providers.Transient || answer.Reached || len(transport.began) != 1 {
			t.Errorf("%+v, %v", answer, err)
		}
	})
}

// Secrets do not show in errors, not even as URLs write them.
func TestRedaction(t *testing.T) {
	transport := &silent{err: &url.Error{Op: "Get", URL: "https://x/" + secret, Err: errors.New("with " + secret + " and " + url.QueryEscape(secret))}}
	c, err := providers.NewClient("vendor", config("http://127.0.0.1:9", nil), providers.Options{Transport: transport}, secret)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Poll(context.Background(), methods["GET"])
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "secret") {
			t.Errorf("%v", e)
		}
	}
	if !strings.HasPrefix(err.Error(), "vendor (127.0.0.1:9): ") {
		t.Error(err)
	}
	if got := fmt.Sprintf("%+v %#v", err, err); strings.Contains(got, secret) {
		t.Errorf("%s", got)
	}
}

func TestQuote(t *testing.T) {
	for message, want := range map[string]string{
		"call 8613812345678 now":    `"call (number) now"`,
		"call +86138****5678, ok":   `"call (number), ok"`,
		"a\nb\tc\x00d":              `"a b c d"`,
		"code 100005 at 2025-02-22": `"code 100005 at 2025-02-22"`,
		strings.Repeat("é", 200):    `"` + strings.Repeat("é", 160) + `..."`,
		"\x1b[31mred":               `"[31mred"`,
	} {
		if got := providers.Quote(message); got != want {
			t.Errorf("%q: %s, want %s", message, got, want)
		}
	}
}

func BenchmarkPoll(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"success":true}`)) }))
	defer server.Close()
	b.Run("bare", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		defer transport.CloseIdleConnections()
		bare := &http.Client{Transport: transport}
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r, err := bare.Get(server.URL + "/read")
				if err != nil {
					b.Error(err)
					return
				}
				var buffer [64]byte
				for err == nil {
					_, err = r.Body.Read(buffer[:])
				}
				r.Body.Close()
			}
		})
	})
	for name, request := range methods {
		b.Run(name, func(b *testing.B) {
			c, err := providers.NewClient("vendor", config(server.URL, map[string]cty.Value{"concurrency": cty.NumberIntVal(64)}), providers.Options{}, secret)
			if err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := c.Poll(context.Background(), request); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// A vendor that closes kept connections between two reads costs no read: the
// read is repeated once, on a connection of its own. A pull never is.
func TestIdleConnectionsThatDied(t *testing.T) {
	for name, request := range methods {
		server := serveHangingUp(t, 1, "close") // each connection answers once
		c, err := providers.NewClient("vendor", config("http://"+server.listener.Addr().String(), map[string]cty.Value{"concurrency": cty.NumberIntVal(8)}), providers.Options{}, secret)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for range 3 {
			for range 8 {
				group.Go(func() {
					if answer, err := c.Poll(context.Background(), request); err != nil || !answer.Complete || string(answer.Body) != "{}" {
						t.Errorf("%s: %+v, %v", name, answer, err)
					}
				})
			}
			group.Wait()
		}
	}
}

// The repeat is one, it waits for requests_per_second, and it is made only
// where no byte of an answer came and the time is not over.
func TestRepeatedOnce(t *testing.T) {
	for name, request := range methods {
		server := serveHangingUp(t, 1, "reset")
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		c, err := providers.NewClient("vendor", config("http://"+server.listener.Addr().String(), nil), providers.Options{Transport: transport}, secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Poll(context.Background(), request); err != nil {
			t.Fatal(err)
		}
		server.good.Store(0) // from now on each connection dies with its first request
		server.requests.Store(0)
		answer, err := c.Poll(context.Background(), request)
		if err == nil || answer.Complete || !answer.Reached || server.requests.Load() != 2 {
			t.Errorf("%s: %+v, %v, %d requests", name, answer, err, server.requests.Load())
		}
		server.requests.Store(0)
		_, err = c.Poll(context.Background(), request)
		if err == nil || server.requests.Load() != 1 {
			t.Fatalf("%s, on a fresh connection: %v, %d requests", name, err, server.requests.Load())
		}
		if _, again := c.Poll(context.Background(), request); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: one cause is told as\n%v and as\n%v", name, err, again)
		}
	}
}
