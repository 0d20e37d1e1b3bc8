package oracle_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// network is listeners and connections in memory, so that a bubble's clock can
// move while servers wait. sever ends all of it at once, as a kill does.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	conns     map[net.Conn]bool
}

type listener struct {
	address string
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

// conn has the addresses that a server asks for.
type conn struct{ net.Conn }

func (conn) RemoteAddr() net.Addr { return addr("127.0.0.1:40000") }

func newNetwork() *network {
	return &network{listeners: make(map[string]*listener), conns: make(map[net.Conn]bool)}
}

func (n *network) listen(_, address string) (net.Listener, error) {
	l := &listener{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners[address] = l
	return l, nil
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	ours, theirs := net.Pipe()
	n.mu.Lock()
	n.conns[ours] = true
	n.mu.Unlock()
	select {
	case l.conns <- conn{theirs}:
		return tracked{ours, n}, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type tracked struct {
	net.Conn
	n *network
}

func (t tracked) Close() error {
	t.n.mu.Lock()
	delete(t.n.conns, t.Conn)
	t.n.mu.Unlock()
	return t.Conn.Close()
}

func (n *network) sever() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.listeners {
		_ = l.Close()
	}
	for c := range n.conns {
		_ = c.Close()
	}
	clear(n.listeners)
	clear(n.conns)
}

func (n *network) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *listener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *listener) Addr() net.Addr { return addr(l.address) }
