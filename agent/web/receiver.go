package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/agent/quiet"
	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/providers"
)

// receiver answers callbacks: POST /callbacks/<provider>/<token>.
//
//	200  its bytes are on disk (fsync), whether they could be understood or not
//	404  no such provider, a wrong token or a wrong address; nothing is stored
//	405  another method
//	411  an HTTP/1.0 body without its length: nobody can tell where it ends
//	413  a body over 1 MiB
//	503  it cannot be stored now; the vendor tries again
//
// A body that was cut short is 400, and nothing of it is stored.
type receiver struct {
	callbacks Callbacks
	metrics   *Metrics
	now       func() time.Time
	log       *slog.Logger

	quiet limiter    // of refusals
	loud  *quiet.Log // of callbacks that cannot be stored
	// large has room for the bodies over smallCallback that are in memory at once.
	large chan struct{}
}

// smallCallback is how long an ordinary callback is, with much to spare. The
// longer ones wait for each other, so that memory stays bounded.
const (
	smallCallback  = 64 << 10
	largeCallbacks = 32
)

// Callbacks is the recording step, as far as the receiver needs it.
type Callbacks interface {
	// Account finds an account by its name; nil: there is none.
	Account(name string) *providers.Account
	// Receive makes a callback durable and says what it came to.
	Receive(ctx context.Context, account *providers.Account, body []byte) (result string, err error)
	// NotStored is told of a callback that could not be stored.
	NotStored()
}

// NewReceiver answers callbacks.
func NewReceiver(callbacks Callbacks, metrics *Metrics, now func() time.Time, log *slog.Logger) http.Handler {
	return &receiver{callbacks: callbacks, metrics: metrics, now: now, log: log, loud: quiet.New(log, now), large: make(chan struct{}, largeCallbacks)}
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	closeAmbiguous(w, request)
	name, token, ok := callbackPath(request.URL.Path)
	if !ok {
		r.refuse(w, "unknown", http.StatusNotFound, "unknown_path")
		return
	}
	a := r.callbacks.Account(name)
	if a == nil || a.Gate == nil {
		r.refuse(w, "unknown", http.StatusNotFound, "unknown_provider")
		return
	}
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		r.refuse(w, name, http.StatusMethodNotAllowed, "method")
		return
	}
	from, err := netip.ParseAddrPort(request.RemoteAddr) // never X-Forwarded-For: anybody can write that
	if err != nil || !a.Gate.Admit(token, from.Addr().Unmap()) {
		r.refuse(w, name, http.StatusNotFound, "unauthenticated")
		return
	}
	defer admit(request)()
	if !request.ProtoAtLeast(1, 1) && request.Header.Get("Content-Length") == "" {
		r.refuse(w, name, http.StatusLengthRequired, "no_length")
		return
	}
	body, done, err := r.read(w, request)
	defer done()
	if err != nil {
		status, why := http.StatusBadRequest, "cut_off"
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status, why = http.StatusRequestEntityTooLarge, "too_large"
		} else if errors.Is(err, errCrowded) {
			status, why = http.StatusServiceUnavailable, "crowded"
		}
		r.refuse(w, name, status, why)
		return
	}
	if v, signs := a.Gate.(providers.Verifier); signs && !v.Verify(request.Header, body) {
		r.refuse(w, name, http.StatusNotFound, "unsigned")
		return
	}
	if failpoint.Weakened(failpoint.AnswerFirst) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
	}
	failpoint.Hit(failpoint.CallbackRead)
	// A sender who leaves stops no commit: his going away says nothing of our disk.
	result, err := r.callbacks.Receive(context.WithoutCancel(request.Context()), a, body)
	if err != nil {
		r.callbacks.NotStored()
		r.loud.Error("callbacks", "callbacks cannot be stored; the vendor is asked to try again", "account", name, "error", err)
		r.refuse(w, name, http.StatusServiceUnavailable, "not_stored")
		return
	}
	r.metrics.callback(name, result)
	r.loud.Over("callbacks", "callbacks can be stored again")
	r.log.LogAttrs(request.Context(), slog.LevelDebug, "received", slog.String("account", name), slog.String("result", result), slog.Int("bytes", len(body)))
	failpoint.Hit(failpoint.CallbackStored)
	w.WriteHeader(http.StatusOK)
	failpoint.Hit(failpoint.CallbackSent)
}

// errCrowded: too many large bodies at once.
var errCrowded = errors.New("too many large callbacks at once")

// read reads a body whole. done must be called once the body is of no use any
// more, whatever the error.
func (r *receiver) read(w http.ResponseWriter, request *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	if request.ContentLength > record.MaxCallback {
		r.drain(request)
		return nil, done, &http.MaxBytesError{Limit: record.MaxCallback}
	}
	rest := request.Body
	if size := request.ContentLength; size < 0 || size > smallCallback {
		if body, err = io.ReadAll(io.LimitReader(rest, smallCallback)); err != nil || len(body) < smallCallback {
			return body, done, err
		}
		select {
		case r.large <- struct{}{}:
			done = func() { <-r.large }
		case <-time.After(5 * time.Second):
			return nil, done, errCrowded
		case <-request.Context().Done():
			return nil, done, request.Context().Err()
		}
	}
	more, err := io.ReadAll(http.MaxBytesReader(w, rest, int64(record.MaxCallback-len(body))))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		r.drain(request)
	}
	if body == nil {
		return more, done, err
	}
	return append(body, more...), done, err
}

// drain takes in what an admitted sender still sends, for a while: he hears the
// answer only once he has finished. Nothing of it is kept.
func (r *receiver) drain(request *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(request.Body, 16*record.MaxCallback)) // the answer is the same
}

// refuse answers without storing, counts, and logs at a bounded rate.
func (r *receiver) refuse(w http.ResponseWriter, account string, status int, result string) {
	r.metrics.callback(account, result)
	if n, ok := r.quiet.allow(r.now()); ok {
		r.log.Warn("a callback was refused", "account", account, "status", status, "why", result, "more_unlogged", n)
	}
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(status), status)
}

// callbackPath takes /callbacks/PROVIDER/TOKEN apart. One slash at the end is as
// none: the URL is typed into a vendor's console, and consoles and proxies add it.
func callbackPath(path string) (provider, token string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/callbacks/")
	if !ok {
		return "", "", false
	}
	provider, token, ok = strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	return provider, token, ok && provider != "" && token != "" && !strings.Contains(token, "/")
}
