package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// reads measures reads that are recorded beside a loop that only asks and decodes.
func reads(b *bench) error {
	n, runs := 20_000, 3
	if b.quick {
		n, runs = 10_000, 1
	}
	server, line, err := start(b.dir, "listening", 10*time.Second, b.self, "peer-fax")
	if err != nil {
		return err
	}
	defer server.stop()
	address := field(line, "at")
	dir, err := b.faxSite("reads", n)
	if err != nil {
		return err
	}
	var ours, bare, oursCPU, bareCPU []float64
	for range runs {
		took, u, err := readWindow(address, n, dir, b.self, "peer-reads", "http://"+address, strconv.Itoa(n))
		if err != nil {
			return err
		}
		bare, bareCPU = append(bare, perSecond(n, took)), append(bareCPU, float64(u.cpu.Microseconds())/float64(n))
		if err := dropState(dir); err != nil {
			return err
		}
		if _, _, err := timed(dir, b.waybill, "apply", "-auto-approve", "-refresh=false"); err != nil {
			return err
		}
		without, _, err := timed(dir, b.waybill, "plan", "-refresh=false")
		if err != nil {
			return err
		}
		took, u, err = readWindow(address, n, dir, b.waybill, "apply", "-auto-approve", "-var=endpoint=http://"+address)
		if err != nil {
			return err
		}
		ours, oursCPU = append(ours, perSecond(n, took)), append(oursCPU, float64((u.cpu-without.cpu).Microseconds())/float64(n))
	}
	b.add("reads recorded / asked and decoded", fmt.Sprintf("%s, %.0f us CPU", rate(mid(ours)), mid(oursCPU)),
		fmt.Sprintf("%s, %.0f us CPU", rate(mid(bare)), mid(bareCPU)), ratio(mid(ours)/mid(bare)), "0.6")
	return nil
}

func readWindow(address string, n int, dir, program string, args ...string) (time.Duration, usage, error) {
	if _, _, err := window(address); err != nil {
		return 0, usage{}, err
	}
	u, out, err := timed(dir, program, args...)
	if err != nil {
		return 0, u, err
	}
	took, asked, err := window(address)
	if err == nil && asked != n {
		err = fmt.Errorf("%d questions, want %d:\n%.500s", asked, n, out)
	}
	return took, u, err
}

func dropState(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, "waybill.db*"))
	for _, name := range found {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return err
}

// readsPeer asks with 64 workers and decodes.
func readsPeer(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: 64, MaxIdleConnsPerHost: 64}}
	var next, failed atomic.Int64
	var workers sync.WaitGroup
	for range 64 {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				answer, err := client.Get(args[0] + "/api/v2/fax/recipients/rcpt_" + strconv.FormatInt(i, 10))
				if err != nil {
					failed.Add(1)
					continue
				}
				var body map[string]any
				if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
					failed.Add(1)
				}
				_ = answer.Body.Close()
			}
		})
	}
	workers.Wait()
	if failed.Load() > 0 {
		return fmt.Errorf("%d of %d failed", failed.Load(), n)
	}
	return nil
}
