package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/state"
)

// fort is an agent on real loopback, to be attacked.
type fort struct {
	*world
	admin, receiver string
	token           string
	log             *lineLog
}

// lineLog counts the lines of a log.
type lineLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *lineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	return len(b), nil
}

func (l *lineLog) with(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func newFort(t *testing.T) *fort {
	t.Helper()
	f := &fort{world: newWorld(t), log: &lineLog{}}
	f.token = f.vendors.Credentials().NXCloudToken
	f.runner.Now = time.Now
	f.runner.Log = slog.New(slog.NewTextHandler(f.log, nil))
	f.write("main.wb.hcl", f.providersText()+`
provider "nxcloud" {
  alias = "closed"
  callback {
    tokens        = ["`+f.token+`"]
    allowed_cidrs = ["192.0.2.0/24", "2001:db8::/32"]
  }
}
resource "nxcloud_number_check" "january" {
  batch_no = "b1"
  expected = 1000000
}
`)
	store := f.open()
	ctx, stop := context.WithCancel(context.Background())
	listening, ended := make(chan [2]string, 1), make(chan error, 1)
	options := agent.AgentOptions{
		Source: source.NewDirectory(f.dir, f.runner.Log, true), Load: f.loadFrom, Dir: f.dir, StatePath: f.path,
		Settings: hclspec.Settings{
			BackendPath: "waybill.db", Admin: hclspec.Listener{Listen: "127.0.0.1:0"}, Receiver: hclspec.Listener{Listen: "127.0.0.1:0"},
		},
		Listening: func(admin, receiver net.Addr) { listening <- [2]string{admin.String(), receiver.String()} },
	}
	go func() {
		err := f.runner.RunAgent(ctx, store, options)
		ended <- errors.Join(err, store.Close())
	}()
	select {
	case at := <-listening:
		f.admin, f.receiver = at[0], at[1]
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the agent ended with %v", err)
		}
	})
	return f
}

func (f *fort) path200() string { return "/callbacks/nxcloud/" + f.token }

// honest sends one callback as a vendor does, over a connection of its own, and
// says how long it took.
func (f *fort) honest(n int) (time.Duration, error) {
	body := fmt.Sprintf(`{"requestId":"honest-%d","batchNo":"b1","code":0}`, n)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	begun := time.Now()
	answer, err := client.Post("http://"+f.receiver+f.path200(), "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %d", answer.StatusCode)
	}
	return time.Since(begun), nil
}

// say sends bytes over a connection of their own, ends the sending, and returns
// the status codes of what is answered.
func (f *fort) say(text string) (statuses []int) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.receiver)
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	go func() {
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	r := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		statuses = append(statuses, answer.StatusCode)
	}
}

