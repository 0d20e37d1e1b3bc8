package harness

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Network is listeners and connections in memory, so that the clock of a bubble of
// testing/synctest can move while servers wait. The zero value has no listeners.
type Network struct {
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

// Listen listens at an address until the listener is closed. The newest listener
// of an address is the one that is reached.
func (n *Network) Listen(_, address string) (net.Listener, error) {
	l := &listener{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners == nil {
		n.listeners = make(map[string]*listener)
	}
	n.listeners[address] = l
	return l, nil
}

// Client is an HTTP client that knows this network only.
func (n *Network) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: n.dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

// Sever ends all listeners and connections at once, as a kill does.
func (n *Network) Sever() {
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

func (n *Network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	n.mu.Lock()
	l := n.listeners[address]
	if l != nil {
		if n.conns == nil {
			n.conns = make(map[net.Conn]bool)
		}
		n.conns[ours] = true
	}
	n.mu.Unlock()
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	select {
	case l.conns <- accepted{theirs}:
		return dialed{ours, n}, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accepted has the address that a server asks for.
type accepted struct{ net.Conn }

func (accepted) RemoteAddr() net.Addr { return tcp("127.0.0.1:40000") }

// dialed is severed with the network until it is closed.
type dialed struct {
	net.Conn
	n *Network
}

func (d dialed) Close() error {
	d.n.mu.Lock()
	delete(d.n.conns, d.Conn)
	d.n.mu.Unlock()
	return d.Conn.Close()
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
func (l *listener) Addr() net.Addr { return tcp(l.address) }

// tcp is an address of loopback, which the tests write down.
func tcp(address string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
}
