package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// checkBlock declares a batch of number checks for each line of a CSV.
const checkBlock = `
agent {
  admin {
    listen = "127.0.0.1:0"
  }
  receiver {
    listen = "127.0.0.1:0"
  }
}
provider "nxcloud" {
  callback {
    tokens = ["token-of-the-bench-0123456789"]
  }
}
resource "nxcloud_number_check" "batch" {
  for_each = { for r in csvdecode(file("batches.csv")) : r.batch => r }
  batch_no = each.value.batch
  expected = %d
%s}
`

const checkExpect = `
  expect "most_exist" {
    condition     = self.succeeded >= self.failed
    error_message = "batch ${each.key}: ${self.failed} of ${self.received} failed"
  }
`

// expectAdded measures an expectation that is added to many items.
func expectAdded(b *bench) error {
	return b.change("expect added to %s items under callbacks", fmt.Sprintf(checkBlock, 2, checkExpect))
}

// argumentChanged measures an argument that changes in many items.
func argumentChanged(b *bench) error {
	return b.change("an argument changed on %s items under callbacks", fmt.Sprintf(checkBlock, 3, ""))
}

// change measures a reload that concerns all items while callbacks come in.
func (b *bench) change(what, changed string) error {
	n := 200_000
	if b.quick {
		n = 20_000
	}
	what = fmt.Sprintf(what, count(n))
	return b.besides(what, "callback 1 s, ready", n, func(dir, program string) (string, error) {
		agent, line, err := start(dir, "the agent runs", 5*time.Minute, program, "agent")
		if err != nil {
			return "", err
		}
		defer agent.stop()
		if err := forgetPeak(agent.Process.Pid); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "main.wb.hcl"), []byte(changed), 0o600); err != nil {
			return "", err
		}
		admin := "http://" + field(line, "admin")
		w := watch(admin, "http://"+field(line, "receiver")+callbackPath, n)
		begin := time.Now()
		answer, err := http.Post(admin+"/-/reload", "", nil)
		took := time.Since(begin)
		seen := w.end()
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(answer.Body)
		if err = errors.Join(err, answer.Body.Close()); err != nil {
			return "", err
		}
		if answer.StatusCode != http.StatusOK {
			return "", fmt.Errorf("the reload was answered %s: %s", answer.Status, text)
		}
		peak, err := peakOf(agent.Process.Pid)
		return fmt.Sprintf("%s; %s; %s", seen, seconds(took), size(peak)), err
	})
}

// ended measures how long an agent takes to end that was pushed one callback for
// each of many batches.
func ended(b *bench) error {
	n := 60_000
	if b.quick {
		n = 6000
	}
	what := fmt.Sprintf("SIGTERM after %s callbacks for %s batches", count(n), count(n))
	return b.besides(what, "10 s, exit 0", n, func(dir, program string) (string, error) {
		agent, line, err := start(dir, "the agent runs", 5*time.Minute, program, "agent")
		if err != nil {
			return "", err
		}
		if err := pushEach(field(line, "receiver"), n); err != nil {
			agent.stop()
			return "", err
		}
		begin := time.Now()
		agent.stop()
		took := time.Since(begin)
		return fmt.Sprintf("%s, exit %d", seconds(took), agent.ProcessState.ExitCode()), nil
	})
}

// besides measures the program, and before it the one that it is to be compared with,
// each with a state of its own that holds n items.
func (b *bench) besides(what, aim string, n int, measured func(dir, program string) (string, error)) error {
	ours, peer := "-", "-"
	for _, p := range []struct {
		program string
		figure  *string
	}{{b.beside, &peer}, {b.waybill, &ours}} {
		if p.program == "" {
			continue
		}
		dir, err := os.MkdirTemp(b.dir, "change")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "main.wb.hcl"), fmt.Appendf(nil, checkBlock, 2, ""), 0o600); err != nil {
			return err
		}
		if err := batches(filepath.Join(dir, "batches.csv"), n); err != nil {
			return err
		}
		if _, _, err := timed(dir, p.program, "apply", "-auto-approve", "-refresh=false"); err != nil {
			return err
		}
		if *p.figure, err = measured(dir, p.program); err != nil {
			return err
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	b.add(what, ours, peer, "-", aim)
	return nil
}

func batches(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "batch")
	for i := range n {
		fmt.Fprintln(w, batchNo(i))
	}
	return errors.Join(w.Flush(), f.Close())
}

func batchNo(i int) string { return fmt.Sprintf("batch-%07d", i) }

// watcher sends an agent callbacks, a few at a time, asks whether it is ready, and
// keeps what took longest.
type watcher struct {
	stop    chan struct{}
	running sync.WaitGroup

	mu              sync.Mutex
	callback, ready time.Duration
	refused         int // callbacks
}

// callbacksEvery is 50 a second: nothing that an idle agent would notice.
const callbacksEvery = 20 * time.Millisecond

// watch begins. The callbacks are for n batches in turn.
func watch(admin, callback string, n int) *watcher {
	w := &watcher{stop: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	w.running.Go(func() {
		for i := 0; w.pause(callbacksEvery); i++ {
			w.running.Go(func() { // whoever waits keeps no other from coming
				begin := time.Now()
				answer, err := client.Post(callback, "application/json", bytes.NewReader(appendResult(nil, batchNo(i*7919%n), pushes.Add(1))))
				ok := err == nil && answer.StatusCode == http.StatusOK
				if err == nil {
					_ = answer.Body.Close()
				}
				w.mu.Lock()
				defer w.mu.Unlock()
				w.callback = max(w.callback, time.Since(begin))
				if !ok {
					w.refused++
				}
			})
		}
	})
	w.running.Go(func() {
		since := time.Now() // the first question that was not answered 200 yet
		for {
			answer, err := client.Get(admin + "/-/ready")
			ok := err == nil && answer.StatusCode == http.StatusOK
			if err == nil {
				_ = answer.Body.Close()
			}
			w.mu.Lock()
			w.ready = max(w.ready, time.Since(since))
			w.mu.Unlock()
			if !w.pause(50 * time.Millisecond) {
				return
			}
			if ok {
				since = time.Now()
			}
		}
	})
	return w
}

// pause reports whether the watcher goes on after so long.
func (w *watcher) pause(length time.Duration) bool {
	select {
	case <-w.stop:
		return false
	case <-time.After(length):
		return true
	}
}

// end waits for what is not answered yet, and says what took longest.
func (w *watcher) end() string {
	close(w.stop)
	w.running.Wait()
	text := fmt.Sprintf("callback %s, ready %s", seconds(w.callback), seconds(w.ready))
	if w.refused > 0 {
		text += fmt.Sprintf(", %d callbacks refused", w.refused)
	}
	return text
}

// pushEach pushes one callback for each of n batches, as fast as they are answered.
func pushEach(address string, n int) error {
	const connections = 64
	var next atomic.Int64
	errs := make(chan error, connections)
	var workers sync.WaitGroup
	for range connections {
		workers.Go(func() {
			errs <- pushWhile(address, func() (string, bool) {
				i := next.Add(1) - 1
				return batchNo(int(i)), i < int64(n)
			})
		})
	}
	workers.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetPeak makes a running process's peak of memory what it holds now.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// peakOf is the most memory that a running process held.
func peakOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no peak of memory", pid)
}
