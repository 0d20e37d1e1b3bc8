package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const callbackConfig = `
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
  batch_no = "901946960376"
  expected = 100000000
}
`

const callbackPath = "/callbacks/nxcloud/token-of-the-bench-0123456789"

// callbacks measures callbacks answered 200, each on disk before, in turn with a
// server that only stores them.
func callbacks(b *bench) error {
	runs, length := 3, 5*time.Second
	if b.quick {
		runs, length = 1, 3*time.Second
	}
	dir := filepath.Join(b.dir, "callbacks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.wb.hcl"), []byte(callbackConfig), 0o600); err != nil {
		return err
	}
	for _, connections := range []int{64, 256} {
		var ours, bare, oursCPU, bareCPU []float64
		for range runs {
			if err := os.RemoveAll(filepath.Join(dir, "peer.db")); err != nil {
				return err
			}
			n, cpu, err := pushed(dir, connections, length, "listening", "at", b.self, "peer-callbacks")
			if err != nil {
				return err
			}
			bare, bareCPU = append(bare, n), append(bareCPU, cpu)
			if err := dropState(dir); err != nil {
				return err
			}
			if n, cpu, err = pushed(dir, connections, length, "the agent runs", "receiver", b.waybill, "agent"); err != nil {
				return err
			}
			ours, oursCPU = append(ours, n), append(oursCPU, cpu)
		}
		b.add(fmt.Sprintf("callbacks on disk, %d connections", connections), fmt.Sprintf("%s, %.0f us CPU", rate(mid(ours)), mid(oursCPU)),
			fmt.Sprintf("%s, %.0f us CPU", rate(mid(bare)), mid(bareCPU)), ratio(mid(ours)/mid(bare)), "0.75, 55 us")
	}
	return nil
}

func mid(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// pushed starts a server and pushes for so long; it returns the rate and the
// processor time in microseconds that each took the server.
func pushed(dir string, connections int, length time.Duration, until, name, program string, args ...string) (rate, cpu float64, err error) {
	server, line, err := start(dir, until, 30*time.Second, program, args...)
	if err != nil {
		return 0, 0, err
	}
	defer server.stop()
	address := field(line, name)
	if _, err := push(address, connections, 500*time.Millisecond); err != nil { // warm
		return 0, 0, err
	}
	before, err := cpuOf(server.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	n, err := push(address, connections, length)
	if err != nil {
		return 0, 0, err
	}
	took := time.Since(begin)
	after, err := cpuOf(server.Process.Pid)
	return perSecond(n, took), float64((after - before).Microseconds()) / float64(n), err
}

// pushes tells requests apart over all runs.
var pushes atomic.Int64

// push sends callbacks, each connection the next when the last was answered.
func push(address string, connections int, length time.Duration) (int, error) {
	end := time.Now().Add(length)
	var answered atomic.Int64
	errs := make(chan error, connections)
	var workers sync.WaitGroup
	for range connections {
		workers.Go(func() {
			n, err := pushOne(address, end)
			answered.Add(int64(n))
			if err != nil {
				errs <- err
			}
		})
	}
	workers.Wait()
	close(errs)
	return int(answered.Load()), <-errs
}

func pushOne(address string, end time.Time) (n int, err error) {
	err = pushWhile(address, func() (string, bool) {
		if !time.Now().Before(end) {
			return "", false
		}
		n++
		return "901946960376", true
	})
	return n, err
}

// pushWhile sends a callback for each batch that next names, on one connection.
func pushWhile(address string, next func() (batch string, more bool)) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	in := bufio.NewReaderSize(c, 4096)
	var body, request []byte
	for {
		batch, more := next()
		if !more {
			return nil
		}
		body = appendResult(body[:0], batch, pushes.Add(1))
		request = fmt.Appendf(request[:0], "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", callbackPath, len(body))
		if _, err := c.Write(append(request, body...)); err != nil {
			return err
		}
		status, err := answerOf(in)
		if err != nil {
			return err
		}
		if status != "200" {
			return fmt.Errorf("answered %s", status)
		}
	}
}

// appendResult appends a callback with one result of a batch.
func appendResult(body []byte, batch string, request int64) []byte {
	return fmt.Appendf(body, `{"message":"ok","code":0,"batchNo":"%s","requestId":"9ddd1a8664124511bf28d3d280994961-%d","phone":"8613320xxxx","data":{"numberType":"mobile","operator":"china union","country":"CN"},"cost":{"price":0.002,"currency":"CNY"}}`, batch, request)
}

// answerOf reads an answer whose body has a Content-Length.
func answerOf(in *bufio.Reader) (status string, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		line = bytes.TrimSpace(line)
		switch {
		case first:
			parts := bytes.SplitN(line, []byte(" "), 3)
			if len(parts) < 2 {
				return "", errors.New("no status")
			}
			status = string(parts[1])
		case len(line) == 0:
			_, err := in.Discard(length)
			return status, err
		default:
			if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(value)); err != nil {
					return "", err
				}
			}
		}
	}
}

// callbackPeer is the least that a server could do: one table, one writer that
// takes what waits into one transaction, synchronous=FULL.
func callbackPeer([]string) error {
	db, err := sql.Open("sqlite3", "file:peer.db?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS callbacks (id INTEGER PRIMARY KEY, body BLOB)`); err != nil {
		return err
	}
	type entry struct {
		body []byte
		done chan error
	}
	queue := make(chan entry, 1024)
	insert, err := db.Prepare(`INSERT INTO callbacks (body) VALUES (?)`)
	if err != nil {
		return err
	}
	commit := func(group []entry) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		prepared := tx.Stmt(insert)
		for _, e := range group {
			if _, err := prepared.Exec(e.body); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Commit()
	}
	go func() {
		for first := range queue {
			group := []entry{first}
			for more := true; more; {
				select {
				case e := <-queue:
					group = append(group, e)
				default:
					more = false
				}
			}
			err := commit(group)
			for _, e := range group {
				e.done <- err
			}
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening at=" + listener.Addr().String())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			e := entry{body, make(chan error, 1)}
			queue <- e
			err = <-e.done
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}))
}
