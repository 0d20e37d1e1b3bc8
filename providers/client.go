package providers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/time/rate"
)

// MaxAnswer bounds the body of an answer, in bytes: a full page of 200 reports
// is under a tenth of a mebibyte.
const MaxAnswer = 8 << 20

const (
	dialTimeout = 10 * time.Second
	idleTimeout = 45 * time.Second // below the 60 s after which usual servers hang up
	maxHeader   = 256 << 10
	repeats     = 1                      // of a poll
	dialWait    = 100 * time.Millisecond // before a further dial
	maxRetry    = 24 * time.Hour         // the longest Retry-After that is believed
)

// Client is one account's way to its vendor, made once: it bounds time, size,
// rate and concurrency, refuses redirects, and overwrites the account's
// credentials in all that the vendor sends (see Redactor).
//
// No pull reaches a vendor twice by itself, and it has a connection of its own,
// so that no stale one can swallow it. A poll is repeated once: where no
// connection came about, or where a kept one died before a byte of an answer,
// as it does when the vendor closes what was idle. The repeat has a connection
// of its own too, for the other kept ones may be as dead.
//
// Go's own transport would send a request again as often as it finds a kept
// connection dead, if the request counts as replayable: requests here have a
// body that cannot be rewound, so none does.
type Client struct {
	vendor      string
	base        *url.URL
	timeout     time.Duration
	minInterval time.Duration
	concurrency int

	poll, pull *retryablehttp.Client
	traced     bool // the transport tells when it has a connection
	slots      chan struct{}
	limiter    *rate.Limiter
	now        func() time.Time
	agent      string
	redactor   *Redactor
}

// Request is one call.
type Request struct {
	Method string
	Path   string // joined to the endpoint, escaped
	Body   []byte
	// Header sets headers. It is called when the request is about to leave, after
	// all waiting for the account's rate, so that time stamps are fresh.
	Header func(http.Header)
	// Secrets are what this request alone must not have echoed: a signature that
	// would be good for another one.
	Secrets []string
}

// NewClient makes a client from a provider block's common arguments. The
// secrets are kept out of every answer and error.
func NewClient(vendor string, config cty.Value, options Options, secrets ...string) (*Client, error) {
	endpoint, _ := Text(config, "endpoint")
	insecure, _ := Flag(config, "insecure")
	if p := checkEndpoint(endpoint, insecure, ""); p != nil {
		return nil, &Error{Kind: Rejected, Err: errors.New(vendor + ": " + p.Detail)}
	}
	base, err := url.Parse(endpoint)
	if err != nil { // cannot be: it was checked
		return nil, Fault(Rejected, vendor, "the endpoint is not a URL; correct it")
	}
	if base.Path == "" {
		base.Path = "/" // JoinPath keeps a path that has no root without one
	}
	for _, secret := range secrets {
		if secret == "" {
			return nil, Fault(Credentials, vendor, "a credential is missing; set the provider's arguments or their environment variables")
		}
	}
	c := &Client{
		vendor:      vendor,
		base:        base,
		timeout:     Duration(config, "timeout", 30*time.Second),
		minInterval: Duration(config, "min_interval", 0),
		now:         options.Now,
		agent:       options.UserAgent,
		limiter:     rate.NewLimiter(rate.Inf, 0),
		redactor:    NewRedactor(secrets...),
	}
	if c.now == nil {
		c.now = time.Now
	}
	n, _ := Integer(config, "concurrency")
	c.concurrency = int(min(max(n, 1), maxConcurrency))
	c.slots = make(chan struct{}, c.concurrency)
	if limit, ok := known(config, "requests_per_second", cty.Number); ok {
		if perSecond, _ := limit.AsBigFloat().Float64(); perSecond > 0 {
			c.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		}
	}
	_, usual := options.Transport.(*http.Transport)
	c.traced = usual || options.Transport == nil
	fresh := transport(options.Transport, c.concurrency, true)
	c.poll = c.retrying(ways{kept: transport(options.Transport, c.concurrency, false), fresh: fresh}, repeats)
	c.pull = c.retrying(fresh, 0)
	return c, nil
}

