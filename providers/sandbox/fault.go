package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// FaultKind is a kind of trouble. "Acted" means that the vendor has done its work, the
// deletion of UCloud's reports included, before the trouble shows.
//
//	delay          all        acted; the answer (nxcloud: the push) comes Delay later
//	rate_limit     polls, pull  HTTP 429, with RetryAfter where one is given; acted if Acted
//	server_error   polls, pull  HTTP Status (500): GlobFax in its documented shape, the others bare; acted if Acted
//	refuse         itniotech, ucloud  HTTP 200 with status or RetCode = Code; not acted
//	html           polls, pull  HTTP Status (200) with an HTML page; acted if Acted
//	truncate       all        acted; the body ends at byte Bytes, else at Fraction (0.5) of it, and the connection breaks
//	unreachable    all        no connection: Transport fails to dial; over sockets, where the listener stands, as reset_before
//	reset_before   polls, pull  the connection is reset, nothing was done
//	reset_after    all        acted; the connection is reset before the answer (nxcloud: its 200 does not reach the vendor)
//	oversize       polls, pull  acted; the answer is followed by Bytes (16 MiB) of blanks
//	wrong_id       globfax, itniotech  the answer is about another identifier
//	skew           itniotech  the vendor's clock is Skew ahead
//	odd            all        acted; something malformed: globfax and itniotech an odd field, ucloud one report of the page, nxcloud the body
//	close_idle     polls, pull  acted; a whole answer, then the kept connection is closed without a word
//	duplicate      nxcloud    after it was accepted, the same callback comes again
//	conflict       nxcloud    after it was accepted, one with other content for the same requestId comes
type FaultKind string

// The kinds of trouble.
const (
	Delay       FaultKind = "delay"
	RateLimit   FaultKind = "rate_limit"
	ServerError FaultKind = "server_error"
	Refuse      FaultKind = "refuse"
	HTML        FaultKind = "html"
	Truncate    FaultKind = "truncate"
	Unreachable FaultKind = "unreachable"
	ResetBefore FaultKind = "reset_before"
	ResetAfter  FaultKind = "reset_after"
	Oversize    FaultKind = "oversize"
	WrongID     FaultKind = "wrong_id"
	Skew        FaultKind = "skew"
	Odd         FaultKind = "odd"
	CloseIdle   FaultKind = "close_idle"
	Duplicate   FaultKind = "duplicate"
	Conflict    FaultKind = "conflict"
)

// Fault is trouble that is switched on.
type Fault struct {
	ID     int       `json:"id"` // given by the sandbox
	Vendor Vendor    `json:"vendor"`
	Kind   FaultKind `json:"kind"`
	// Next is how many requests it strikes; 0: no end.
	Next int `json:"next,omitempty"`
	// Probability is that of each request being struck; 0: every one.
	Probability float64 `json:"probability,omitempty"`

	Delay      Duration `json:"delay,omitzero"`
	RetryAfter Duration `json:"retry_after,omitzero"`
	Skew       Duration `json:"skew,omitzero"`
	Status     int      `json:"status,omitempty"`
	Code       string   `json:"code,omitempty"`
	Bytes      *int     `json:"bytes,omitempty"`
	Fraction   float64  `json:"fraction,omitempty"`
	Acted      bool     `json:"acted,omitempty"`
	// Variant chooses among the malformed forms of odd; 0: drawn.
	Variant int `json:"variant,omitempty"`

	// Struck counts how often it struck.
	Struck int64 `json:"struck"`
	// Off says that it was taken off or has run out.
	Off bool `json:"off,omitempty"`
}

// faultVendors are the vendors for which a kind has a meaning; nil for an
// unknown kind.
func faultVendors(k FaultKind) []Vendor {
	switch k {
	case Delay, Truncate, Unreachable, ResetAfter, Odd:
		return []Vendor{GlobFax, Itniotech, UCloud, NXCloud}
	case RateLimit, ServerError, HTML, ResetBefore, Oversize, CloseIdle:
		return []Vendor{GlobFax, Itniotech, UCloud}
	case Refuse:
		return []Vendor{Itniotech, UCloud}
	case WrongID:
		return []Vendor{GlobFax, Itniotech}
	case Skew:
		return []Vendor{Itniotech}
	case Duplicate, Conflict:
		return []Vendor{NXCloud}
	}
	return nil
}

