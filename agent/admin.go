package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
)

// listeners are the two doors of the agent: admin for us, receiver for vendors.
type listeners struct {
	admin, receiver             net.Listener
	adminServer, receiverServer *http.Server
	settings                    hclspec.Settings
}

// listen opens both ports, before anything is recorded: a port that is taken is a
// mistake to be told at once.
func (a *Agent) listen() (*listeners, error) {
	settings := a.opts.Settings
	for name, l := range map[string]hclspec.Listener{"agent.admin": settings.Admin, "agent.receiver": settings.Receiver} {
		if err := mayListen(name, l); err != nil {
			return nil, err
		}
	}
	open := a.opts.Listen
	if open == nil {
		open = net.Listen
	}
	admin, err := open("tcp", settings.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for agent.admin: %w: choose another address in agent { admin { listen = ... } }", err)
	}
	receiver, err := open("tcp", settings.Receiver.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for agent.receiver: %w: choose another address in agent { receiver { listen = ... } }", err), admin.Close())
	}
	return &listeners{admin: admin, receiver: receiver, settings: settings}, nil
}

// mayListen refuses an address beyond loopback in clear.
func mayListen(name string, l hclspec.Listener) error {
	host, _, err := net.SplitHostPort(l.Listen)
	if err != nil {
		return fmt.Errorf("%s.listen: %w: write host:port, such as 127.0.0.1:8480", name, err)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || (ip != nil && ip.IsLoopback()) || l.WebConfigFile != "" || l.Insecure {
		return nil
	}
	return fmt.Errorf("%s listens on %s, beyond loopback, without TLS: set web_config_file, put a proxy with TLS before a loopback address, or say insecure = true", name, l.Listen)
}

func (l *listeners) adminAddr() net.Addr    { return l.admin.Addr() }
func (l *listeners) receiverAddr() net.Addr { return l.receiver.Addr() }

// serve answers on both ports; an error of either ends the agent.
func (l *listeners) serve(a *Agent) <-chan error {
	l.adminServer = &http.Server{
		Handler: admitting(a.adminHandler()), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	// A vendor sends a small body at once: whoever is slow is no vendor.
	l.receiverServer = &http.Server{
		Handler: newReceiver(a), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	served := make(chan error, 2)
	var crowd limiter
	start := func(server *http.Server, listener net.Listener, file string) {
		server.ConnContext = visit
		server.ErrorLog = log.New(&serverLog{log: a.log, now: a.runner.Now}, "", 0)
		listener = newDoor(listener, func(int) {
			if n, ok := crowd.allow(a.runner.Now()); ok {
				a.log.Warn("too many connections at once: one that said nothing was closed", "address", listener.Addr().String(), "more_unlogged", n)
			}
		})
		if file != "" && !filepath.IsAbs(file) {
			file = filepath.Join(a.opts.Dir, file)
		}
		a.running.Go(func() {
			none := false
			addresses := []string{listener.Addr().String()}
			err := web.Serve(listener, server, &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &none, WebConfigFile: &file}, quietWeb(a.log))
			if !errors.Is(err, http.ErrServerClosed) {
				served <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
			}
		})
	}
	start(l.adminServer, l.admin, l.settings.Admin.WebConfigFile)
	start(l.receiverServer, l.receiver, l.settings.Receiver.WebConfigFile)
	a.listening.Store(true)
	return served
}

// quietWeb drops what the web toolkit tells of every start: the agent has told
// where it listens.
func quietWeb(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// shutdown lets requests in flight finish.
func (l *listeners) shutdown(longest time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for _, server := range []*http.Server{l.receiverServer, l.adminServer} {
		if server != nil && server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
}

func (l *listeners) close() {
	_, _ = l.admin.Close(), l.receiver.Close() // closed already after serving
}

// admitting keeps the connections of requests under way: whoever reaches the
// admin listener may ask.
func admitting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer admit(r)()
		h.ServeHTTP(w, r)
	})
}

func (a *Agent) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "healthy\n")
	})
	mux.HandleFunc("GET /-/ready", a.serveReady)
	for _, later := range []string{"GET /{$}", "GET /api/"} {
		mux.HandleFunc(later, func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "not in this version: there are /metrics, /-/healthy, /-/ready and POST /-/reload", http.StatusNotFound)
		})
	}
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, r *http.Request) {
		answer := make(chan error, 1)
		select {
		case a.asked <- answer:
		case <-a.ending:
			http.Error(w, "the agent is ending: what is declared is taken at its next start", http.StatusServiceUnavailable)
			return
		case <-r.Context().Done():
			return
		}
		if err := <-answer; err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		a.mu.Lock()
		restart := a.reload.restart
		a.mu.Unlock()
		_, _ = io.WriteString(w, "reloaded\n")
		if restart != "" {
			_, _ = fmt.Fprintf(w, "%s changed: restart the agent for that\n", restart)
		}
	})
	return mux
}

// serveReady is 200 as long as callbacks can be stored and the loop turns. A
// vendor's trouble, lateness and a refused reload are lines in the body.
func (a *Agent) serveReady(w http.ResponseWriter, _ *http.Request) {
	var body strings.Builder
	ready := true
	line := func(ok bool, good, bad string) {
		if ok {
			body.WriteString("ok   " + good + "\n")
			return
		}
		ready = false
		body.WriteString("fail " + bad + "\n")
	}
	line(a.declared.Load(), "the declaration is recorded", "the declaration is not recorded yet")
	line(a.listening.Load(), "the receiver listens", "the receiver does not listen yet")
	line(a.stored.Load() != 0, "callbacks can be stored", "callbacks cannot be stored: see the log for what the state says")
	line(a.healthy() || a.stored.Load() == 0, "the loop turns", "the loop does not turn")
	a.mu.Lock()
	reload := a.reload
	a.mu.Unlock()
	switch {
	case reload.err == nil:
	case reload.unrecorded:
		fmt.Fprintf(&body, "note the reload at %s could not be recorded and is tried again, what ran before runs on: %s\n", plan.FormatTime(reload.at), reload.err)
	default:
		fmt.Fprintf(&body, "note the reload at %s was refused, the last good configuration runs: %s\n", plan.FormatTime(reload.at), reload.err)
	}
	if reload.unkept != nil {
		fmt.Fprintf(&body, "note the configuration that runs could not be kept for a later start, which is tried again: %s\n", reload.unkept)
	}
	if reload.dependents != nil {
		fmt.Fprintf(&body, "note what depends on observed values was not evaluated again, the declaration stays as it was: %s\n", reload.dependents)
	}
	if reload.restart != "" {
		fmt.Fprintf(&body, "note %s changed and needs a restart\n", reload.restart)
	}
	now := a.runner.Now()
	for _, q := range a.allQueues() {
		if ok, why := q.up(); !ok {
			fmt.Fprintf(&body, "note %s: %s\n", q.name, why)
		}
		if lag := q.lag(now); lag > time.Minute {
			fmt.Fprintf(&body, "note %s is %s late\n", q.name, lag.Round(time.Second))
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, body.String())
}