// NewKeyedClient is NewClient for an account with two credentials, given by the
// arguments of these names, which are returned too.
func NewKeyedClient(vendor string, config cty.Value, options Options, keyName, secretName string) (c *Client, key, secret string, err error) {
	key, _ = Text(config, keyName)
	secret, _ = Text(config, secretName)
	c, err = NewClient(vendor, config, options, key, secret)
	return c, key, secret, err
}

// Connection completes a connection with what the client knows.
func (c *Client) Connection(connection Connection) *Connection {
	connection.MinInterval = c.minInterval
	connection.Timeout = c.timeout
	connection.Concurrency = c.concurrency
	if connection.Redactor == nil {
		connection.Redactor = c.redactor
	}
	return &connection
}

// Now is the connection's clock, for time stamps.
func (c *Client) Now() time.Time { return c.now() }

// transport is the usual one, unless another is given. HTTP/2 is left out: it
// repeats requests by rules of its own. Compression is left out: evidence is
// what the vendor sent, byte for byte.
func transport(given http.RoundTripper, connections int, single bool) http.RoundTripper {
	if given != nil {
		return given
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		DisableKeepAlives:      single,
		Protocols:              &protocols,
	}
}

// ways are those of a poll: a kept connection, and a fresh one for its repeat.
type ways struct{ kept, fresh http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w ways) RoundTrip(r *http.Request) (*http.Response, error) {
	if callOf(r.Context()).again {
		return w.fresh.RoundTrip(r)
	}
	return w.kept.RoundTrip(r)
}

func (c *Client) retrying(transport http.RoundTripper, further int) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: further,
		// PrepareRetry waits, for it knows the call.
		Backoff: func(time.Duration, time.Duration, int, *http.Response) time.Duration { return 0 },
		CheckRetry: func(ctx context.Context, _ *http.Response, err error) (bool, error) {
			return err != nil && ctx.Err() == nil && callOf(ctx).repeatable(err), nil
		},
		PrepareRetry: func(r *http.Request) error {
			under := callOf(r.Context())
			if err := c.wait(r.Context(), under); err != nil {
				return err
			}
			under.again = true
			under.prepare(r)
			return nil
		},
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// wait holds a repeat back: a dial by a moment, a request by the account's rate,
// for it counts as one more.
func (c *Client) wait(ctx context.Context, under *call) error {
	if under.reached.Load() {
		return c.limiter.Wait(ctx)
	}
	select {
	case <-time.After(dialWait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call is one Request under way.
type call struct {
	request Request
	traced  bool
	reached atomic.Bool // a connection was made
	kept    atomic.Bool // it was one that an earlier request left
	heard   atomic.Bool // a byte of an answer came
	late    atomic.Bool // its time is up
	again   bool        // this is the repeat
	// progress counts what came of the answer.
	progress atomic.Int64
}

// repeatable says whether a poll that ended in err is to be made once more.
func (c *call) repeatable(err error) bool {
	if c.late.Load() {
		return false
	}
	if !c.mayHaveReached(err) {
		return true
	}
	netErr, ok := errors.AsType[net.Error](err)
	return c.kept.Load() && !c.heard.Load() && !(ok && netErr.Timeout())
}

// mayHaveReached says whether the vendor may have seen a request that ended in
// err. Of a transport that does not tell when it has a connection, only an
// error in making one is believed.
func (c *call) mayHaveReached(err error) bool {
	if c.traced || c.reached.Load() {
		return c.reached.Load()
	}
	op, ok := errors.AsType[*net.OpError](err)
	return !ok || op.Op != "dial"
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// prepare makes a request ready to leave: fresh headers, and a body that
// net/http cannot rewind. Without one even a GET would count as replayable; an
// empty body of unknown length is looked into and then not sent.
func (c *call) prepare(r *http.Request) {
	r.Body = io.NopCloser(bytes.NewReader(c.request.Body))
	r.GetBody = nil
	r.ContentLength = int64(len(c.request.Body))
	if r.ContentLength == 0 {
		r.ContentLength = -1
	}
	c.request.Header(r.Header)
}

// Poll makes a call that may be made again. An answer of any status is no error.
func (c *Client) Poll(ctx context.Context, request Request) (Answer, error) {
	return c.do(ctx, c.poll, request)
}

// Pull makes a call that must reach the vendor at most once. When part of an
// answer arrived, it is returned together with the error.
func (c *Client) Pull(ctx context.Context, request Request) (Answer, error) {
	return c.do(ctx, c.pull, request)
}

func (c *Client) do(ctx context.Context, client *retryablehttp.Client, request Request) (Answer, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Answer{At: c.now()}, c.fault(ctx, "waiting for a free connection", ctx.Err(), false)
	}
	if err := c.limiter.Wait(ctx); err != nil {
		return Answer{At: c.now()}, c.fault(ctx, "waiting for requests_per_second", err, false)
	}
	under := &call{request: request, traced: c.traced}
	limited, end := under.limited(ctx, c.timeout)
	defer end()
	limited = httptrace.WithClientTrace(limited, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			under.reached.Store(true)
			under.kept.Store(info.Reused)
		},
		GotFirstResponseByte: func() {
			under.heard.Store(true)
			under.progress.Add(1)
		},
	})
	r := (&http.Request{
		Method: request.Method,
		URL:    c.address(request.Path),
		Host:   c.base.Host,
		Header: http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": {c.agent}},
	}).WithContext(limited)
	under.prepare(r)

	response, err := client.Do(&retryablehttp.Request{Request: r})
	if err != nil {
		return Answer{At: c.now(), Reached: under.mayHaveReached(err)}, c.fault(ctx, "asking", whyEnded(limited, err), false)
	}
	defer response.Body.Close()
	answer := Answer{
		Status:     response.StatusCode,
		RetryAfter: retryAfter(response.Header.Get("Retry-After"), c.now()),
		Reached:    true,
	}
	answer.Body, err = readAll(arriving{response.Body, under}, response.ContentLength)
	answer.At = c.now()
	large := len(answer.Body) > MaxAnswer
	answer.Body = answer.Body[:min(len(answer.Body), MaxAnswer)]
	answer.Complete = err == nil && !large
	c.redactor.With(request.Secrets...).Answer(&answer, MaxAnswer)
	switch {
	case err != nil:
		return answer, c.fault(ctx, "reading the answer", whyEnded(limited, err), true)
	case large:
		return answer, Fault(WrongContent, c.vendor, "the answer of %s is over %d MiB and was not taken; check that endpoint is the API's address", c.base.Host, MaxAnswer>>20)
	}
	return answer, nil
}

// readAll reads a body to its end, or to one byte over the bound.
func readAll(body io.Reader, length int64) ([]byte, error) {
	buffer := bytes.NewBuffer(make([]byte, 0, min(max(length, 0), 1<<20)+bytes.MinRead))
	_, err := buffer.ReadFrom(io.LimitReader(body, MaxAnswer+1))
	return buffer.Bytes(), err
}

// fault makes an *Error of what the transport said, without URL and secrets.
func (c *Client) fault(ctx context.Context, doing string, err error, partly bool) *Error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err // the URL around it names the vendor's record
	}
	var on *net.OpError
	if errors.As(err, &on) && on.Source != nil {
		of := *on
		of.Source = nil // our port, another one each time: one cause has one text
		err = &of
	}
	kind := Transient
	var text string
	var netErr net.Error
	switch {
	case ctx.Err() != nil:
		text = "stopped while " + doing
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		text = "no whole answer within " + c.timeout.String() + "; it is tried again later: raise timeout if this goes on"
	case partly:
		kind, text = WrongContent, "the answer was cut off ("+err.Error()+"); it is tried again later"
	default:
		text = doing + ": " + err.Error() + "; it is tried again later: check endpoint and the network if this goes on"
	}
	return &Error{Kind: kind, Err: &hidden{text: c.redactor.Text(c.vendor + " (" + c.base.Host + "): " + text), cause: err}}
}

// hidden is an error whose text is safe, whatever its cause says.
type hidden struct {
	text  string
	cause error
}

func (h *hidden) Error() string { return h.text }

// Is lets callers ask for a cancelled context without showing the cause.
func (h *hidden) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(h.cause, target)
}

// retryAfter reads the header of that name: seconds, or an HTTP date.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	var d time.Duration
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		d = time.Duration(min(max(seconds, 0), int64(maxRetry/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetry)
}

// address is the endpoint with a path joined to it; without one the endpoint as
// it was written, its last slash included: JoinPath takes that away, and a
// server that answers with a redirect is refused.
func (c *Client) address(path string) *url.URL {
	if path == "" {
		u := *c.base
		return &u
	}
	return c.base.JoinPath(path)
}
