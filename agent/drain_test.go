package agent_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
)

// samePage answers every pull with one full page, as a vendor whose deletion lags,
// and gives up on whoever asks without end.
type samePage struct {
	pulls  int
	words  bool // other ones each time, of the same reports
	giveUp func()
}

func (s *samePage) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.pulls++; s.pulls == 20 {
		s.giveUp()
	}
	report := `{"SessionNo":"s1","Phone":"1","CostCount":1,"ReceiptTime":1563867000,"ReceiptResult":"ok","ReceiptCode":"0","ReceiptDesc":"ok","UserId":"u"}`
	if s.words {
		report = strings.Replace(report, `"ReceiptDesc":"ok"`, fmt.Sprintf(`"ReceiptDesc":"told %d times"`, s.pulls), 1)
	}
	body := `{"RetCode":0,"Action":"PullUSMSReportResponse","ReportSet":[` + report + "," + strings.Replace(report, `"Phone":"1"`, `"Phone":"2"`, 1) + `]}`
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// A full page that brings nothing new ends a drain, and that is said once.
func TestDrainEndsWithAPageOfNothingNew(t *testing.T) {
	for name, words := range map[string]bool{"the same page": false, "the same reports in other words": true} {
		t.Run(name, func(t *testing.T) { drainEnds(t, words) })
	}
}

func drainEnds(t *testing.T, words bool) {
	w := newWorld(t)
	w.write("main.wb.hcl", w.providersText()+`
resource "ucloud_usms_report_pull" "main" {
  limit = 2
}
`)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	page := &samePage{words: words, giveUp: cancel}
	said := &lines{}
	w.runner.Transport, w.runner.Log = page, slog.New(slog.NewTextHandler(said, nil))
	apply := func() {
		t.Helper()
		store := w.open()
		defer store.Close()
		_, diags, err := w.runner.Apply(ctx, w.config(), store, agent.PassOptions{Refresh: true, Pull: true, StatePath: w.path}, func(*plan.Result) (bool, error) { return true, nil })
		if err != nil || diags.HasErrors() {
			t.Fatal(err, diags)
		}
	}
	apply()
	if page.pulls != 2 {
		t.Errorf("%d pulls, want one that brings something new and one that does not", page.pulls)
	}
	if n := len(said.with("brought nothing new")); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	w.clock.advance(time.Minute)
	apply()
	if page.pulls != 3 {
		t.Errorf("%d pulls, want one more", page.pulls)
	}
	if stored := w.stored(); words && stored != 2*3 || !words && stored != 2 || len(w.losses()) != 0 {
		t.Errorf("%d records, windows %v", w.stored(), w.losses())
	}
	if due := w.item("ucloud_usms_report_pull.main").Due; !due.Equal(w.clock.now().Add(time.Minute)) {
		t.Errorf("due %v, want after interval", due)
	}
}
