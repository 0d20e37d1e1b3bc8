package web

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// limitListener is a listener that no crowd can block. It keeps at most max connections.
// When one more comes, one that has shown nothing goes: the oldest of those
// that were never admitted, else the one idle for longest. Somebody who opens
// connections and says nothing, or says it slowly, only pushes out his own,
// while an honest sender, who speaks at once, is served and gone.
type limitListener struct {
	net.Listener
	max     int
	crowded func(refused int) // told that a connection was turned out; may be nil

	mu        sync.Mutex
	strangers *list.List // of *visitor, oldest first: nothing of theirs was admitted yet
	idle      *list.List // of *visitor, idle for longest first: between two admitted requests
	inside    int        // visitors with an admitted request under way
}

// visitor is one connection through a limitListener.
type visitor struct {
	net.Conn
	listener *limitListener
	place    *list.Element // in strangers or idle; nil while inside, and once closed
	in       *list.List    // the list of place
	under    int           // admitted requests under way (HTTP/2 has several)
	gone     bool
}

// maxVisitors bounds the connections of a listener, on a machine that allows as many
// open files four times over.
const maxVisitors = 1024

// newLimitListener guards a listener.
func newLimitListener(l net.Listener, crowded func(int)) *limitListener {
	limit := maxVisitors
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur/4 < maxVisitors {
		limit = max(int(files.Cur/4), 16)
	}
	return &limitListener{Listener: l, max: limit, crowded: crowded, strangers: list.New(), idle: list.New()}
}

// Accept waits for the next connection. It never waits for one to end.
func (d *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		v := &visitor{Conn: conn, listener: d}
		if d.enter(v) {
			return v, nil
		}
		_ = conn.Close() // everybody inside is being served: the vendor comes again
	}
}

// enter lets a visitor in, and another out where there is no room.
func (d *limitListener) enter(v *visitor) bool {
	d.mu.Lock()
	var out *visitor
	if d.strangers.Len()+d.idle.Len()+d.inside >= d.max {
		first := d.strangers.Front()
		if first == nil {
			first = d.idle.Front()
		}
		if first == nil {
			d.mu.Unlock()
			d.tell()
			return false
		}
		out = first.Value.(*visitor)
		out.leave()
	}
	v.in, v.place = d.strangers, d.strangers.PushBack(v)
	d.mu.Unlock()
	if out != nil {
		_ = out.Conn.Close()
		d.tell()
	}
	return true
}

func (d *limitListener) tell() {
	if d.crowded != nil {
		d.crowded(1)
	}
}

// leave takes a visitor off its list. The caller holds the listener's mu.
func (v *visitor) leave() {
	if v.place != nil {
		v.in.Remove(v.place)
		v.place = nil
	} else if v.under > 0 {
		v.listener.inside--
	}
	v.gone = true
}

// Close closes the connection.
func (v *visitor) Close() error {
	v.listener.mu.Lock()
	if !v.gone {
		v.leave()
	}
	v.listener.mu.Unlock()
	return v.Conn.Close()
}

// admitted says that a request of this visitor is worth serving: until done is
// called its connection is not turned out.
func (v *visitor) admitted() (done func()) {
	d := v.listener
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.gone {
		return func() {}
	}
	if v.under++; v.under == 1 {
		v.in.Remove(v.place)
		v.place = nil
		d.inside++
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if v.under--; v.under == 0 && !v.gone {
			d.inside--
			v.in, v.place = d.idle, d.idle.PushBack(v)
		}
	}
}

// visitorKey finds a request's visitor in its context.
type visitorKey struct{}

// visit is a server's ConnContext.
func visit(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if v, ok := conn.(*visitor); ok {
		return context.WithValue(ctx, visitorKey{}, v)
	}
	return ctx
}

// admit marks a request's connection as one worth keeping until done.
func admit(r *http.Request) (done func()) {
	if v, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
		return v.admitted()
	}
	return func() {}
}
