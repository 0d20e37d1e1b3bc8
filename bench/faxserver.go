package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// faxServer answers like GlobFax, with as little work as can be, so that the
// cores are left to who asks. GET /window tells how long it was from the first
// to the last question since the last such request, and how many there were.
func faxServer([]string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening at=" + listener.Addr().String())
	var first, last, questions atomic.Int64
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			in := bufio.NewReaderSize(c, 4096)
			var body, out []byte
			for {
				path, err := question(in)
				if err != nil {
					return
				}
				if bytes.Equal(path, []byte("/window")) {
					body = fmt.Appendf(body[:0], "%d %d", last.Load()-first.Swap(0), questions.Swap(0))
				} else {
					now := time.Now().UnixNano()
					first.CompareAndSwap(0, now)
					last.Store(now)
					questions.Add(1)
					ref := path[bytes.LastIndexByte(path, '/')+1:]
					body = append(append(append(body[:0], `{"success":true,"message":"Get fax recipient information successfully","data":{"rcpt_ref":"`...), ref...),
						`","phone_number":"+85221234567","unit_price":0.38,"page_count":2,"charged_amount":0.76,"status":"success","failed_code":null,"failed_reason":null,"completed_at":"2026-03-01 12:30:00","created_at":"2026-03-01 12:29:00"}}`...)
				}
				out = fmt.Appendf(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
				if _, err := c.Write(append(out, body...)); err != nil {
					return
				}
			}
		}()
	}
}

// question reads a request without a body and returns its path.
func question(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	parts := bytes.Fields(line)
	if len(parts) < 2 {
		return nil, errors.New("no request")
	}
	path := bytes.Clone(parts[1])
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return path, nil
		}
	}
}

// window asks the server how long the questions took.
func window(address string) (time.Duration, int, error) {
	answer, err := http.Get("http://" + address + "/window")
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, 0, err
	}
	length, number, _ := strings.Cut(string(text), " ")
	took, err := strconv.ParseInt(length, 10, 64)
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.Atoi(number)
	return time.Duration(took), n, err
}
