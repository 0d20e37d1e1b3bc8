package sandbox

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"
)

// answer is what a vendor says to one request.
type answer struct {
	status int
	kind   string // content type; "" is JSON
	header map[string]string
	body   []byte
}

// encode writes JSON as vendors do: text as it is, without escapes for HTML.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only what the control API was given can be no JSON: a number or raw data,
		// both of which it has checked.
		panic("sandbox: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

const htmlPage = "<!DOCTYPE html>\n<html><head><title>Bad Gateway</title></head>\n<body><h1>Bad Gateway</h1><p>The upstream server did not answer.</p></body></html>\n"

// trouble is the answer of a fault that speaks HTTP, instead of the vendor's.
func (f *Fault) trouble(serverError []byte) (answer, bool) {
	if f == nil {
		return answer{}, false
	}
	switch f.Kind {
	case RateLimit:
		a := answer{status: http.StatusTooManyRequests, body: []byte(`{"message":"Too Many Requests"}`)}
		if f.RetryAfter > 0 {
			seconds := (time.Duration(f.RetryAfter) + time.Second - 1) / time.Second
			a.header = map[string]string{"Retry-After": strconv.FormatInt(int64(seconds), 10)}
		}
		return a, true
	case ServerError:
		return answer{status: f.status(http.StatusInternalServerError), body: serverError}, true
	case HTML:
		return answer{status: f.status(http.StatusOK), kind: "text/html; charset=utf-8", body: []byte(htmlPage)}, true
	}
	return answer{}, false
}

// deliver sends an answer, with the fault's trouble on the way. It reports
// whether everything was handed to the connection; it does not return (it
// panics with http.ErrAbortHandler, which net/http knows) after it has broken the
// connection, so what must be noted of a broken answer is noted before.
func (s *Server) deliver(w http.ResponseWriter, r *http.Request, f *Fault, a answer) bool {
	if !f.wait(r.Context().Done()) {
		return false
	}
	if f.resets(false) {
		reset(w)
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if a.kind == "" {
		a.kind = "application/json"
	}
	w.Header().Set("Content-Type", a.kind)
	size := len(a.body)
	blanks := 0
	if f.is(Oversize) {
		blanks = 16 << 20
		if f.Bytes != nil {
			blanks = *f.Bytes
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(size+blanks))
	w.WriteHeader(a.status)
	switch {
	case f.is(Truncate):
		w.Write(a.body[:f.cut(size)])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.is(CloseIdle):
		whole := write(w, a.body)
		closeSilently(w)
		return whole
	}
	if !write(w, a.body) {
		return false
	}
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for ; blanks > 0; blanks -= len(chunk) {
		if !write(w, chunk[:min(blanks, len(chunk))]) {
			return false
		}
	}
	return true
}

// write hands bytes to the connection and reports whether it took them.
func write(w http.ResponseWriter, b []byte) bool {
	_, err := w.Write(b)
	return err == nil
}

// reset breaks the connection with a TCP reset where there is one.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// closeSilently closes a kept connection after a whole answer that did not
// announce it, as a server does whose idle time-out is short. In memory, where
// there is no connection, nothing happens.
func closeSilently(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	control.Flush()
	if conn, _, err := control.Hijack(); err == nil {
		conn.Close()
	}
}
