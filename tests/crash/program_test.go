package crash

import (
	"flag"
	"net/http"
	"os"
	"testing"

	"github.com/waybill-dev/waybill/tests/harness"
)

var program = harness.Compiled("failpoint")

func TestMain(m *testing.M) {
	if log := os.Getenv("WAYBILL_TRACE"); log != "" {
		os.Exit(trace(log, os.Args[1:])) // this is the recorder of a test's system calls
	}
	flag.Parse()
	// These tests wait more than they work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(program.Main(m))
}

// begin starts the program with a larger environment. With WAYBILL_TRACER in it,
// the recorder there starts the program.
func (w *world) begin(more map[string]string, args ...string) *harness.Process {
	w.t.Helper()
	command := w.Command(args...)
	if tracer, ok := more["WAYBILL_TRACER"]; ok {
		command.Path, command.Args = tracer, append([]string{tracer, program.Path()}, args...)
	}
	for name, value := range more {
		command.Env = append(command.Env, name+"="+value)
	}
	return w.Follow(command)
}

// reload asks an agent for it; the process may die over it.
func reload(admin string) {
	harness.Call(http.MethodPost, "http://"+admin+"/-/reload", "")
}
