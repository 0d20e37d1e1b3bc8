package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver answers callbacks as a function says and keeps what came.
type receiver struct {
	mu     sync.Mutex
	bodies []string
	times  []time.Time
	broken int // bodies that ended early
	answer func(n int) int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || int64(len(body)) != q.ContentLength {
		r.broken++
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	r.bodies = append(r.bodies, string(body))
	r.times = append(r.times, time.Now())
	w.WriteHeader(r.answer(len(r.bodies)))
}

func always(status int) func(int) int { return func(int) int { return status } }

// pushing is a sandbox with its clock in a synctest bubble, pushing to r.
func pushing(t *testing.T, r *receiver, o Options) *Server {
	o.CallbackClient = &http.Client{Transport: HandlerTransport(r)}
	if o.CallbackURL == "" {
		o.CallbackURL = "http://receiver.invalid/callbacks/nxcloud/token"
	}
	s := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return s
}

func TestNXCloudHasThePagesShapes(t *testing.T) {
	s := New(Options{})
	for _, c := range []struct {
		golden string
		batch  Batch
	}{
		{"nxcloud_basic.json", Batch{HLR: new(false)}},
		{"nxcloud_hlr.json", Batch{HLR: new(true)}},
		{"nxcloud_failure.json", Batch{Failures: 1, FailureCode: 266}},
	} {
		c.batch.BatchNo, c.batch.Price, c.batch.Currency = c.golden, "0.002", "CNY"
		if err := s.AddBatch(c.batch); err != nil {
			t.Fatal(err)
		}
		body := s.body(s.pushes.batches[c.golden], 0, false, 0)
		if got, want := shape(t, body), shape(t, []byte(golden(t, c.golden))); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var got, want checkResult
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(golden(t, c.golden)), &want); err != nil {
			t.Fatal(err)
		}
		if got.Code != want.Code || got.Cost != want.Cost || want.Code != 0 && got.Message != want.Message {
			t.Errorf("%s: %s", c.golden, body)
		}
		if !regexp.MustCompile(`^[0-9a-f]{32}-000001$`).MatchString(got.RequestID) {
			t.Errorf("requestId is %q", got.RequestID)
		}
	}
}

func TestNXCloudPushesEachResultOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: always(200)}
		s := pushing(t, r, Options{})
		begun := time.Now()
		if err := s.AddBatch(Batch{BatchNo: "901946960376", Count: 1000, Failures: 3}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		a := s.Account()
		if len(r.bodies) != 1000 || len(a.Accepted) != 1000 || a.Callbacks.Pending != 0 || a.Callbacks.Attempts != 1000 {
			t.Fatalf("%d came, %d accepted, %+v", len(r.bodies), len(a.Accepted), a.Callbacks)
		}
		var accepted []string
		ids := make(map[string]bool)
		failed := 0
		for _, c := range a.Accepted {
			accepted = append(accepted, c.Body)
			ids[c.RequestID] = true
			if since := c.At.Sub(begun); since < DefaultSpeed.Earliest || since > DefaultSpeed.Latest {
				t.Fatalf("pushed after %v", since)
			}
			if strings.Contains(c.Body, `"data":null`) {
				failed++
			}
		}
		slices.Sort(accepted)
		slices.Sort(r.bodies)
		if !slices.Equal(accepted, r.bodies) || len(ids) != 1000 || failed != 3 {
			t.Errorf("%d identifiers, %d failed, bodies equal: %v", len(ids), failed, slices.Equal(accepted, r.bodies))
		}
	})
}

