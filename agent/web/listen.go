// Package web talks HTTP: it receives callbacks, tells how the agent does and takes
// orders, on two listeners.
//
// It touches nothing itself: it asks through small interfaces and has callbacks
// committed by agent/record.
package web

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/waybill-dev/waybill/hclspec"
)

// Listeners are the two doors of the agent: admin for us, receiver for vendors.
type Listeners struct {
	admin, receiver             net.Listener
	adminServer, receiverServer *http.Server
	o                           ListenOptions
	running                     sync.WaitGroup
}

// ListenOptions say where to listen, and how.
type ListenOptions struct {
	Admin, Receiver hclspec.Listener
	// Dir is what a web_config_file is relative to.
	Dir string
	// Open opens a port; nil: net.Listen.
	Open func(network, address string) (net.Listener, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Listen opens both ports, before anything is recorded: a port that is taken is a
// mistake to be told at once.
func Listen(o ListenOptions) (*Listeners, error) {
	for name, l := range map[string]hclspec.Listener{"agent.admin": o.Admin, "agent.receiver": o.Receiver} {
		if err := mayListen(name, l); err != nil {
			return nil, err
		}
	}
	open := o.Open
	if open == nil {
		open = net.Listen
	}
	admin, err := open("tcp", o.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for agent.admin: %w: choose another address in agent { admin { listen = ... } }", err)
	}
	receiver, err := open("tcp", o.Receiver.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for agent.receiver: %w: choose another address in agent { receiver { listen = ... } }", err), admin.Close())
	}
	return &Listeners{admin: admin, receiver: receiver, o: o}, nil
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

// AdminAddr is where the admin listener listens.
func (l *Listeners) AdminAddr() net.Addr { return l.admin.Addr() }

// ReceiverAddr is where the receiver listens.
func (l *Listeners) ReceiverAddr() net.Addr { return l.receiver.Addr() }

// Serve answers on both ports; an error of either is told, once.
func (l *Listeners) Serve(admin, receiver http.Handler) <-chan error {
	l.adminServer = &http.Server{
		Handler: admitting(admin), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	// A vendor sends a small body at once: whoever is slow is no vendor.
	l.receiverServer = &http.Server{
		Handler: receiver, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	served := make(chan error, 2)
	var crowd limiter
	start := func(server *http.Server, listener net.Listener, file string) {
		server.ConnContext = visit
		server.ErrorLog = log.New(&serverLog{log: l.o.Log, now: l.o.Now}, "", 0)
		listener = newLimitListener(listener, func(int) {
			if n, ok := crowd.allow(l.o.Now()); ok {
				l.o.Log.Warn("too many connections at once: one that said nothing was closed", "address", listener.Addr().String(), "more_unlogged", n)
			}
		})
		if file != "" && !filepath.IsAbs(file) {
			file = filepath.Join(l.o.Dir, file)
		}
		l.running.Go(func() {
			none := false
			addresses := []string{listener.Addr().String()}
			err := web.Serve(listener, server, &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &none, WebConfigFile: &file}, quietWeb(l.o.Log))
			if !errors.Is(err, http.ErrServerClosed) {
				served <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
			}
		})
	}
	start(l.adminServer, l.admin, l.o.Admin.WebConfigFile)
	start(l.receiverServer, l.receiver, l.o.Receiver.WebConfigFile)
	return served
}

// quietWeb drops what the web toolkit tells of every start: the agent has told
// where it listens.
func quietWeb(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// Shutdown lets requests in flight finish, for so long at most.
func (l *Listeners) Shutdown(longest time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	for _, server := range []*http.Server{l.receiverServer, l.adminServer} {
		if server != nil && server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	}
	l.running.Wait()
}

// Close closes both ports.
func (l *Listeners) Close() {
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
