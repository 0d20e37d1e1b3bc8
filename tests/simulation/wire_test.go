package simulation

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// cutClass is where a pulled page ends too early.
type cutClass int

const (
	cutNone cutClass = iota
	cutHead          // in the envelope before the reports
	cutBetween
	cutInside
	cutTail // after the last report
	cutClasses
)

// wire is one process's way to the vendors: it cuts pages, and is dead once the
// process is.
type wire struct {
	w    *world
	dead atomic.Bool
}

func (x *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if x.dead.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	response, err := x.w.vendors.Transport().RoundTrip(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/ucloud") {
		return response, err
	}
	x.w.mu.Lock()
	class, fail := x.w.cutNext, x.w.failNext
	x.w.cutNext, x.w.failNext = cutNone, dbSound
	x.w.mu.Unlock()
	if fail != dbSound {
		x.w.tell("the database fails under a pull")
		x.w.failDB(fail)
	}
	if class == cutNone {
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	end := x.w.cutAt(body, class)
	if err != nil || end < 0 {
		response.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil {
			response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{}))
		}
		return response, nil
	}
	x.w.mu.Lock()
	x.w.limits.Cut = append(x.w.limits.Cut, time.Now())
	x.w.mu.Unlock()
	response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:end]), broken{}))
	return response, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// cutAt is where a page of that class ends, -1 when it has no such place.
func (w *world) cutAt(body []byte, class cutClass) int {
	set := bytes.Index(body, []byte(`"ReportSet":[`))
	if set < 0 {
		return -1
	}
	set += len(`"ReportSet":[`)
	end := bytes.LastIndex(body, []byte("]}"))
	w.mu.Lock()
	defer w.mu.Unlock()
	switch class {
	case cutHead:
		return w.draw.IntN(set + 1)
	case cutTail:
		return end + w.draw.IntN(2)
	}
	var commas []int
	for i := set; i+2 < len(body); i++ {
		if string(body[i:i+3]) == "},{" {
			commas = append(commas, i+1)
		}
	}
	if len(commas) == 0 {
		return -1
	}
	at := commas[w.draw.IntN(len(commas))]
	if class == cutBetween {
		return at + w.draw.IntN(2)
	}
	return at + 2 + w.draw.IntN(60)
}
