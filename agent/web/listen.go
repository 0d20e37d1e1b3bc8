// Package web talks HTTP: it receives callbacks, reports the agent's health and takes
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
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

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

// CheckFile judges the web_config_file of a listener as serving would, and that
// it has TLS where the address is beyond loopback. A listener without one is fine.
func CheckFile(l hclspec.Listener, dir string) error {
	file := fileOf(l, dir)
	if file == "" {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var config struct {
		TLS map[string]any `yaml:"tls_server_config"`
	}
	// A file of a certificate that is not there is told with its path.
	if yaml.Unmarshal(content, &config) == nil {
		for _, name := range []string{"cert_file", "key_file", "client_ca_file"} {
			path, _ := config.TLS[name].(string)
			if path != "" && !filepath.IsAbs(path) {
				path = filepath.Join(filepath.Dir(file), path)
			}
			if path == "" {
				continue
			}
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if err := web.Validate(file); err != nil {
		return err
	}
	if len(config.TLS) == 0 && !l.Insecure && !onLoopback(l.Listen) {
		return fmt.Errorf("it has no tls_server_config, and %s is beyond loopback: add one, or say insecure = true", l.Listen)
	}
	return nil
}

// CheckAddress is an error when nobody could listen on an address now.
func CheckAddress(open func(network, address string) (net.Listener, error), address string) error {
	if open == nil {
		open = net.Listen
	}
	l, err := open("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

func fileOf(l hclspec.Listener, dir string) string {
	if l.WebConfigFile == "" || filepath.IsAbs(l.WebConfigFile) {
		return l.WebConfigFile
	}
	return filepath.Join(dir, l.WebConfigFile)
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// AdminAddr is where the admin listener listens.
func (l *Listeners) AdminAddr() net.Addr { return l.admin.Addr() }

// ReceiverAddr is where the receiver listens.
func (l *Listeners) ReceiverAddr() net.Addr { return l.receiver.Addr() }

// Serve answers on both ports; an error of either is told, once.
func (l *Listeners) Serve(admin, receiver http.Handler) <-chan error {
	l.adminServer = &http.Server{
		Handler: guarded(admitting(admin), l.o.Admin.Listen, l.o.Admin.WebConfigFile != ""), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
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
		l.running.Go(func() {
			none := false
			addresses := []string{listener.Addr().String()}
			err := web.Serve(listener, server, &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &none, WebConfigFile: &file}, quietWeb(l.o.Log))
			if !errors.Is(err, http.ErrServerClosed) {
				served <- fmt.Errorf("serve %s: %w", listener.Addr(), err)
			}
		})
	}
	start(l.adminServer, l.admin, fileOf(l.o.Admin, l.o.Dir))
	start(l.receiverServer, l.receiver, fileOf(l.o.Receiver, l.o.Dir))
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
