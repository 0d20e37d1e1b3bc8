// Package agent is one pass, and when passes happen: it evaluates the
// configuration, reads, pulls and receives, and records what differs.
//
// plan and apply (pass.go) and the long-running agent (loop.go) walk the same
// steps: evaluate, diff, declare, read or pull, derive, record.
//
// It may read the state, and it commits nothing: what becomes durable goes through
// agent/record. It opens no port and no file but through agent/web and agent/source,
// and knows the vendors by providers.Definition alone.
package agent

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// Runner carries out passes.
type Runner struct {
	Vendors     []*providers.Definition
	Now         func() time.Time
	Log         *slog.Logger
	Transport   http.RoundTripper   // nil: the usual one
	Parallelism int                 // reads under way at once over all accounts; 0: each account's own bound
	Revision    string              // what declares: see Revision
	Version     string              // of the program
	Progress    func(plan.Progress) // may be nil
}

// PassOptions narrow a pass.
type PassOptions struct {
	Refresh bool // read vendors at all
	Pull    bool // apply: make destructive reads
	// StatePath is where the state is; what a pull brought and the database could
	// not take is kept beside it.
	StatePath string
	// Pulling is told of each policy whose pull begins, and calls what it returns once
	// that is over; may be nil.
	Pulling func(Pulling) (over func())
	// Reread are addresses that apply reads although they are settled.
	Reread []plan.Address
}

// Pulling is a pull under way: what it brings is deleted at the vendor.
type Pulling struct {
	Address plan.Address
	Account string
	Limit   int           // reports that one page holds at most
	Longest time.Duration // that one page takes at most
}

func (r *Runner) progress(phase string, done, total int64) {
	if r.Progress != nil {
		r.Progress(plan.Progress{Phase: phase, Done: done, Total: total})
	}
}

// connect makes a connection for every provider block; no network call is made.
func (r *Runner) connect(c providers.Catalog, accounts []plan.Account) (map[string]*providers.Account, error) {
	return c.Connect(accounts, providers.Options{Transport: r.Transport, Now: r.Now, Log: r.Log, UserAgent: "waybill/" + r.Version})
}
