package agent_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Slow senders: of a header, of a body, of an answer's reading. Each is cut off
// after a bounded time, nothing of it is stored, and honest callbacks pass all
// the while.
func TestSlowSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText()+checkThings)
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		path := "/callbacks/nxcloud/" + b.vendors.Credentials().NXCloudToken
		type slow struct {
			name  string
			first string // said at once
			then  string // said a byte a second
			most  time.Duration
		}
		ended := make(chan string, 8)
		for _, s := range []slow{
			{"says nothing", "", "", 5 * time.Second},
			{"a header a byte a second", "", "POST " + path + " HTTP/1.1\r\nHost: w\r\nX-Slow: a\r\nX-Slow: a\r\n\r\n", 5 * time.Second},
			{"half a header", "POST " + path + " HTTP/1.1\r\nHost: w\r\n", "", 5 * time.Second},
			{"a body a byte a second", "POST " + path + " HTTP/1.1\r\nHost: w\r\nContent-Length: 60\r\n\r\n", `{"requestId":"slow","batchNo":"b1","code":0}                   `, 16 * time.Second},
			{"half a body", "POST " + path + " HTTP/1.1\r\nHost: w\r\nContent-Length: 60\r\n\r\n{", "", 16 * time.Second},
			{"a chunk a second", "POST " + path + " HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n{\r\n1\r\n}\r\n1\r\n \r\n1\r\n \r\n0\r\n\r\n", 16 * time.Second},
		} {
			go func() {
				conn, err := b.network.dial(context.Background(), "tcp", "127.0.0.1:8481")
				if err != nil {
					ended <- s.name + ": " + err.Error()
					return
				}
				defer conn.Close()
				begun := time.Now()
				go func() {
					_, _ = io.WriteString(conn, s.first)
					for i := range len(s.then) {
						time.Sleep(time.Second)
						if _, err := io.WriteString(conn, s.then[i:i+1]); err != nil {
							return
						}
					}
				}()
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					if answer.StatusCode == http.StatusOK {
						ended <- s.name + ": answered 200"
						return
					}
					_, _ = io.Copy(io.Discard, conn)
				}
				if took := time.Since(begun); took > s.most+time.Second {
					ended <- s.name + ": held a connection for " + took.String()
					return
				}
				ended <- ""
			}()
		}
		for i := range 30 {
			time.Sleep(time.Second)
			begun := time.Now()
			if status := b.post(b.callbackURL(), `{"requestId":"honest-`+string(rune('a'+i))+`","batchNo":"b1","code":0}`); status != http.StatusOK || time.Since(begun) > time.Second {
				t.Errorf("an honest callback was answered %d after %s", status, time.Since(begun))
			}
		}
		for range 6 {
			if wrong := <-ended; wrong != "" {
				t.Error(wrong)
			}
		}
		b.end()
		if n := b.stored(); n != 30 {
			t.Errorf("%d records are stored of 30", n)
		}
	})
}

// A sender who dies within his body is not answered 200, and nothing of his is
// stored; when he comes again, he is.
func TestSenderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.write("main.wb.hcl", b.providersText()+checkThings)
		if err := b.start(); err != nil {
			t.Fatal(err)
		}
		const body = `{"requestId":"r","batchNo":"b1","code":0}`
		request := "POST /callbacks/nxcloud/" + b.vendors.Credentials().NXCloudToken + " HTTP/1.1\r\nHost: w\r\nContent-Length: 41\r\n\r\n" + body
		for cut := range len(request) {
			conn, err := b.network.dial(context.Background(), "tcp", "127.0.0.1:8481")
			if err != nil {
				t.Fatal(err)
			}
			go drainConn(conn)
			if _, err := io.WriteString(conn, request[:cut]); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		if n := b.stored(); n != 0 {
			t.Errorf("%d records of a body that was cut off", n)
		}
		if status := b.post(b.callbackURL(), body); status != http.StatusOK || b.stored() != 1 {
			t.Errorf("the repetition was answered %d", status)
		}
		b.end()
	})
}

func drainConn(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
