package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
)

// pipes is a network in memory, so that a bubble's clock can move while servers
// wait.
type pipes struct {
	mu        sync.Mutex
	listeners map[string]*pipeListener
}

type pipeListener struct {
	address string
	conns   chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

type pipeAddr string

func (a pipeAddr) Network() string { return "tcp" }
func (a pipeAddr) String() string  { return string(a) }

// pipeConn has the addresses that a server asks for.
type pipeConn struct {
	net.Conn
	remote pipeAddr
}

func (c pipeConn) RemoteAddr() net.Addr { return c.remote }

func (p *pipes) listen(_, address string) (net.Listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &pipeListener{address: address, conns: make(chan net.Conn), closed: make(chan struct{})}
	p.listeners[address] = l
	return l, nil
}

func (p *pipes) dial(ctx context.Context, _, address string) (net.Conn, error) {
	p.mu.Lock()
	l := p.listeners[address]
	p.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- pipeConn{theirs, "127.0.0.1:40000"}:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.address) }

const adminURL, receiverURL = "http://127.0.0.1:8480", "http://127.0.0.1:8481"

// bubble is a world whose clock is the bubble's, with an agent that can be
// started and stopped.
type bubble struct {
	*world
	network *pipes
	stop    context.CancelFunc
	ended   chan error
	vending context.CancelFunc
}

func newBubble(t *testing.T) *bubble {
	w := newWorld(t)
	b := &bubble{world: w, network: &pipes{listeners: make(map[string]*pipeListener)}}
	w.runner.Now = time.Now
	w.vendors = sandbox.New(sandbox.Options{Seed: 3, CallbackClient: b.network.client()})
	w.runner.Transport = w.vendors.Transport()
	ctx, cancel := context.WithCancel(context.Background())
	b.vending = cancel
	done := make(chan struct{})
	go func() { defer close(done); w.vendors.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// start starts the agent and waits until it is ready, or returns its error.
func (b *bubble) start(options ...func(*agent.AgentOptions)) error {
	b.t.Helper()
	store := b.open()
	ctx, stop := context.WithCancel(context.Background())
	opts := agent.AgentOptions{
		Source: source.NewDirectory(b.dir, b.runner.Log, true), Load: b.loadFrom, Dir: b.dir, StatePath: b.path, Listen: b.network.listen,
		Settings: hclspec.Settings{
			BackendPath: "waybill.db", Admin: hclspec.Listener{Listen: "127.0.0.1:8480"}, Receiver: hclspec.Listener{Listen: "127.0.0.1:8481"},
		},
	}
	for _, o := range options {
		o(&opts)
	}
	b.ended = make(chan error, 1)
	b.stop = stop
	go func() {
		err := b.runner.RunAgent(ctx, store, opts)
		b.ended <- errors.Join(err, store.Close())
	}()
	synctest.Wait()
	select {
	case err := <-b.ended:
		stop()
		return err
	default:
		return nil
	}
}

// end stops the agent as SIGTERM does.
func (b *bubble) end() {
	b.t.Helper()
	b.stop()
	if err := <-b.ended; err != nil {
		b.t.Errorf("the agent ended with %v", err)
	}
}

func (b *bubble) get(url string) (int, string) {
	b.t.Helper()
	response, err := b.network.client().Get(url)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (b *bubble) post(url, body string) int {
	b.t.Helper()
	response, err := b.network.client().Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

func (b *bubble) callbackURL() string {
	return receiverURL + "/callbacks/nxcloud/" + b.vendors.Credentials().NXCloudToken
}

// must is for seeding the sandbox.
func (b *bubble) must(errs ...error) {
	b.t.Helper()
	if err := errors.Join(errs...); err != nil {
		b.t.Fatal(err)
	}
}

// settled is the accounting that must hold after any run: no read sooner than the
// floor, none after the last word, every deleted report and accepted callback in
// the state, and a history that folds to it.
func (b *bubble) settled(floor time.Duration) {
	b.t.Helper()
	a := b.vendors.Account()
	for _, r := range a.Reads {
		if r.Count > 1 && time.Duration(r.ShortestGap) < floor {
			b.t.Errorf("%s %s was read twice within %s, the floor is %s", r.Vendor, r.ID, time.Duration(r.ShortestGap), floor)
		}
		if r.AfterFinal > 0 {
			b.t.Errorf("%s %s was read %d times after its last word", r.Vendor, r.ID, r.AfterFinal)
		}
	}
	historyFolds(b.t, b.world)
}

func TestAgentBringsAllFourSystemsToTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText()+fourThings+`
resource "nxcloud_number_check" "january" {
  batch_no = "b1"
  expected = 20
}
`)
		b.must(
			b.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_a", Status: "success", SettleAfter: sandbox.Duration(5 * time.Minute)}),
			b.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_b", Status: "failed", FailedCode: "BUSY", FailedReason: "Recipient line is busy", SettleAfter: sandbox.Duration(10 * time.Minute)}),
			b.vendors.AddOrder(sandbox.Order{ID: "o1", Channel: "sms", Outcome: "never", SettleAfter: sandbox.Duration(time.Minute)}),
			b.vendors.AddSend(sandbox.Send{SessionNo: "s1", Count: 5, Outcomes: []string{"success", "success", "fail", "success", "unknown"}, SettleAfter: sandbox.Duration(3 * time.Minute), Twice: true}),
			b.vendors.AddBatch(sandbox.Batch{BatchNo: "b1", Count: 20, Failures: 3, CallbackURL: b.callbackURL(), Price: "0.002", Currency: "CNY", SettleAfter: sandbox.Duration(2 * time.Minute)}),
		)
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		if status, body := b.get(adminURL + "/-/ready"); status != http.StatusOK {
			t.Fatalf("ready: %d %s", status, body)
		}
		time.Sleep(time.Hour)
		status, metrics := b.get(adminURL + "/metrics")
		if status != http.StatusOK {
			t.Fatalf("metrics: %d", status)
		}
		for _, want := range []string{
			`waybill_items{outcome="succeeded",type="globfax_recipient"} 1`,
			`waybill_items{outcome="failed",type="globfax_recipient"} 1`,
			`waybill_items{outcome="failed",type="itniotech_otp_order"} 1`,
			`waybill_items{outcome="partial",type="ucloud_usms_message"} 1`,
			`waybill_items{outcome="partial",type="nxcloud_number_check"} 1`,
			`waybill_callbacks_total{provider="nxcloud",result="accepted"} 20`,
			`waybill_pulled_records_total{provider="ucloud"} 5`,
			`waybill_records{status="matched",type="ucloud_usms_message"} 5`,
			`waybill_expectations{state="met"} 1`,
			`waybill_expectations{state="failed"} 1`,
			`waybill_account_up{provider="globfax"} 1`,
			`waybill_config_last_reload_successful 1`,
		} {
			if !strings.Contains(metrics, want+"\n") {
				t.Errorf("metrics lack %s", want)
			}
		}
		b.end()
		b.settled(30 * time.Second)
		if got := b.vendors.Account(); len(got.Accepted) != 20 || len(got.Deleted) != 10 {
			t.Errorf("accepted %d callbacks, deleted %d reports", len(got.Accepted), len(got.Deleted))
		}
		january := b.item("nxcloud_number_check.january")
		if !strings.Contains(string(january.Values), `"costs":{"CNY":0.04}`) {
			t.Errorf("costs: %s", january.Values)
		}
	})
}

