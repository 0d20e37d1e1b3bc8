package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
)

// Transport serves requests in memory, without sockets, so that it can be used
// under testing/synctest. A broken connection is what a client sees of one: an
// error in place of an answer, or a body that ends with io.ErrUnexpectedEOF. The
// path of a request chooses the vendor; its host does not matter.
func (s *Server) Transport() http.RoundTripper {
	return &memoryTransport{server: s, inner: HandlerTransport(s.Handler())}
}

// memoryKey marks the context of a request that came through Transport.
type memoryKey struct{}

// memoryTransport adds to a handler's transport that a vendor may be unreachable.
type memoryTransport struct {
	server *Server
	inner  http.RoundTripper
}

func (t *memoryTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	v := Vendor(name)
	t.server.mu.Lock()
	f := t.server.strikeAt(v, t.server.seen[v]+1, func(f *Fault) bool { return f.Kind == Unreachable })
	if f != nil {
		t.server.seen[v]++
	}
	t.server.mu.Unlock()
	if f != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return t.inner.RoundTrip(r.WithContext(context.WithValue(r.Context(), memoryKey{}, true)))
}

// HandlerTransport is a transport whose other end is a handler, for the pushes of
// a sandbox (Options.CallbackClient) to a receiver in the same process. The
// handler runs in a goroutine of its own, as it does in a server; its context
// ends when the client gives up.
func HandlerTransport(h http.Handler) http.RoundTripper { return handlerTransport{h} }

type handlerTransport struct{ handler http.Handler }

func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:1"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	// As over a socket, the handler never touches the client's body: it reads what
	// was written to the pipe.
	sent, out := io.Pipe()
	in.Body = sent
	if r.Body == nil || r.Body == http.NoBody {
		out.Close()
		in.Body = http.NoBody
	}
	w := &memoryWriter{header: make(http.Header), started: make(chan struct{}), ctx: ctx}
	w.read, w.pipe = io.Pipe()
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		conn, _ := net.Pipe() // stands for one: nothing passes through it
		trace.GotConn(httptrace.GotConnInfo{Conn: conn})
	}
	if in.Body != http.NoBody {
		go func() {
			body := &source{reader: r.Body}
			_, _ = io.Copy(out, body) // the pipe's error: the handler does not read on
			r.Body.Close()
			if body.err != nil {
				w.fail(fmt.Errorf("write request: %w", body.err))
				out.CloseWithError(io.ErrUnexpectedEOF)
			}
			out.Close()
		}()
	}
	go func() {
		defer func() {
			p := recover()
			sent.Close()
			if err, _ := p.(error); p != nil && !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			w.finish(p != nil)
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case <-w.started:
	case <-ctx.Done():
		w.fail(ctx.Err())
		<-w.started
	}
	err := w.err
	if err == nil && r.Context().Err() != nil {
		// The client gave up as the answer began: it does not see it.
		err = r.Context().Err()
		w.fail(err)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sentHeader, ContentLength: w.length(), Request: r,
		Body: &memoryBody{reader: w.read, ctx: ctx, cancel: cancel},
	}, nil
}

// source remembers the error with which a body ended, if it was one.
type source struct {
	reader io.Reader
	err    error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// memoryWriter is the server's side of an answer in memory.
type memoryWriter struct {
	ctx    context.Context
	header http.Header
	read   *io.PipeReader
	pipe   *io.PipeWriter

	once       sync.Once
	started    chan struct{} // closed when there is an answer or err
	status     int
	sentHeader http.Header
	err        error
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sentHeader = status, w.header.Clone()
		close(w.started)
	})
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.err != nil {
		return 0, w.err
	}
	return w.pipe.Write(b)
}

// FlushError makes http.ResponseController's Flush work: nothing is buffered.
func (w *memoryWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return nil
}

// fail gives the client an error where no answer has begun.
func (w *memoryWriter) fail(err error) {
	w.once.Do(func() {
		w.err = err
		close(w.started)
	})
	w.pipe.CloseWithError(err)
}

// finish ends the answer when the handler has returned or has broken off.
func (w *memoryWriter) finish(broken bool) {
	if broken {
		// Of a body that has begun, the first error is the one that is read.
		w.pipe.CloseWithError(io.ErrUnexpectedEOF)
		w.fail(fmt.Errorf("read answer: %w", syscall.ECONNRESET))
		return
	}
	w.WriteHeader(http.StatusOK)
	if err := w.ctx.Err(); err != nil {
		// A client that gave up sees no clean end, though the handler came to one.
		w.pipe.CloseWithError(err)
		return
	}
	w.pipe.Close()
}

// length is the answer's declared length, -1 where it is not declared.
func (w *memoryWriter) length() int64 {
	var n int64
	if _, err := fmt.Sscan(w.sentHeader.Get("Content-Length"), &n); err != nil {
		return -1
	}
	return n
}

// memoryBody is the client's side of an answer's body.
type memoryBody struct {
	reader *io.PipeReader
	ctx    context.Context
	cancel context.CancelFunc
}

func (b *memoryBody) Read(p []byte) (int, error) {
	stop := context.AfterFunc(b.ctx, func() { b.reader.CloseWithError(b.ctx.Err()) })
	defer stop()
	return b.reader.Read(p)
}

// Close gives up on what was not read; the handler's context ends.
func (b *memoryBody) Close() error {
	b.cancel()
	return b.reader.CloseWithError(errors.New("the client closed the body"))
}
