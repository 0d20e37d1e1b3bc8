package web

import (
	"errors"
	"math/rand/v2"
	"net"
	"testing"
)

// tracked is a connection that knows whether it was closed.
type tracked struct {
	net.Conn
	closed bool
}

func (c *tracked) Close() error {
	c.closed = true
	return nil
}

// made is a listener that hands out what the test dials.
type made struct{ conns chan net.Conn }

func (m made) Accept() (net.Conn, error) {
	if c, ok := <-m.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (m made) Close() error   { return nil }
func (m made) Addr() net.Addr { return &net.TCPAddr{} }

// limitWorld is a listener with room for max, and a way through it.
func limitWorld(t *testing.T, limit int) (d *limitListener, come func() *visitor, turned *int) {
	t.Helper()
	l := made{make(chan net.Conn, 1)}
	turned = new(int)
	d = newLimitListener(l, func(n int) { *turned += n })
	d.max = limit
	return d, func() *visitor {
		t.Helper()
		l.conns <- &tracked{}
		c, err := d.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*visitor)
	}, turned
}

func out(v *visitor) bool { return v.Conn.(*tracked).closed }

// Who is turned out when there is no room: strangers first, the oldest first, then
// the one idle for longest, and nobody who is being served.
func TestConnectionLimit(t *testing.T) {
	d, come, turned := limitWorld(t, 4)
	served := come()
	done := served.admitted()
	idle, idler := come(), come()
	idler.admitted()()
	idle.admitted()()
	old := come()
	young := come()
	if out(served) || out(idle) || out(idler) || !out(old) || out(young) || *turned != 1 {
		t.Fatal("the oldest stranger stays, or another goes")
	}
	done2 := young.admitted()
	fresh := come()
	if !out(idler) || out(idle) || out(young) || out(fresh) {
		t.Fatal("the one idle for longest stays, or another goes")
	}
	idle2, fresh2 := idle.admitted(), fresh.admitted()
	// Everybody is served now: who comes is not let in, and whoever comes later is,
	// once there is room.
	l := d.Listener.(made)
	one := &tracked{}
	l.conns <- one
	close(l.conns)
	if _, err := d.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("let in: %v", err)
	}
	if !one.closed {
		t.Error("the one who was not let in is not told")
	}
	again := served.admitted() // a second request of one connection (HTTP/2)
	done()
	if d.inside != 4 {
		t.Errorf("%d inside", d.inside)
	}
	again()
	done2()
	idle2()
	fresh2()
	if d.inside != 0 || d.idle.Len() != 4 || d.strangers.Len() != 0 {
		t.Errorf("%d inside, %d idle, %d strangers", d.inside, d.idle.Len(), d.strangers.Len())
	}
	for _, v := range []*visitor{served, idle, young, fresh} {
		_ = v.Close()
		_ = v.Close()
	}
	if d.inside != 0 || d.idle.Len() != 0 {
		t.Errorf("after all have left: %d inside, %d idle", d.inside, d.idle.Len())
	}
}

// Whatever comes and goes in whatever order, the listener's count is right.
func TestConnectionLimitCounts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const limit = 8
	d, come, _ := limitWorld(t, limit)
	type guest struct {
		*visitor
		under []func()
	}
	var guests []*guest
	for range 20_000 {
		switch n := random.IntN(10); {
		case n < 4 && d.inside < limit:
			guests = append(guests, &guest{visitor: come()})
		case len(guests) == 0:
		case n < 6:
			g := guests[random.IntN(len(guests))]
			g.under = append(g.under, g.admitted())
		case n < 9:
			if g := guests[random.IntN(len(guests))]; len(g.under) > 0 {
				g.under[0]()
				g.under = g.under[1:]
			}
		default:
			i := random.IntN(len(guests))
			_ = guests[i].Close()
		}
		open, serving := 0, 0
		kept := guests[:0]
		for _, g := range guests {
			if !out(g.visitor) {
				open++
				if g.visitor.under > 0 {
					serving++
				}
				kept = append(kept, g)
			} else if len(g.under) > 0 {
				kept = append(kept, g) // its requests still end
			}
		}
		guests = kept
		if got := d.strangers.Len() + d.idle.Len() + d.inside; got != open || d.inside != serving || got > limit {
			t.Fatalf("%d inside, %d idle, %d strangers; %d are open, %d are served", d.inside, d.idle.Len(), d.strangers.Len(), open, serving)
		}
	}
}