// A reload that would forget too much is refused, says so, and leaves everything
// as it was; a removed block makes it right.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		config := func(n int, extra string) string {
			return b.providersText() + fmt.Sprintf(`
resource "globfax_recipient" "fax" {
  for_each = toset([for i in range(%d) : tostring(i)])
  rcpt_ref = "never_${each.key}"
}
`, n) + extra
		}
		for i := range 10 {
			b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: fmt.Sprintf("never_%d", i), Status: "sending"}))
		}
		b.write("main.wb.hcl", config(10, ""))
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		b.write("main.wb.hcl", config(7, ""))
		time.Sleep(11 * time.Second)
		status, body := b.get(adminURL + "/-/ready")
		if status != http.StatusOK || !strings.Contains(body, "it would forget 3 of 10 items, more than max_forget (20%)") {
			t.Fatalf("ready after a bad reload: %d %s", status, body)
		}
		if _, metrics := b.get(adminURL + "/metrics"); !strings.Contains(metrics, "waybill_config_last_reload_successful 0\n") {
			t.Error("the metric says the reload was taken")
		}
		if n := b.tracked(); n != 10 {
			t.Fatalf("%d items are tracked after a refused reload", n)
		}
		b.write("main.wb.hcl", "resource \"globfax_recipient\" {")
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusInternalServerError {
			t.Fatalf("reload of nonsense: %d", status)
		}
		b.end()

		// A restart with nonsense runs the last good one.
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		if status, body := b.get(adminURL + "/-/ready"); status != http.StatusOK || !strings.Contains(body, "last good configuration runs") {
			t.Fatalf("ready on the last good configuration: %d %s", status, body)
		}
		if n := b.tracked(); n != 10 {
			t.Fatalf("%d items are tracked on the last good configuration", n)
		}
		b.write("main.wb.hcl", config(8, ""))
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Fatalf("reload: %d", status)
		}
		if n := b.tracked(); n != 8 {
			t.Fatalf("%d items are tracked after forgetting 2 of 10", n)
		}
		b.write("main.wb.hcl", config(0, "removed {\n  from = globfax_recipient.fax\n}\n"))
		if status := b.post(adminURL+"/-/reload", ""); status == http.StatusOK {
			t.Fatal("a removed block whose resource is still declared was taken")
		}
		b.write("main.wb.hcl", b.providersText()+"removed {\n  from = globfax_recipient.fax\n}\n")
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Fatalf("reload with a removed block: %d", status)
		}
		if n := b.tracked(); n != 0 {
			t.Fatalf("%d items are tracked after a removed block", n)
		}
		b.end()
		info, err := os.Stat(b.path + ".last-good")
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Fatalf("last-good directory: %v, %v", info, err)
		}
	})
}

