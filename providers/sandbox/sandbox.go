package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say how a sandbox behaves. The zero value is a usable one.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Seed decides what becomes of things and where faults strike: equal seeds and
	// equal requests give equal answers.
	Seed uint64
	// Speed is how soon things come to their end; zero means DefaultSpeed.
	Speed Speed
	// Credentials are those that are right; zero means DefaultCredentials.
	Credentials Credentials
	// CallbackURL is where batches without a URL of their own are pushed.
	CallbackURL string
	// CallbackClient carries the pushes; nil means a client of the sandbox's own
	// with a time-out of 10 s. Redirects are an error answer either way.
	CallbackClient *http.Client
	// AutoCreate lets an unknown rcpt_ref or orderId that is asked for come into
	// being, as if it had been sent just now, unless its name says that it is missing.
	AutoCreate bool
	// UnknownOrder is how itniotech answers for an orderId that it does not know:
	// the page does not say. Zero means NullData.
	UnknownOrder UnknownOrder
	// ReadsKept bounds how many times of reads the account keeps per item; zero
	// means 256, negative none. Counts are always exact.
	ReadsKept int
	// Log receives what goes wrong in the sandbox itself; nil means nowhere.
	// Neither credentials nor phone numbers are logged.
	Log *slog.Logger
}

// Speed is the span of time, from being sent, within which a thing comes to its
// end. Each thing has its own moment, drawn from the seed.
type Speed struct {
	Earliest, Latest time.Duration
}

// DefaultSpeed lets everything settle within a minute of being sent.
var DefaultSpeed = Speed{Earliest: 5 * time.Second, Latest: 40 * time.Second}

// UnknownOrder is one of the answers that itniotech may give for an orderId
// that does not exist; none of them is documented.
type UnknownOrder string

// The answers for an unknown order.
const (
	NullData   UnknownOrder = "null_data"       // status "0", data null
	ParamError UnknownOrder = "parameter_error" // status "-22"
	MatchedNo  UnknownOrder = "matched_3"       // status "0", matched 3
)

// Settings are what can be changed while a sandbox runs.
type Settings struct {
	CallbackURL  string       `json:"callback_url"`
	UnknownOrder UnknownOrder `json:"unknown_order"`
	AutoCreate   bool         `json:"auto_create"`
}

// Server is the four vendors. It is safe for concurrent use.
type Server struct {
	opts  Options
	log   *slog.Logger
	creds Credentials
	http  *http.Client
	// wake tells Run that something may be due earlier than it knows.
	wake chan struct{}

	mu       sync.Mutex
	settings Settings
	offset   time.Duration // what the control API has moved the clock on
	things   map[string]*thing
	orders   map[string]*thing
	ucloud   ucloudQueue
	pushes   pushQueue
	faults   []*Fault
	faultSeq int
	requests map[Vendor]map[string]int64
	seen     map[Vendor]uint64 // requests so far: the number that faults are drawn from

	listen   sync.Mutex
	base     string
	server   *http.Server
	serveErr chan error
}

// New makes a sandbox. Nothing runs until Start, Run or a request.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Speed == (Speed{}) {
		o.Speed = DefaultSpeed
	}
	if o.Credentials == (Credentials{}) {
		o.Credentials = DefaultCredentials
	}
	if o.UnknownOrder == "" {
		o.UnknownOrder = NullData
	}
	if o.ReadsKept == 0 {
		o.ReadsKept = 256
	}
	s := &Server{
		opts:     o,
		log:      o.Log,
		creds:    o.Credentials,
		http:     pushClient(o.CallbackClient),
		wake:     make(chan struct{}, 1),
		settings: Settings{CallbackURL: o.CallbackURL, UnknownOrder: o.UnknownOrder, AutoCreate: o.AutoCreate},
		things:   make(map[string]*thing),
		orders:   make(map[string]*thing),
		requests: make(map[Vendor]map[string]int64),
		seen:     make(map[Vendor]uint64),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.pushes.batches = make(map[string]*batch)
	s.ucloud.sends = make(map[string]bool)
	return s
}

// Handler serves the vendors and the control API; see the package comment.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/globfax/", s.serveGlobFax)
	mux.HandleFunc("/itniotech/", s.serveItniotech)
	mux.HandleFunc("/ucloud/", s.serveUCloud)
	s.control(mux)
	return mux
}

// Start serves on a TCP address such as "127.0.0.1:0" and returns the base URL.
// Pushing callbacks is Run's task. Close ends it.
func (s *Server) Start(listen string) (baseURL string, err error) {
	s.listen.Lock()
	defer s.listen.Unlock()
	if s.server != nil {
		return "", errors.New("the sandbox is started already")
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", fmt.Errorf("sandbox listener: %w", err)
	}
	s.base = "http://" + l.Addr().String()
	s.server = &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	s.serveErr = make(chan error, 1)
	go func(server *http.Server, done chan<- error) { done <- server.Serve(l) }(s.server, s.serveErr)
	return s.base, nil
}

// Close stops serving at once, connections in use included, and waits until
// that has happened. It is harmless without Start and when called again.
func (s *Server) Close() error {
	s.listen.Lock()
	defer s.listen.Unlock()
	s.http.CloseIdleConnections()
	if s.server == nil {
		return nil
	}
	err := s.server.Close()
	if serve := <-s.serveErr; !errors.Is(serve, http.ErrServerClosed) {
		err = errors.Join(err, serve)
	}
	s.server = nil
	return err
}

// Run pushes NXCLOUD's callbacks when they are due, and again every minute
// while they are refused, until ctx ends. It returns once no push is under way.
func (s *Server) Run(ctx context.Context) {
	s.runPushes(ctx)
}

// Now is the sandbox's time: the clock of Options and what Advance added.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// Advance moves the sandbox's time on: progress, retention and retries. The
// check of itniotech's timestamp keeps to the clock of Options.
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	s.offset += d
	s.mu.Unlock()
	s.poke()
}

// Settings are those in force.
func (s *Server) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// Set changes the settings; an error says what is wrong with them.
func (s *Server) Set(n Settings) error {
	switch n.UnknownOrder {
	case NullData, ParamError, MatchedNo:
	case "":
		n.UnknownOrder = NullData
	default:
		return fmt.Errorf("unknown_order %q is none of null_data, parameter_error and matched_3", n.UnknownOrder)
	}
	if err := callbackURL(n.CallbackURL); err != nil {
		return err
	}
	s.mu.Lock()
	s.settings = n
	if n.CallbackURL != "" {
		s.releaseHeld()
	}
	s.mu.Unlock()
	s.poke()
	return nil
}

// now is the sandbox's time; s.mu is held.
func (s *Server) now() time.Time { return s.opts.Now().Add(s.offset) }

// poke wakes Run; it never blocks.
func (s *Server) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// count counts an answer of a vendor; s.mu is held.
func (s *Server) count(v Vendor, result string) {
	m := s.requests[v]
	if m == nil {
		m = make(map[string]int64)
		s.requests[v] = m
	}
	m[result]++
}
