//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// script is what the environment asks for, read once.
type script struct {
	point  Point
	at     int64
	signal syscall.Signal
	hits   atomic.Int64

	faults []*fault
	weak   []string
}

// fault lets the calls of a name fail, from one to another.
type fault struct {
	name     string
	from, to int64
	calls    atomic.Int64
}

var environment = sync.OnceValue(func() *script {
	s := &script{at: 1, signal: syscall.SIGKILL}
	for i, part := range strings.Split(os.Getenv("WAYBILL_FAILPOINT"), ":") {
		switch n, err := strconv.ParseInt(part, 10, 64); {
		case i == 0:
			s.point = Point(part)
		case err == nil:
			s.at = n
		case part == "term":
			s.signal = syscall.SIGTERM
		case part != "kill":
			panic("WAYBILL_FAILPOINT: write name[:n][:kill|term]")
		}
	}
	if s.point != "" && !slices.Contains(All(), s.point) {
		panic("WAYBILL_FAILPOINT: there is no point " + string(s.point))
	}
	for _, one := range strings.FieldsFunc(os.Getenv("WAYBILL_FAULT"), func(r rune) bool { return r == ',' }) {
		parts := strings.Split(one, ":")
		if len(parts) != 3 {
			panic("WAYBILL_FAULT: write call:from:to")
		}
		from, err := strconv.ParseInt(parts[1], 10, 64)
		to, err2 := strconv.ParseInt(parts[2], 10, 64)
		if err != nil || err2 != nil {
			panic("WAYBILL_FAULT: write call:from:to")
		}
		s.faults = append(s.faults, &fault{name: parts[0], from: from, to: to})
	}
	s.weak = strings.Split(os.Getenv("WAYBILL_WEAKEN"), ",")
	return s
})

// Hit dies, or asks the process to end, when the environment says so for this
// point. What it says on standard error is how a test knows that it was here.
func Hit(p Point) {
	s := environment()
	if p != s.point || s.hits.Add(1) != s.at {
		return
	}
	fmt.Fprintf(os.Stderr, "failpoint %s hit\n", p)
	if err := syscall.Kill(os.Getpid(), s.signal); err != nil {
		panic(err)
	}
	if s.signal == syscall.SIGKILL {
		select {} // no further step is taken
	}
	time.Sleep(30 * time.Millisecond) // so that the signal is heard at this point
}

// Fails reports whether the call of that name is to fail now.
func Fails(name string) bool {
	for _, f := range environment().faults {
		if f.name == name {
			if n := f.calls.Add(1); n >= f.from && n <= f.to {
				return true
			}
		}
	}
	return false
}

// Weakened reports whether a safeguard is to be left out.
func Weakened(s Safeguard) bool { return slices.Contains(environment().weak, string(s)) }