func (b *bubble) tracked() int {
	b.t.Helper()
	reader := b.reader()
	defer reader.Close()
	n := 0
	for _, err := range reader.Items(context.Background(), state.ItemFilter{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		n++
	}
	return n
}

// Callbacks: what is answered, and what is stored, for each way to knock.
func TestReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText())
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		good := `{"message":"ok","code":0,"batchNo":"b9","requestId":"r-1","phone":"86133","data":{"country":"CN"},"cost":{"price":0.0020,"currency":"CNY"}}`
		other := strings.Replace(good, "0.0020", "0.0030", 1)
		big := `{"pad":"` + strings.Repeat("x", 1<<20) + `"}`
		for _, knock := range []struct {
			name, method, url, body string
			status, records         int
		}{
			{"good", "POST", b.callbackURL(), good, 200, 1},
			{"again", "POST", b.callbackURL(), good, 200, 1},
			{"again, spaced otherwise", "POST", b.callbackURL(), strings.ReplaceAll(good, ",", " ,\n"), 200, 1},
			{"other content", "POST", b.callbackURL(), other, 200, 2},
			{"nonsense", "POST", b.callbackURL(), "<html>", 200, 3},
			{"empty", "POST", b.callbackURL(), "", 200, 4},
			{"wrong token", "POST", receiverURL + "/callbacks/nxcloud/wrong-token-000000", good, 404, 4},
			{"unknown provider", "POST", receiverURL + "/callbacks/ucloud/" + b.vendors.Credentials().NXCloudToken, good, 404, 4},
			{"other method", "GET", b.callbackURL(), "", 405, 4},
			{"too large", "POST", b.callbackURL(), big, 413, 4},
			{"elsewhere", "POST", receiverURL + "/", good, 404, 4},
		} {
			request, err := http.NewRequest(knock.method, knock.url, strings.NewReader(knock.body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := b.network.client().Do(request)
			if err != nil {
				t.Fatalf("%s: %v", knock.name, err)
			}
			response.Body.Close()
			if response.StatusCode != knock.status {
				t.Errorf("%s: answered %d, want %d", knock.name, response.StatusCode, knock.status)
			}
			if n := len(b.records()); n != knock.records {
				t.Errorf("%s: %d records, want %d", knock.name, n, knock.records)
			}
		}
		records := b.records()
		if records[0].Conflict || !records[1].Conflict || records[0].Address != nil {
			t.Errorf("of one key the first counts: %+v", records[:2])
		}
		for i, body := range []string{good, other, "<html>", ""} {
			reader := b.reader()
			raw, err := reader.Raw(context.Background(), records[i].RawID)
			if err != nil || string(raw.Body) != body {
				t.Errorf("evidence of record %d: %v %q", i, err, raw.Body)
			}
			reader.Close()
		}
		// Somebody declares the batch: the record is matched, and counted.
		b.write("main.wb.hcl", b.providersText()+"resource \"nxcloud_number_check\" \"late\" {\n  batch_no = \"b9\"\n}\n")
		if status := b.post(adminURL+"/-/reload", ""); status != http.StatusOK {
			t.Fatalf("reload: %d", status)
		}
		time.Sleep(time.Second)
		late := b.item("nxcloud_number_check.late")
		if late.Outcome != plan.Succeeded || !late.Settled || !strings.Contains(string(late.Values), `"costs":{"CNY":0.002}`) {
			t.Errorf("declared late: %s", late.Values)
		}
		b.end()
	})
}

func (b *bubble) records() []plan.Record {
	b.t.Helper()
	reader := b.reader()
	defer reader.Close()
	var records []plan.Record
	for r, err := range reader.Records(context.Background(), state.RecordFilter{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		records = append(records, *r)
	}
	return records
}