func TestNXCloudRetriesEveryMinuteForAnHour(t *testing.T) {
	for _, status := range []int{503, 201, 204, 302, 404} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: always(status)}
				s := pushing(t, r, Options{})
				if err := s.AddBatch(Batch{BatchNo: "b", SettleAfter: Duration(10 * time.Second)}); err != nil {
					t.Fatal(err)
				}
				first := time.Now().Add(10 * time.Second)
				time.Sleep(59 * time.Minute)
				synctest.Wait()
				if a := s.Account(); a.Callbacks.Pending != 1 || len(a.Dropped) != 0 {
					t.Errorf("before the hour is over: %+v", a.Callbacks)
				}
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				if len(r.times) != 61 {
					t.Fatalf("%d attempts, want one and 60 more", len(r.times))
				}
				for i, at := range r.times {
					if want := first.Add(time.Duration(i) * time.Minute); !at.Equal(want) {
						t.Fatalf("attempt %d came at %v, want %v", i, at, want)
					}
				}
				a := s.Account()
				if len(a.Dropped) != 1 || len(a.Accepted) != 0 || a.Callbacks != (Callbacks{Created: 1, Attempts: 61}) || a.Dropped[0].Attempts != 61 || a.Dropped[0].Body != r.bodies[0] {
					t.Errorf("%+v %+v", a.Callbacks, a.Dropped)
				}
			})
		})
	}
}

func TestNXCloudAcceptedAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(n int) int {
			if n < 4 {
				return 500
			}
			return 200
		}}
		s := pushing(t, r, Options{})
		if err := s.AddBatch(Batch{BatchNo: "b", SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		a := s.Account()
		if len(r.bodies) != 4 || len(a.Accepted) != 1 || a.Accepted[0].Attempts != 4 || a.Accepted[0].At.Sub(a.Accepted[0].FirstAt) != 3*time.Minute ||
			a.Requests[NXCloud]["500"] != 3 || a.Requests[NXCloud]["200"] != 1 {
			t.Errorf("%d came; %+v", len(r.bodies), a)
		}
		for _, b := range r.bodies {
			if b != r.bodies[0] {
				t.Error("a retry had other bytes")
			}
		}
	})
}

// TestNXCloudSilentReceiver gives up on a push whose answer does not come.
func TestNXCloudSilentReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{CallbackURL: "http://receiver.invalid/", CallbackClient: &http.Client{Transport: HandlerTransport(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))}})
		if err := s.AddBatch(Batch{BatchNo: "b", SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if n := s.PushDue(t.Context()); n != 1 || time.Since(begun) != pushTimeout {
			t.Errorf("%d pushes took %v", n, time.Since(begun))
		}
		if a := s.Account(); a.Callbacks.Pending != 1 || a.Requests[NXCloud]["no answer"] != 1 {
			t.Errorf("%+v", a)
		}
	})
}

// TestNXCloudStopped keeps what was under way when Run ends.
func TestNXCloudStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{CallbackURL: "http://receiver.invalid/", CallbackClient: &http.Client{Transport: HandlerTransport(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))}})
		if err := s.AddBatch(Batch{BatchNo: "b", Count: 100, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			s.Run(ctx)
			close(ended)
		}()
		synctest.Wait()
		if a := s.Account().Callbacks; a.Attempts != pushWorkers || a.Pending != 100 {
			t.Errorf("under way: %+v", a)
		}
		cancel()
		<-ended
		if a := s.Account(); a.Callbacks.Pending != 100 || len(a.Dropped)+len(a.Accepted) != 0 {
			t.Errorf("after the end: %+v", a.Callbacks)
		}
	})
}

func TestNXCloudWaitsForAURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: always(200)}
		s := New(Options{CallbackClient: &http.Client{Transport: HandlerTransport(r)}})
		if err := s.AddBatch(Batch{BatchNo: "b", Count: 5, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if a := s.Account(); a.Callbacks != (Callbacks{Created: 5, Pending: 5}) {
			t.Errorf("without a URL: %+v", a.Callbacks)
		}
		if err := s.Set(Settings{CallbackURL: "http://receiver.invalid/late"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if a := s.Account(); len(a.Accepted) != 5 || a.Callbacks.Pending != 0 {
			t.Errorf("with one: %+v", a.Callbacks)
		}
	})
}

func TestNXCloudFaults(t *testing.T) {
	type outcome struct{ came, broken, accepted, dropped int }
	for _, c := range []struct {
		fault Fault
		want  outcome
	}{
		{Fault{Kind: Duplicate, Next: 1}, outcome{came: 2, accepted: 2}},
		{Fault{Kind: Conflict, Next: 1}, outcome{came: 2, accepted: 2}},
		{Fault{Kind: Odd, Next: 1}, outcome{came: 1, accepted: 1}},
		{Fault{Kind: Delay, Next: 1, Delay: Duration(7 * time.Second)}, outcome{came: 1, accepted: 1}},
		{Fault{Kind: ResetAfter, Next: 1}, outcome{came: 2, accepted: 1}},
		{Fault{Kind: ResetAfter}, outcome{came: 61, dropped: 1}},
		{Fault{Kind: Unreachable, Next: 3}, outcome{came: 1, accepted: 1}},
		{Fault{Kind: Truncate, Next: 2, Fraction: 0.9}, outcome{came: 1, broken: 2, accepted: 1}},
		{Fault{Kind: Truncate, Next: 1, Bytes: new(0)}, outcome{came: 1, broken: 1, accepted: 1}},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: always(200)}
				s := pushing(t, r, Options{})
				c.fault.Vendor = NXCloud
				if _, err := s.AddFault(c.fault); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				if err := s.AddBatch(Batch{BatchNo: "b", SettleAfter: -1}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				a := s.Account()
				if got := (outcome{len(r.bodies), r.broken, len(a.Accepted), len(a.Dropped)}); got != c.want {
					t.Fatalf("got %+v, want %+v", got, c.want)
				}
				if f := a.Faults[0]; c.fault.Next > 0 && (f.Struck != int64(c.fault.Next) || !f.Off) {
					t.Errorf("the fault struck %d times of %d", f.Struck, c.fault.Next)
				}
				if a.Callbacks.Created != int64(len(a.Accepted)+len(a.Dropped))+a.Callbacks.Pending {
					t.Errorf("the account does not add up: %+v", a.Callbacks)
				}
				switch c.fault.Kind {
				case Duplicate:
					if r.bodies[0] != r.bodies[1] || a.Accepted[1].Kind != Again {
						t.Errorf("%q", r.bodies)
					}
				case Conflict:
					if r.bodies[0] == r.bodies[1] || a.Accepted[0].RequestID != a.Accepted[1].RequestID || a.Accepted[1].Kind != Different ||
						!strings.Contains(r.bodies[1], a.Accepted[0].RequestID) {
						t.Errorf("%q", r.bodies)
					}
				case Odd:
					if !a.Accepted[0].Odd || a.Accepted[0].Body != r.bodies[0] {
						t.Errorf("%+v", a.Accepted)
					}
				case Delay:
					if got := r.times[0].Sub(begun); got != 7*time.Second {
						t.Errorf("came after %v", got)
					}
				}
			})
		})
	}
}

func TestNXCloudOddBodies(t *testing.T) {
	seen := make(map[string]bool)
	for variant := range oddVariants {
		var v checkResult
		body := oddCheck("b", "r-000001", variant)
		seen[string(body)] = true
		if err := json.Unmarshal(body, &v); err == nil && v.RequestID != "" && v.BatchNo != "" {
			t.Errorf("variant %d is quite usual: %s", variant, body)
		}
	}
	if len(seen) != oddVariants {
		t.Errorf("%d different ones, want %d", len(seen), oddVariants)
	}
}

func TestBatchMistakes(t *testing.T) {
	s := New(Options{})
	if err := s.AddBatch(Batch{BatchNo: "b"}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []Batch{{}, {BatchNo: "b"}, {BatchNo: strings.Repeat("b", 65)}, {BatchNo: "c", Count: 5001}, {BatchNo: "c", Count: -1},
		{BatchNo: "c", FailureCode: 7}, {BatchNo: "c", Price: "much"}, {BatchNo: "c", CallbackURL: "ftp://x/secret"}} {
		err := s.AddBatch(b)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", b, err)
		}
	}
}
