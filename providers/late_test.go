package providers_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// pieces answers after a while, and sends the body a piece at a time.
type pieces struct {
	first, between time.Duration // between: before each piece
	body           []string
	calls          int
}

func (p *pieces) RoundTrip(r *http.Request) (*http.Response, error) {
	p.calls++
	if err := passed(r.Context(), p.first); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{}, ContentLength: -1,
		Body: io.NopCloser(&piecewise{r.Context(), p.between, p.body}),
	}, nil
}

type piecewise struct {
	ctx     context.Context
	between time.Duration
	left    []string
}

func (p *piecewise) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	if err := passed(p.ctx, p.between); err != nil {
		return 0, err
	}
	n := copy(b, p.left[0])
	p.left = p.left[1:]
	return n, nil
}

func passed(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// What can be read at once after the time-out is taken, for a process that was
// paused finds its time over and the answer waiting; what cannot be is not waited
// for, and the end comes within two seconds.
func TestWhatIsThereAfterTheTimeout(t *testing.T) {
	const timeout = 5 * time.Second
	many := strings.Split(strings.Repeat("x", 1000), "")
	for name, c := range map[string]struct {
		answer pieces
		whole  bool
		took   time.Duration // at most
	}{
		"it waits in the socket":     {pieces{first: timeout + time.Millisecond, body: []string{"{", "}"}}, true, timeout + time.Second},
		"its rest waits":             {pieces{between: timeout/2 + time.Millisecond, body: []string{"{", "}"}}, true, timeout + time.Second},
		"much of it waits":           {pieces{first: timeout - time.Second, between: 2 * time.Millisecond, body: many}, true, timeout + 2*time.Second},
		"nothing is there":           {pieces{first: time.Hour, body: []string{"{}"}}, false, timeout + time.Second},
		"its rest is not there":      {pieces{between: timeout - time.Second, body: []string{"{", "}"}}, false, timeout + time.Second},
		"it does not come to an end": {pieces{between: 400 * time.Millisecond, body: many}, false, timeout + 2*time.Second},
	} {
		for _, way := range []string{"Pull", "Poll"} {
			t.Run(way+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					transport := c.answer
					client, err := providers.NewClient("vendor", config("http://127.0.0.1:9", map[string]cty.Value{"timeout": cty.StringVal(timeout.String())}),
						providers.Options{Transport: &transport}, secret)
					if err != nil {
						t.Fatal(err)
					}
					ask := map[string]func(context.Context, providers.Request) (providers.Answer, error){"Pull": client.Pull, "Poll": client.Poll}[way]
					started := time.Now()
					answer, err := ask(context.Background(), methods["POST"])
					took := time.Since(started)
					if (err == nil) != c.whole || answer.Complete != c.whole || took > c.took || transport.calls != 1 {
						t.Errorf("whole %t, %v, after %s and %d calls", answer.Complete, err, took, transport.calls)
					}
					if !c.whole && (providers.KindOf(err) != providers.Transient || !strings.Contains(err.Error(), "no whole answer within 5s")) {
						t.Errorf("%v", err)
					}
				})
			})
		}
	}
}