// AddFault switches trouble on and returns its number. The error says what is
// wrong with it.
func (s *Server) AddFault(f Fault) (id int, err error) {
	allowed := faultVendors(f.Kind)
	switch {
	case allowed == nil:
		return 0, fmt.Errorf("fault kind %q is not known", f.Kind)
	case !slices.Contains(allowed, f.Vendor):
		return 0, fmt.Errorf("fault kind %q has no meaning for vendor %q, only for %q", f.Kind, f.Vendor, allowed)
	case f.Next < 0:
		return 0, fmt.Errorf("next is %d: write how many requests are to be struck, 0 for all", f.Next)
	case !(f.Probability >= 0 && f.Probability <= 1):
		return 0, fmt.Errorf("probability is %v: write a number from 0 to 1", f.Probability)
	case !(f.Fraction >= 0 && f.Fraction < 1):
		return 0, fmt.Errorf("fraction is %v: write a number from 0 to less than 1", f.Fraction)
	case f.Bytes != nil && *f.Bytes < 0:
		return 0, fmt.Errorf("bytes is %d: write 0 or more", *f.Bytes)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return 0, fmt.Errorf("status is %d: write an HTTP status from 200 to 599", f.Status)
	case f.Kind == Refuse && f.Code == "":
		return 0, fmt.Errorf("fault kind refuse needs a code, such as \"-18\" or \"153\"")
	case f.Kind == Refuse && f.Code == "0":
		return 0, fmt.Errorf("fault kind refuse: code 0 means success, write another")
	case f.Kind == Refuse && f.Vendor == UCloud && !isNumber(f.Code):
		return 0, fmt.Errorf("fault kind refuse: code %q is no RetCode, which are whole numbers", f.Code)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultSeq++
	f.ID, f.Struck, f.Off = s.faultSeq, 0, false
	s.faults = append(s.faults, &f)
	return f.ID, nil
}

// ClearFaults takes all faults off. Their counts stay in the account.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		f.Off = true
	}
}

// Faults are all faults that were ever switched on, with their counts.
func (s *Server) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faultList()
}

// faultList copies the faults; s.mu is held.
func (s *Server) faultList() []Fault {
	list := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		list[i] = *f
	}
	return list
}

// oddVariants is how many malformed forms there are at most.
const oddVariants = 6

// strike says which fault, if any, strikes the next request of a vendor, and
// counts it; s.mu is held. fits leaves out those that would have no effect; nil
// leaves out none. The result is a copy.
func (s *Server) strike(v Vendor, fits func(*Fault) bool) *Fault {
	s.seen[v]++
	return s.strikeAt(v, s.seen[v], fits)
}

// strikeAt is strike for the request of that number.
func (s *Server) strikeAt(v Vendor, number uint64, fits func(*Fault) bool) *Fault {
	for _, f := range s.faults {
		if f.Vendor != v || f.Off || fits != nil && !fits(f) {
			continue
		}
		draw := rand.New(rand.NewPCG(s.opts.Seed^uint64(f.ID)<<32, number))
		if f.Probability > 0 && draw.Float64() >= f.Probability {
			continue
		}
		f.Struck++
		if f.Next > 0 && f.Struck >= int64(f.Next) {
			f.Off = true
		}
		c := *f
		if c.Variant == 0 {
			c.Variant = 1 + draw.IntN(oddVariants)
		}
		s.count(v, "fault "+string(f.Kind))
		return &c
	}
	return nil
}

// struckBy says which fault strikes a request that the handler serves. Transport
// has judged already whether a request in memory gets through at all.
func (s *Server) struckBy(r *http.Request, v Vendor, fits func(*Fault) bool) *Fault {
	inMemory := r.Context().Value(memoryKey{}) != nil
	return s.strike(v, func(f *Fault) bool {
		return !(inMemory && f.Kind == Unreachable) && (fits == nil || fits(f))
	})
}

// is reports whether the fault is one of that kind; a nil fault is of none.
func (f *Fault) is(k FaultKind) bool { return f != nil && f.Kind == k }

// spoils reports whether the vendor fails before it has acted.
func (f *Fault) spoils() bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case Unreachable, ResetBefore, Refuse:
		return true
	case RateLimit, ServerError, HTML:
		return !f.Acted
	}
	return false
}

// resets reports whether the connection breaks before an answer; early, before
// the vendor has acted.
func (f *Fault) resets(early bool) bool {
	return f.is(ResetBefore) || f.is(Unreachable) || !early && f.is(ResetAfter)
}

func isNumber(code string) bool {
	_, err := strconv.Atoi(code)
	return err == nil
}

// cut is at which byte of n the body ends.
func (f *Fault) cut(n int) int {
	if f.Bytes != nil {
		return min(*f.Bytes, max(n-1, 0))
	}
	fraction := f.Fraction
	if fraction == 0 {
		fraction = 0.5
	}
	return int(fraction * float64(n))
}

// wait waits for the fault's delay, or until the request ends; it reports
// whether there is still somebody to answer.
func (f *Fault) wait(done <-chan struct{}) bool {
	if !f.is(Delay) || f.Delay <= 0 {
		return true
	}
	t := time.NewTimer(time.Duration(f.Delay))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// status is the HTTP status of the fault, or the usual one.
func (f *Fault) status(usual int) int {
	if f.Status != 0 {
		return f.Status
	}
	return usual
}
