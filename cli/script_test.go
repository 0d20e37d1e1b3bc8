package cli_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/cli"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"waybill": func() { os.Exit(cli.Main(os.Args[1:], harness.Catalog())) },
	})
}

// TestScripts runs the stories. Each has the four vendors of its own, in another
// process than the binary's; credentials and endpoints are in its environment.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setup,
		// UPDATE_SCRIPTS=1 go test ./cli rewrites the golden views; read the difference.
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    code,
			"control": control,
			"narrow":  narrow,
			"ready":   ready,
			"scrub":   scrub,
		},
	})
}

// vendorsKey finds a story's vendors among its values.
type vendorsKey struct{}

func setup(env *testscript.Env) error {
	server := sandbox.New(sandbox.Options{Seed: 1})
	if _, err := server.Start("127.0.0.1:0"); err != nil {
		return err
	}
	env.Defer(func() { _ = server.Close() })
	env.Values[vendorsKey{}] = server
	switch strings.TrimPrefix(filepath.Base(env.WorkDir), "script-") {
	case "credentials", "sandbox", "validate": // are about having no credentials
	default:
		for name, value := range server.Credentials().Env() {
			env.Setenv(name, value)
		}
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	env.Setenv("ADMIN", port)
	at := server.Endpoints()
	env.Setenv("WAYBILL_VAR_globfax", at.GlobFax)
	env.Setenv("WAYBILL_VAR_itniotech", at.Itniotech)
	env.Setenv("WAYBILL_VAR_ucloud", at.UCloud)
	return nil
}

// code runs waybill and compares its exit code: code N ARGS...
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec("waybill", args[1:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// control calls the vendors' control API: control PATH BODY posts, and
// [!] control PATH want=TEXT looks for a text in the answer.
func control(ts *testscript.TestScript, neg bool, args []string) {
	server := ts.Value(vendorsKey{}).(*sandbox.Server)
	method, body, want := http.MethodGet, "", ""
	if len(args) > 1 && strings.HasPrefix(args[1], "want=") {
		want = strings.TrimPrefix(args[1], "want=")
	} else if len(args) > 1 {
		method, body = http.MethodPost, args[1]
	}
	request := httptest.NewRequest(method, "/control/"+args[0], strings.NewReader(body))
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, request)
	if answer.Code/100 != 2 {
		ts.Fatalf("%s: %d %s", args[0], answer.Code, answer.Body)
	}
	if want != "" && strings.Contains(answer.Body.String(), want) == neg {
		ts.Fatalf("%s: %s", args[0], answer.Body)
	}
}

// narrow looks for lines that a terminal of 80 columns would break: narrow FILE.
func narrow(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// times are those that a story cannot foretell.
var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`)

// scrub writes a file anew with every time replaced: scrub FROM TO.
func scrub(ts *testscript.TestScript, _ bool, args []string) {
	text := times.ReplaceAllString(ts.ReadFile(args[0]), "<time>")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// freePort is a port of loopback that nobody listened on a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// ready waits until a URL answers 200.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
		ts.Check(err)
		if answer, err := http.DefaultClient.Do(request); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s was not ready within 20 s", args[0])
		case <-again.C:
		}
	}
}
