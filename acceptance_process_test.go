package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// process is an agent or a sandbox that runs until it is ended.
type process struct {
	s     *site
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has ended
	state *os.ProcessState

	mu   sync.Mutex
	said bytes.Buffer

	admin, receiver string // of an agent
}

// start starts a command that goes on running. What it prints is gathered.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	p := &process{s: s, cmd: s.command(args...), ended: make(chan struct{})}
	reader, writer := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	var gathering sync.WaitGroup
	gathering.Go(func() {
		for in := bufio.NewReader(reader); ; {
			line, err := in.ReadString('\n')
			p.mu.Lock()
			p.said.WriteString(line)
			p.mu.Unlock()
			s.note(line)
			if err != nil {
				return
			}
		}
	})
	go func() {
		err := p.cmd.Wait()
		_ = writer.Close()
		gathering.Wait()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			p.mu.Lock()
			p.said.WriteString(err.Error())
			p.mu.Unlock()
		}
		p.state = p.cmd.ProcessState
		close(p.ended)
	}()
	s.t.Cleanup(func() {
		if p.running() {
			_ = p.cmd.Process.Kill()
		}
		<-p.ended
		if s.t.Failed() {
			s.t.Logf("waybill %q said:\n%s", args, p.log())
		}
	})
	return p
}

var listening = regexp.MustCompile(`msg="the agent runs" admin=(\S+) receiver=(\S+)`)

// agent starts an agent and waits until it is ready.
func (s *site) agent(args ...string) *process {
	s.t.Helper()
	p := s.start(append([]string{"agent"}, args...)...)
	eventually(s.t, func() string {
		if !p.running() {
			s.t.Fatalf("the agent ended:\n%s", p.log())
		}
		at := listening.FindStringSubmatch(p.log())
		if at == nil {
			return "the agent does not run:\n" + p.log()
		}
		p.admin, p.receiver = "http://"+at[1], "http://"+at[2]
		if status, body := p.get("/-/ready"); status != http.StatusOK {
			return "the agent is not ready: " + body
		}
		return ""
	})
	return p
}

// callbacks is the URL at which the agent takes the results of NXCLOUD.
func (p *process) callbacks() string {
	return p.receiver + "/callbacks/nxcloud/" + p.s.env["NXCLOUD_CALLBACK_TOKEN"]
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// waitLog waits until the process has said something.
func (p *process) waitLog(parts ...string) {
	p.s.t.Helper()
	eventually(p.s.t, func() string {
		log := p.log()
		for _, part := range parts {
			if !strings.Contains(log, part) {
				return "the log does not say " + strconv.Quote(part) + ":\n" + log
			}
		}
		return ""
	})
}

// signal sends one.
func (p *process) signal(s os.Signal) {
	p.s.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.s.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit code, -1 after a signal.
func (p *process) wait() int {
	p.s.t.Helper()
	select {
	case <-p.ended:
		return p.state.ExitCode()
	case <-time.After(patience):
		p.s.t.Fatalf("the process did not end within %s:\n%s", patience, p.log())
		return 0
	}
}

// stop ends it as a service manager does; it must end well.
func (p *process) stop() {
	p.s.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.s.t.Fatalf("after SIGTERM: exit code %d\n%s", code, p.log())
	}
}

// kill ends it as a power cut does.
func (p *process) kill() {
	p.s.t.Helper()
	p.signal(syscall.SIGKILL)
	p.wait()
}

// get asks the admin listener; status 0 means that nobody answers.
func (p *process) get(path string) (status int, body string) {
	return call(http.MethodGet, p.admin+path, "")
}

// metric is the value of a sample, such as waybill_account_up{provider="ucloud"};
// "" when there is none.
func (p *process) metric(sample string) string {
	_, body := p.get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func call(method, url, body string) (status int, answer string) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(content)
}

// remoteVendors are `waybill sandbox` in a process of its own.
type remoteVendors struct {
	t    *testing.T
	base string
}

// sandboxProcess starts one, and returns it with the environment that leads there.
func sandboxProcess(t *testing.T) (*remoteVendors, map[string]string) {
	t.Helper()
	p := newSite(t, "", nil).start("sandbox", "-listen=127.0.0.1:0", "-auto-create=false")
	v := &remoteVendors{t: t}
	eventually(t, func() string {
		_, rest, ok := strings.Cut(p.log(), "Sandbox listening at ")
		if v.base, _, _ = strings.Cut(rest, "\n"); !ok || v.base == "" {
			return "the sandbox does not say where it listens: " + p.log()
		}
		return ""
	})
	var access sandbox.Access
	v.get("credentials", &access)
	return v, reach(access)
}

func (v *remoteVendors) get(path string, to any) {
	v.t.Helper()
	status, body := call(http.MethodGet, v.base+"/control/"+path, "")
	if err := json.Unmarshal([]byte(body), to); err != nil || status != http.StatusOK {
		v.t.Fatalf("GET %s: %d %s: %v", path, status, body, err)
	}
}

func (v *remoteVendors) post(path string, objects any) {
	v.t.Helper()
	body, err := json.Marshal(objects)
	if err != nil {
		v.t.Fatal(err)
	}
	if status, answer := call(http.MethodPost, v.base+"/control/"+path, string(body)); status != http.StatusOK {
		v.t.Fatalf("POST %s: %d %s", path, status, answer)
	}
}

func (v *remoteVendors) account() sandbox.Account {
	v.t.Helper()
	var a sandbox.Account
	v.get("account", &a)
	return a
}
