package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Agent is the agent, as far as its admin listener needs it.
type Agent interface {
	Readiness() Readiness
	// Reload takes the configuration anew. restart says what of it needs a restart, ""
	// for nothing. The error is ErrEnding, that of ctx, or says why it was refused.
	Reload(ctx context.Context) (restart string, err error)
}

// ErrEnding is a reload that comes too late.
var ErrEnding = errors.New("the agent is ending: what is declared is taken at its next start")

// Readiness is how the agent does.
type Readiness struct {
	Conditions []Condition // ready while all of them are met
	Notes      []string    // troubles that keep nobody from being ready
}

// Condition is one thing that being ready takes.
type Condition struct {
	Met       bool
	Good, Bad string // how it is told
}

// NewAdmin answers on the admin listener.
func NewAdmin(agent Agent, metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "healthy\n")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) { serveReady(w, agent.Readiness()) })
	for _, later := range []string{"GET /{$}", "GET /api/"} {
		mux.HandleFunc(later, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "not in this version: there are /metrics, /-/healthy, /-/ready and POST /-/reload", http.StatusNotFound)
		})
	}
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, r *http.Request) {
		restart, err := agent.Reload(r.Context())
		switch {
		case errors.Is(err, ErrEnding):
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		case err != nil && r.Context().Err() != nil:
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "reloaded\n")
		if restart != "" {
			_, _ = fmt.Fprintf(w, "%s changed: restart the agent for that\n", restart)
		}
	})
	return mux
}

// serveReady is 200 as long as every condition is met.
func serveReady(w http.ResponseWriter, readiness Readiness) {
	var body strings.Builder
	status := http.StatusOK
	for _, c := range readiness.Conditions {
		if c.Met {
			body.WriteString("ok   " + c.Good + "\n")
			continue
		}
		status = http.StatusServiceUnavailable
		body.WriteString("fail " + c.Bad + "\n")
	}
	for _, note := range readiness.Notes {
		body.WriteString("note " + note + "\n")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body.String())
}
