package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/value"
)

// localSandbox is the sandbox of -sandbox: four vendors in this process, on
// loopback, where everything that the configuration declares exists.
type localSandbox struct {
	server  *sandbox.Server
	base    string // its URL
	vendors []*providers.Definition
	catalog providers.Catalog
	cancel  context.CancelFunc
	pushed  chan struct{} // closed when no push is under way any more

	// known is what the state beside the sandbox tracks, by type, account and identity.
	known map[[3]string]known

	mu       sync.Mutex
	receiver string            // base URL of our receiver, "" until it listens
	waiting  map[string]*batch // declared before the receiver listens, by account and number
}

// batch is a thing whose results are pushed: declared once they have somewhere to go.
type batch struct {
	account, typ, name string
	expected           int
}

// known is what a state says of an item.
type known struct {
	tracked time.Time
	settled bool
}

// remember takes what the state at path tracks, so that a sandbox which is
// started anew goes on where the last one was: what was sent then is not sent
// again now.
func (s *localSandbox) remember(ctx context.Context, path string) error {
	reader, err := sqlite.OpenReader(path)
	if errors.Is(err, state.ErrNoState) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open state %s: %w", path, err)
	}
	defer reader.Close()
	s.known = make(map[[3]string]known)
	for item, err := range reader.Items(ctx, state.ItemFilter{Declared: true}) {
		if err != nil {
			return fmt.Errorf("read state %s: %w", path, err)
		}
		s.known[[3]string{item.Address.Type(), item.Account, item.Identity}] = known{item.TrackedAt, item.Settled}
	}
	return nil
}

// sentStep is the grain of when a thing was sent, so that what the sandbox made
// before the state tracked it is the same after.
const sentStep = 10 * time.Second

// startSandbox starts the vendors on a free port of loopback. Everything there
// settles soon enough to be watched.
func (p *program) startSandbox(ctx context.Context) (*localSandbox, error) {
	speed := sandbox.Speed{Earliest: 3 * time.Second, Latest: 25 * time.Second}
	s := &localSandbox{
		server:  sandbox.New(sandbox.Options{Now: p.now, AutoCreate: true, Log: p.log, Seed: 1, Speed: speed}),
		pushed:  make(chan struct{}),
		waiting: make(map[string]*batch),
		vendors: p.vendors,
		catalog: providers.NewCatalog(p.vendors),
	}
	var err error
	if s.base, err = s.server.Start("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	ctx, s.cancel = context.WithCancel(ctx)
	go func() {
		defer close(s.pushed)
		s.server.Run(ctx)
	}()
	return s, nil
}

// close ends the sandbox. What it did is gone with it.
func (s *localSandbox) close() {
	s.cancel()
	<-s.pushed
	_ = s.server.Close() // nothing of it is kept
}

// environ puts the sandbox's credentials before the process's own, so that no
// real one is ever read.
func (s *localSandbox) environ(next func(string) (string, bool)) func(string) (string, bool) {
	fake := s.server.Credentials().Env()
	return func(name string) (string, bool) {
		if v, ok := fake[name]; ok {
			return v, true
		}
		return next(name)
	}
}

// overrides are the arguments of provider blocks that lead to this sandbox,
// whatever the configuration says. A vendor that the sandbox does not have is
// asked there too, in vain: never at its real endpoint.
func (s *localSandbox) overrides() map[string]map[string]cty.Value {
	overrides := s.server.Overrides()
	for _, d := range s.vendors {
		for _, a := range d.Schema.Arguments {
			if overrides[d.Schema.Provider] == nil && a.Name == "endpoint" {
				overrides[d.Schema.Provider] = map[string]cty.Value{"endpoint": cty.StringVal(s.base + "/" + d.Schema.Provider)}
			}
		}
	}
	return overrides
}

// declare lets everything that a configuration declares come into being, as if
// it had been sent just now. What exists already goes on as it is.
func (s *localSandbox) declare(ctx context.Context, cfg *hclspec.Root) error {
	// Mistakes are left to the pass itself, which shows them.
	_, err := cfg.NewEvaluation(nil).All(ctx, func(wave *hclspec.Wave) error { return s.declareAll(wave.Desired) })
	return err
}

func (s *localSandbox) declareAll(desired []plan.Desired) error {
	for i := range desired {
		if err := s.declareOne(&desired[i]); err != nil {
			return fmt.Errorf("sandbox: %s: %w", desired[i].Address, err)
		}
	}
	return nil
}

func (s *localSandbox) declareOne(d *plan.Desired) error {
	t, err := s.catalog.TypeOf(d.Address.Type())
	if err != nil {
		return err
	}
	args, err := value.Decode(d.Args, t.ArgsType())
	if err != nil {
		return fmt.Errorf("read arguments: %w", err)
	}
	expected, _ := providers.Integer(args, "expected")
	b := batch{account: d.Account, typ: t.Name, name: nameOf(t, args), expected: int(expected)}
	was, tracked := s.known[[3]string{t.Name, d.Account, d.Identity}]
	switch {
	case t.Kind == plan.Polled:
		sent := s.server.Now()
		if tracked {
			sent = was.tracked
		}
		return s.server.Declare(t.Name, b.name, b.expected, "", sent.Truncate(sentStep))
	case was.settled:
		return nil // its reports and results were told, once
	case s.catalog.Vendors[t.Name].Redelivery.For > 0:
		return s.declareBatch(&b)
	}
	return s.server.Declare(t.Name, b.name, b.expected, "", time.Time{})
}

// nameOf is the vendor's name for a thing: the argument that must be given and
// names it.
func nameOf(t *plan.Type, args cty.Value) string {
	for _, a := range t.Arguments {
		if a.Identity && a.Required {
			name, _ := providers.Text(args, a.Name)
			return name
		}
	}
	return ""
}

// declareBatch declares what a vendor pushes, or keeps it until the receiver listens.
func (s *localSandbox) declareBatch(b *batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receiver == "" {
		s.waiting[b.account+"/"+b.name] = b
		return nil
	}
	return s.push(b)
}

// push declares a batch whose results go to our receiver.
func (s *localSandbox) push(b *batch) error {
	return s.server.Declare(b.typ, b.name, b.expected, s.receiver+s.server.CallbackPath(b.account), time.Time{})
}

// listening tells the sandbox where our receiver is, so that results can be
// pushed there.
func (s *localSandbox) listening(address string, tls bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	scheme := "http://"
	if tls {
		scheme = "https://"
	}
	s.receiver = scheme + reachable(address)
	for _, b := range s.waiting {
		if err := s.push(b); err != nil {
			return fmt.Errorf("sandbox: batch %s: %w", b.name, err)
		}
	}
	clear(s.waiting)
	return nil
}

// reachable is a listener's address as somebody on this machine calls it.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