// count counts records, those in quarantine apart.
func (f *fort) count() (all, quarantined int) {
	f.t.Helper()
	r := f.reader()
	defer r.Close()
	for record, err := range r.Records(context.Background(), state.RecordFilter{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		all++
		if record.Quarantined != "" {
			quarantined++
		}
	}
	return all, quarantined
}

// raws counts what is kept of callbacks.
func (f *fort) raws() (n int) {
	f.t.Helper()
	r := f.reader()
	defer r.Close()
	for _, err := range r.Raws(context.Background(), state.RawFilter{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		n++
	}
	return n
}

func (f *fort) metric(name string) string {
	f.t.Helper()
	answer, err := http.Get("http://" + f.admin + "/metrics")
	if err != nil {
		f.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// What is answered to each odd way of speaking HTTP, and what is kept of it.
func TestReceiverAnswers(t *testing.T) {
	f := newFort(t)
	good := func(n int) string { return fmt.Sprintf(`{"requestId":"r%d","batchNo":"b1","code":0}`, n) }
	post := func(path, headers, body string) string {
		return "POST " + path + " HTTP/1.1\r\nHost: w\r\n" + headers + "Content-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body
	}
	chunked := func(size int, parts ...string) string {
		var b strings.Builder
		b.WriteString("POST " + f.path200() + " HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, part := range parts {
			for len(part) > 0 {
				n := min(size, len(part))
				fmt.Fprintf(&b, "%x\r\n%s\r\n", n, part[:n])
				part = part[n:]
			}
		}
		return b.String() + "0\r\n\r\n"
	}
	closed := "/callbacks/nxcloud.closed/" + f.token
	deep := strings.Repeat("[", maxBody/2) + strings.Repeat("]", maxBody/2)
	for _, c := range []struct {
		name        string
		say         string
		want        []int
		stored, odd int // more records, and of these in quarantine
	}{
		{"as the vendor does", post(f.path200(), "Content-Type: application/json\r\n", good(1)), []int{200}, 1, 0},
		{"without a type", post(f.path200(), "", good(2)), []int{200}, 1, 0},
		{"of a wrong type", post(f.path200(), "Content-Type: image/png\r\n", good(3)), []int{200}, 1, 0},
		{"chunked, without a length", chunked(7, good(4)), []int{200}, 1, 0},
		{"HTTP/1.0 with a length", strings.Replace(post(f.path200(), "", good(5)), "HTTP/1.1", "HTTP/1.0", 1), []int{200}, 1, 0},
		{"HTTP/1.0 without a length", "POST " + f.path200() + " HTTP/1.0\r\n\r\n" + good(6), []int{411}, 0, 0},
		{"three in a row", post(f.path200(), "", good(7)) + post(f.path200(), "", good(8)) + post(f.path200(), "", good(9)), []int{200, 200, 200}, 3, 0},
		{"one refused in a row ends it", post(f.path200()+"x", "", "") + post(f.path200(), "", good(10)), []int{404}, 0, 0},
		{"awaiting 100", post(f.path200(), "Expect: 100-continue\r\n", good(11)), []int{100, 200}, 1, 0},
		{"awaiting 100 with a wrong token", post(f.path200()+"x", "Expect: 100-continue\r\n", good(12)), []int{404}, 0, 0},
		{"a query is nothing to us", post(f.path200()+"?a=%2F", "", good(13)), []int{200}, 1, 0},
		{"a letter encoded", post(strings.Replace(f.path200(), "/callbacks/n", "/callbacks/%6e", 1), "", good(14)), []int{200}, 1, 0},
		{"the slash encoded", post("/callbacks/nxcloud%2F"+f.token, "", good(15)), []int{200}, 1, 0}, // the same path, decoded
		{"a slash in the token", post(f.path200()+"%2Fx", "", good(16)), []int{404}, 0, 0},
		{"a slash after", post(f.path200()+"/", "", good(31)), []int{200}, 1, 0}, // consoles and proxies add it
		{"double slashes", post("/callbacks//nxcloud/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"double slashes first", post("//callbacks/nxcloud/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"dots", post("/callbacks/x/../nxcloud/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"dots encoded", post("/callbacks/nxcloud/%2e%2e/nxcloud/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"a NUL", post(f.path200()+"%00", "", good(16)), []int{404}, 0, 0},
		{"capitals", post("/Callbacks/nxcloud/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"no token", post("/callbacks/nxcloud/", "", good(16)), []int{404}, 0, 0},
		{"no provider", post("/callbacks/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"another vendor", post("/callbacks/ucloud/"+f.token, "", good(16)), []int{404}, 0, 0},
		{"half the token", post(f.path200()[:len(f.path200())-1], "", good(16)), []int{404}, 0, 0},
		{"GET", "GET " + f.path200() + " HTTP/1.1\r\nHost: w\r\n\r\n", []int{405}, 0, 0},
		{"PUT with a wrong token", strings.Replace(post(f.path200()+"x", "", good(16)), "POST", "PUT", 1), []int{405}, 0, 0},
		{"from elsewhere", post(closed, "", good(17)), []int{404}, 0, 0},
		{"from elsewhere, forged", post(closed, "X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\nX-Client-IP: 2001:db8::1\r\n", good(17)), []int{404}, 0, 0},
		{"PROXY protocol", "PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n" + post(closed, "", good(17)), []int{400}, 0, 0},
		{"a flood of headers", post(f.path200(), strings.Repeat("X-Flood: "+strings.Repeat("a", 90)+"\r\n", 400), good(18)), []int{431}, 0, 0},
		{"one header of 10 MiB", post(f.path200(), "X-Flood: "+strings.Repeat("a", 10<<20)+"\r\n", good(18)), []int{431}, 0, 0},
		{"two lengths", post(f.path200(), "Content-Length: 5\r\n", good(18)), []int{400}, 0, 0},
		{"a negative length", "POST " + f.path200() + " HTTP/1.1\r\nHost: w\r\nContent-Length: -5\r\n\r\n", []int{400}, 0, 0},
		{"two transfer encodings", post(f.path200(), "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", good(18)), []int{501}, 0, 0},
		{"a length of more than comes", "POST " + f.path200() + " HTTP/1.1\r\nHost: w\r\nContent-Length: 500\r\n\r\n" + good(18), []int{400}, 0, 0},
		{"a chunk of more than comes", "POST " + f.path200() + " HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + good(18), []int{400}, 0, 0},
		{"no last chunk", strings.TrimSuffix(chunked(7, good(18)), "0\r\n\r\n"), []int{400}, 0, 0},
		{"no body", post(f.path200(), "", ""), []int{200}, 1, 1},
		{"a body of 1 MiB", post(f.path200(), "", good(19)+strings.Repeat(" ", maxBody-len(good(19)))), []int{200}, 1, 0},
		{"a body of 1 MiB, chunked", chunked(99_999, good(20)+strings.Repeat(" ", maxBody-len(good(20)))), []int{200}, 1, 0},
		{"a byte more", post(f.path200(), "", strings.Repeat(" ", maxBody+1)), []int{413}, 0, 0},
		{"a byte more, chunked", chunked(99_999, strings.Repeat(" ", maxBody+1)), []int{413}, 0, 0},
		{"10 MiB", post(f.path200(), "", strings.Repeat("a", 10<<20)), []int{413}, 0, 0},
		{"10 MiB, chunked", chunked(1<<20, strings.Repeat("a", 10<<20)), []int{413}, 0, 0},
		{"nested deeply", post(f.path200(), "", deep), []int{200}, 1, 1},
		{"nested deeply inside", post(f.path200(), "", `{"requestId":"deep","batchNo":"b1","code":0,"x":`+strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)+"}"), []int{200}, 1, 1},
		{"keys twice, alike", post(f.path200(), "", `{"requestId":"r21","batchNo":"b1","code":0,"code":0}`), []int{200}, 1, 0},
		{"keys twice, otherwise", post(f.path200(), "", `{"requestId":"r22","batchNo":"b1","code":0,"code":262}`), []int{200}, 1, 1},
		{"no UTF-8", post(f.path200(), "", "{\"requestId\":\"\xff\xfe\",\x00}"), []int{200}, 1, 1},
		{"an HTML page", post(f.path200(), "", "<html>502 Bad Gateway</html>"), []int{200}, 1, 1},
		{"HTTP/2 in clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{404}, 0, 0},
		{"TLS in clear", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", []int{400}, 0, 0},
		{"nothing", "", nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, odd := f.count()
			raws := f.raws()
			if got := f.say(c.say); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("answers %v, want %v", got, c.want)
			}
			moreAll, moreOdd := f.count()
			if moreAll-all != c.stored || moreOdd-odd != c.odd || f.raws()-raws != c.stored {
				t.Errorf("%d records more (%d in quarantine), %d raws more; want %d (%d)", moreAll-all, moreOdd-odd, f.raws()-raws, c.stored, c.odd)
			}
		})
	}
	if n := f.log.with("goroutine "); n > 0 {
		t.Errorf("%d stack traces in the log", n)
	}
	if n := f.log.with(f.token); n > 0 {
		t.Errorf("%d lines of the log tell the token", n)
	}
}

// maxBody is what the contract allows.
const maxBody = 1 << 20

// besiege runs an attack while honest callbacks are sent, ends it, and asserts
// that all of them were answered 200 within a bounded time and are stored.
func (f *fort) besiege(honest int, attack func(ctx context.Context, n int)) {
	f.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	var attackers sync.WaitGroup
	const sides = 64
	for n := range sides {
		attackers.Go(func() { attack(ctx, n) })
	}
	longest := time.Duration(0)
	for n := range honest {
		took, err := f.honest(n)
		if err != nil {
			f.t.Errorf("honest callback %d: %v", n, err)
			break
		}
		longest = max(longest, took)
	}
	end()
	attackers.Wait()
	if longest > 10*time.Second {
		f.t.Errorf("an honest callback took %s", longest)
	}
	f.t.Logf("the longest of %d honest callbacks took %s", honest, longest.Round(time.Millisecond))
	r := f.reader()
	defer r.Close()
	stored := 0
	for record, err := range r.Records(context.Background(), state.RecordFilter{}) {
		if err != nil {
			f.t.Fatal(err)
		}
		if strings.HasPrefix(record.Key, "honest-") {
			stored++
		}
	}
	if stored != honest {
		f.t.Errorf("%d honest callbacks are stored of %d", stored, honest)
	}
}

// heap is what lives on the heap.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Wrong tokens at speed: nothing is stored, all are counted, and the log tells it
// once a second.
func TestWrongTokensAtSpeed(t *testing.T) {
	f := newFort(t)
	var sent atomic.Int64
	begun := time.Now()
	before := heap()
	f.besiege(30, func(ctx context.Context, n int) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
		for i := 0; i < 60 || ctx.Err() == nil && i < 500; i++ {
			answer, err := client.Post(fmt.Sprintf("http://%s/callbacks/nxcloud/wrong-%d-%d-%s", f.receiver, n, i, f.token), "application/json", strings.NewReader(`{"requestId":"x","batchNo":"b1","code":0}`))
			if err != nil {
				continue // the door is crowded: the sender is no vendor
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusNotFound {
				t.Errorf("a wrong token was answered %d", answer.StatusCode)
			}
			sent.Add(1)
		}
	})
	if all, _ := f.count(); all != 30 || f.raws() != 30 {
		t.Errorf("%d records, %d raws", all, f.raws())
	}
	if got := f.metric(`waybill_callbacks_total{provider="nxcloud",result="unauthenticated"}`); got != fmt.Sprint(sent.Load()) {
		t.Errorf("%s are counted of %d", got, sent.Load())
	}
	if lines, most := f.log.with("a callback was refused"), int(time.Since(begun)/time.Second)+2; lines > most || lines == 0 {
		t.Errorf("%d lines in the log, at most %d are due", lines, most)
	}
	if grown := heap() - before; grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	t.Logf("%d wrong tokens", sent.Load())
}

// Ten thousand connections that say nothing, or half a header: the door keeps a
// bounded number, and honest callbacks pass.
func TestTenThousandConnections(t *testing.T) {
	f := newFort(t)
	total := 10_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < 13_000 {
		total = int(files.Cur) / 2 // ours and the agent's are in one process
	}
	before, goroutines := heap(), runtime.NumGoroutine()
	const sides = 64
	var open atomic.Int64
	conns := make([][]net.Conn, sides)
	f.besiege(50, func(_ context.Context, n int) {
		for i := range total / sides {
			conn, err := net.DialTimeout("tcp", f.receiver, 20*time.Second)
			if err != nil {
				continue
			}
			if i%2 == 0 {
				_, _ = io.WriteString(conn, "POST /callbacks/nxcloud/x HTTP/1.1\r\nHost: w\r\nX-Slow: ")
			}
			open.Add(1)
			conns[n] = append(conns[n], conn)
		}
	})
	grown := heap() - before
	if n := runtime.NumGoroutine() - goroutines; n > 2000 {
		t.Errorf("%d goroutines more serve connections that say nothing", n)
	}
	for i := range 20 { // they are all still there
		if took, err := f.honest(1000 + i); err != nil || took > 10*time.Second {
			t.Errorf("with all of them open: %v, %v", took, err)
		}
	}
	for _, side := range conns {
		for _, conn := range side {
			_ = conn.Close()
		}
	}
	if open.Load() < int64(total)*9/10 {
		t.Errorf("only %d connections of %d were opened", open.Load(), total)
	}
	if grown > 96<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if f.log.with("too many connections at once") == 0 {
		t.Error("the log does not tell of the crowd")
	}
	t.Logf("%d connections, the heap grew by %d MiB", open.Load(), grown>>20)
}

// Senders who know the token and send as much as they may, all at once, cost
// bounded memory.
func TestLargeBodiesAtOnce(t *testing.T) {
	f := newFort(t)
	large := bytes.Repeat([]byte("a"), maxBody)
	before := heap()
	var peak atomic.Int64
	watch, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-watch:
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), int64(m.HeapInuse)))
			}
		}
	}()
	var taken, crowded atomic.Int64
	f.besiege(200, func(ctx context.Context, n int) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 60 * time.Second}
		// Some stop short of the last byte, and keep what they have sent in memory.
		for range 5 {
			conn, err := net.Dial("tcp", f.receiver)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			go func() {
				_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: w\r\nContent-Length: %d\r\n\r\n", f.path200(), maxBody)
				_, _ = conn.Write(large[:maxBody-1])
			}()
		}
		defer func() { <-ctx.Done() }()
		for range 2 {
			// A reader of unknown length is sent in chunks.
			answer, err := client.Post("http://"+f.receiver+f.path200(), "", io.MultiReader(bytes.NewReader(large[:maxBody-8]), strings.NewReader(fmt.Sprintf("%8d", n))))
			if err != nil {
				t.Errorf("a large body: %v", err)
				return
			}
			_ = answer.Body.Close()
			switch answer.StatusCode {
			case http.StatusOK:
				taken.Add(1)
			case http.StatusServiceUnavailable:
				crowded.Add(1)
			default:
				t.Errorf("a large body was answered %d", answer.StatusCode)
			}
		}
	})
	close(watch)
	<-watched
	if grown := peak.Load() - before; grown > 256<<20 {
		t.Errorf("the heap grew to %d MiB", grown>>20)
	}
	t.Logf("%d taken, %d asked to come again, the heap grew to %d MiB", taken.Load(), crowded.Load(), (peak.Load()-before)>>20)
}
