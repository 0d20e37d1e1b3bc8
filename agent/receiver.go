package agent

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/state"
)

// maxCallback is how long a callback's body may be.
const maxCallback = 1 << 20

// receiver answers callbacks: POST /callbacks/<provider>/<token>.
//
//	200  its bytes are on disk (fsync), whether they could be understood or not
//	404  no such provider, a wrong token or a wrong address; nothing is stored
//	405  another method
//	413  a body over 1 MiB
//	503  it cannot be stored now; the vendor tries again
type receiver struct {
	agent *Agent
	quiet limiter
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	name, token, ok := callbackPath(request.URL.Path)
	if !ok {
		r.refuse(w, "unknown", http.StatusNotFound, "unknown_path")
		return
	}
	a := r.account(name)
	if a == nil {
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
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxCallback))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			r.refuse(w, name, http.StatusRequestEntityTooLarge, "too_large")
			return
		}
		r.refuse(w, name, http.StatusBadRequest, "cut_off")
		return
	}
	if failpoint.Weakened(failpoint.AnswerFirst) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
	}
	failpoint.Hit(failpoint.CallbackRead)
	result, err := r.agent.rec.receive(request.Context(), a, body)
	if err != nil {
		r.agent.log.Error("a callback cannot be stored; the vendor is asked to try again", "account", name, "error", err)
		r.refuse(w, name, http.StatusServiceUnavailable, "not_stored")
		return
	}
	r.agent.metrics.callback(name, result)
	failpoint.Hit(failpoint.CallbackStored)
	w.WriteHeader(http.StatusOK)
	failpoint.Hit(failpoint.CallbackSent)
}

// account finds the account that callbacks of that name are for.
func (r *receiver) account(name string) *account {
	c := r.agent.rec
	c.mu.RLock()
	defer c.mu.RUnlock()
	if a, ok := c.accounts[name]; ok && a.Gate != nil {
		return a
	}
	return nil
}

// refuse answers without storing, counts, and logs at a bounded rate.
func (r *receiver) refuse(w http.ResponseWriter, account string, status int, result string) {
	r.agent.metrics.callback(account, result)
	if n, ok := r.quiet.allow(r.agent.runner.Now()); ok {
		r.agent.log.Warn("a callback was refused", "account", account, "status", status, "why", result, "more_unlogged", n)
	}
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(status), status)
}

func callbackPath(path string) (provider, token string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/callbacks/")
	if !ok {
		return "", "", false
	}
	provider, token, ok = strings.Cut(rest, "/")
	return provider, token, ok && provider != "" && token != "" && !strings.Contains(token, "/")
}

// receive makes a callback durable, with the record it came to: one commit, so
// that there is no state in which one is there without the other.
func (c *recorder) receive(ctx context.Context, a *account, body []byte) (result string, err error) {
	now := c.now()
	raw := state.Raw{
		ID: c.store.NewRawID(), Kind: state.RawCallback, Account: a.Name, At: now,
		Complete: true, Body: body, Derived: true,
	}
	page := derived(a.vendor, &raw)
	result = "accepted"
	for i := range page.Records {
		if page.Records[i].Quarantined != "" {
			result = "quarantined"
		}
	}
	batch := &state.Batch{Raws: []state.Raw{raw}, Records: page.Records}
	if err := c.store.Commit(ctx, batch); err != nil {
		return "", err
	}
	if batch.NewRecords == 0 {
		result = "duplicate"
	}
	c.recorded()
	return result, nil
}

func bodyDigest(body []byte) [16]byte {
	sum := sha256.Sum256(body)
	return [16]byte(sum[:16])
}

// limiter lets one line a second through and counts the rest.
type limiter struct {
	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (l *limiter) allow(now time.Time) (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last) < time.Second {
		l.skipped++
		return 0, false
	}
	skipped, l.skipped, l.last = l.skipped, 0, now
	return skipped, true
}
