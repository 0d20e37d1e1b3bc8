package sandbox

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// The rules of NXCLOUD's page: again every minute, for 60 minutes.
const (
	retryEvery = time.Minute
	retryFor   = 60 * time.Minute
)

// pushTimeout bounds one push. The page names none.
const pushTimeout = 10 * time.Second

// pushWorkers is how many pushes may be under way at once.
const pushWorkers = 32

// PushKind says what sort of callback it is.
type PushKind string

// The sorts of callbacks.
const (
	Result    PushKind = "result"
	Again     PushKind = "duplicate" // the same bytes once more
	Different PushKind = "conflict"  // other content for the same requestId
)

// Callback is one callback that was accepted, or given up.
type Callback struct {
	RequestID string    `json:"request_id"`
	BatchNo   string    `json:"batch_no"`
	Kind      PushKind  `json:"kind"`
	Odd       bool      `json:"odd,omitempty"` // malformed on purpose
	FirstAt   time.Time `json:"first_at"`      // of the first attempt
	At        time.Time `json:"at"`            // when it was accepted or given up
	Attempts  int       `json:"attempts"`
	Body      string    `json:"body"` // the exact bytes
}

// pushClient is the client that pushes: never one that follows a redirect.
func pushClient(given *http.Client) *http.Client {
	c := http.Client{Timeout: pushTimeout}
	if given != nil {
		c = *given
	} else {
		c.Transport = &http.Transport{MaxIdleConnsPerHost: pushWorkers, IdleConnTimeout: 90 * time.Second}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// runPushes is Run.
func (s *Server) runPushes(ctx context.Context) {
	done := make(chan struct{}, pushWorkers)
	running := 0
	defer func() {
		for ; running > 0; running-- {
			<-done
		}
	}()
	for ctx.Err() == nil {
		var wait <-chan time.Time
		var timer *time.Timer
		for running < pushWorkers {
			p, after, ok := s.nextPush()
			if !ok {
				break
			}
			if p == nil {
				timer = time.NewTimer(after)
				wait = timer.C
				break
			}
			running++
			go func() {
				defer func() { done <- struct{}{} }()
				s.attempt(ctx, p)
			}()
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-wait:
		case <-done:
			running--
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// PushDue pushes, one after the other, every callback that is due now, and
// returns how many it tried. It is Run's work for a caller with a clock of its own.
func (s *Server) PushDue(ctx context.Context) int {
	n := 0
	for ctx.Err() == nil {
		p, _, ok := s.nextPush()
		if !ok || p == nil {
			break
		}
		s.attempt(ctx, p)
		n++
	}
	return n
}

// nextPush takes the next callback that is due; where none is, it tells how long
// it is until one will be. ok is false when there is none at all.
func (s *Server) nextPush() (p *push, after time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pushes.due) > 0 {
		now := s.now()
		if d := s.pushes.due[0].due.Sub(now); d > 0 {
			return nil, d, true
		}
		p := heap.Pop(&s.pushes.due).(*push)
		if p.batch.CallbackURL == "" && s.settings.CallbackURL == "" {
			s.pushes.held = append(s.pushes.held, p)
			continue
		}
		s.pushes.underWay++
		return p, 0, true
	}
	return nil, 0, false
}

// releaseHeld makes due what waited for a URL; s.mu is held.
func (s *Server) releaseHeld() {
	for _, p := range s.pushes.held {
		s.pushes.requeue(p)
	}
	s.pushes.held = nil
}

// attempt pushes one callback once and judges the answer: exactly 200 is
// acceptance, anything else is tried again in a minute.
func (s *Server) attempt(ctx context.Context, p *push) {
	s.mu.Lock()
	start := s.now()
	f := s.strike(NXCloud, func(f *Fault) bool {
		// An odd body replaces a result that was not told yet; a second callback
		// follows a first one.
		return p.kind == "" && p.odd == 0 || f.Kind != Odd && f.Kind != Duplicate && f.Kind != Conflict
	})
	if p.first.IsZero() {
		p.first = start
	}
	if f.is(Odd) {
		p.odd = 1 + f.Variant
	}
	p.again, p.differ = p.again || f.is(Duplicate), p.differ || f.is(Conflict)
	p.attempts++
	s.pushes.attempts++
	target := orElse(p.batch.CallbackURL, s.settings.CallbackURL)
	body := s.body(p.batch, p.index, p.kind == Different, p.odd)
	s.mu.Unlock()

	status := 0
	if f.wait(ctx.Done()) && !f.is(Unreachable) {
		status = s.post(ctx, target, body, f)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes.underWay--
	now := s.now()
	record := Callback{RequestID: p.batch.requestID(p.index), BatchNo: p.batch.BatchNo, Kind: p.kind, Odd: p.odd > 0,
		FirstAt: p.first, At: now, Attempts: p.attempts, Body: string(body)}
	if record.Kind == "" {
		record.Kind = Result
	}
	if status == 0 {
		s.count(NXCloud, "no answer")
	} else {
		s.count(NXCloud, strconv.Itoa(status))
	}
	switch {
	case status == http.StatusOK:
		s.pushes.accepted = append(s.pushes.accepted, record)
		if p.again {
			s.pushes.add(&push{batch: p.batch, index: p.index, due: now, kind: Again})
		}
		if p.differ {
			s.pushes.add(&push{batch: p.batch, index: p.index, due: now, kind: Different})
		}
	case ctx.Err() != nil:
		// The sandbox stops; the callback is as due as it was.
		s.pushes.requeue(p)
	case start.Add(retryEvery).Sub(p.first) > retryFor:
		s.pushes.dropped = append(s.pushes.dropped, record)
	default:
		p.due = start.Add(retryEvery)
		s.pushes.requeue(p)
	}
	s.poke()
}

// errCut ends a body early.
var errCut = errors.New("the sandbox cut the body off")

// post sends one callback and returns the status of the answer, 0 where none
// came back.
func (s *Server) post(ctx context.Context, target string, body []byte, f *Fault) int {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	var content io.Reader = bytes.NewReader(body)
	if f.is(Truncate) {
		content = io.MultiReader(bytes.NewReader(body[:f.cut(len(body))]), failing{})
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, content)
	if err != nil {
		// The URL, which is not repeated in a log, was judged when it was given.
		s.log.Error("callback request could not be made")
		return 0
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	if err != nil || f.is(ResetAfter) || f.is(Truncate) {
		return 0
	}
	return response.StatusCode
}

// failing is a reader that always fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }
