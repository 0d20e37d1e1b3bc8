package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
)

// localSandbox is the sandbox of -sandbox: four vendors in this process, on
// loopback, where everything that the configuration declares exists.
type localSandbox struct {
	server *sandbox.Server
	cancel context.CancelFunc
	pushed chan struct{} // closed when no push is under way any more

	// known is what the state beside the sandbox tracks, by type, account and identity.
	known map[[3]string]known

	mu       sync.Mutex
	receiver string            // base URL of our receiver, "" until it listens
	waiting  map[string]*batch // declared before the receiver listens, by account and number
}

// batch is a batch of NXCLOUD that is declared once its results have somewhere to go.
type batch struct {
	account, number string
	expected        int
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
	}
	if _, err := s.server.Start("127.0.0.1:0"); err != nil {
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

// sandboxFloor is the floor between two reads of one item in a sandbox.
const sandboxFloor = "1s"

// overrides are the arguments of provider blocks that lead to this sandbox,
// whatever the configuration says.
func (s *localSandbox) overrides() map[string]map[string]cty.Value {
	access, at := s.server.Credentials(), s.server.Endpoints()
	text := cty.StringVal
	return map[string]map[string]cty.Value{
		"globfax": {
			"endpoint":     text(at.GlobFax),
			"api_key":      text(access.GlobFaxKey),
			"api_secret":   text(access.GlobFaxSecret),
			"min_interval": text(sandboxFloor),
		},
		"itniotech": {
			"endpoint":     text(at.Itniotech),
			"api_key":      text(access.ItniotechKey),
			"api_secret":   text(access.ItniotechSecret),
			"min_interval": text(sandboxFloor),
		},
		"ucloud": {
			"endpoint":    text(at.UCloud),
			"public_key":  text(access.UCloudPublicKey),
			"private_key": text(access.UCloudPrivateKey),
		},
		"nxcloud": {
			"callback": cty.ObjectVal(map[string]cty.Value{
				"tokens":        cty.ListVal([]cty.Value{text(access.NXCloudToken)}),
				"allowed_cidrs": cty.ListValEmpty(cty.String),
			}),
		},
	}
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
	var args struct {
		Recipient string `json:"rcpt_ref"`
		Order     string `json:"order_id"`
		Session   string `json:"session_no"`
		Batch     string `json:"batch_no"`
		Expected  int    `json:"expected"`
	}
	if err := json.Unmarshal(d.Args, &args); err != nil {
		return fmt.Errorf("read arguments: %w", err)
	}
	was, tracked := s.known[[3]string{d.Address.Type(), d.Account, d.Identity}]
	if args.Recipient == "" && args.Order == "" && was.settled {
		return nil // its reports and results were told, once
	}
	if args.Batch != "" {
		return s.declareBatch(&batch{account: d.Account, number: args.Batch, expected: args.Expected})
	}
	if args.Session != "" {
		return s.server.Declare(d.Address.Type(), args.Session, args.Expected, "", time.Time{})
	}
	sent := s.server.Now()
	if tracked {
		sent = was.tracked
	}
	return s.server.Declare(d.Address.Type(), args.Recipient+args.Order, args.Expected, "", sent.Truncate(sentStep))
}

// declareBatch declares a batch, or keeps it until the receiver listens.
func (s *localSandbox) declareBatch(b *batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receiver == "" {
		s.waiting[b.account+"/"+b.number] = b
		return nil
	}
	return s.push(b)
}

// push declares a batch whose results go to our receiver.
func (s *localSandbox) push(b *batch) error {
	url := s.receiver + "/callbacks/" + b.account + "/" + s.server.Credentials().NXCloudToken
	return s.server.Declare("nxcloud_number_check", b.number, b.expected, url, time.Time{})
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
			return fmt.Errorf("sandbox: batch %s: %w", b.number, err)
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
