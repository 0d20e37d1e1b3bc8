package harness

import (
	"bytes"
	"errors"
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
)

// Process is a command that goes on running until it is ended: an agent or a
// sandbox.
type Process struct {
	// Admin and Receiver are the URLs of an agent's listeners, without a slash at
	// the end. Agent sets them.
	Admin, Receiver string

	t     testing.TB
	s     *Site
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has ended

	mu   sync.Mutex
	said bytes.Buffer
}

// Start starts a command that goes on running. What it prints is gathered, and
// shown when the test fails.
func (s *Site) Start(args ...string) *Process {
	s.t.Helper()
	return s.Follow(s.Command(args...))
}

// Follow starts a command that Command made and the test has altered.
func (s *Site) Follow(c *exec.Cmd) *Process {
	s.t.Helper()
	p := &Process{t: s.t, s: s, cmd: c, ended: make(chan struct{})}
	c.Stdout, c.Stderr = p, p
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		if _, err := exitCode(c.Wait()); err != nil {
			_, _ = p.Write([]byte(err.Error()))
		}
	}()
	s.t.Cleanup(func() {
		if p.Running() {
			_ = c.Process.Kill()
		}
		<-p.ended
		if s.t.Failed() {
			s.t.Logf("%q said:\n%s", c.Args, p.Log())
		}
	})
	return p
}

// Write gathers what the process prints.
func (p *Process) Write(b []byte) (int, error) {
	p.s.Note(string(b))
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

// Agent starts an agent and waits until it is ready.
func (s *Site) Agent(args ...string) *Process {
	s.t.Helper()
	return s.ready(append([]string{"agent"}, args...)...)
}

// AgentIn is Agent with another directory than the site's.
func (s *Site) AgentIn(dir string, args ...string) *Process {
	s.t.Helper()
	return s.ready(append([]string{"-chdir=" + dir, "agent"}, args...)...)
}

// ready starts a command that is an agent, and waits until it is ready.
func (s *Site) ready(args ...string) *Process {
	s.t.Helper()
	p := s.Start(args...)
	Eventually(s.t, func() string {
		if !p.Running() {
			s.t.Fatalf("the agent ended:\n%s", p.Log())
		}
		admin, receiver, ok := p.Addresses()
		if !ok {
			return "the agent does not run:\n" + p.Log()
		}
		p.Admin, p.Receiver = "http://"+admin, "http://"+receiver
		if status, body := p.Get("/-/ready"); status != http.StatusOK {
			return "the agent is not ready: " + body
		}
		return ""
	})
	return p
}

var listening = regexp.MustCompile(`msg="the agent runs" admin=(\S+) receiver=(\S+)`)

// Addresses are where an agent listens, once it says so.
func (p *Process) Addresses() (admin, receiver string, ok bool) {
	at := listening.FindStringSubmatch(p.Log())
	if at == nil {
		return "", "", false
	}
	return at[1], at[2], true
}

// Callbacks is the URL at which a ready agent takes the results of NXCLOUD.
func (p *Process) Callbacks() string {
	return p.Receiver + "/callbacks/nxcloud/" + p.s.Env["NXCLOUD_CALLBACK_TOKEN"]
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is what it printed so far.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// Running reports whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// WaitLog waits until the process has said something.
func (p *Process) WaitLog(parts ...string) {
	p.t.Helper()
	Eventually(p.t, func() string {
		log := p.Log()
		for _, part := range parts {
			if !strings.Contains(log, part) {
				return "the log does not say " + strconv.Quote(part) + ":\n" + log
			}
		}
		return ""
	})
}

// Signal sends a signal; one that has ended already takes none.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// Wait waits for the end and returns the exit code, -1 after a signal.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(Patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it tells where it stands
		<-p.ended
		p.t.Fatalf("the process did not end within %s:\n%s", Patience, p.Log())
		return 0
	}
}

// Killed reports whether an ended process died of SIGKILL.
func (p *Process) Killed() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Stop ends it as a service manager does; it must end well.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(); code != 0 {
		p.t.Fatalf("after SIGTERM: exit code %d\n%s", code, p.Log())
	}
}

// Kill ends it as kill -9 does.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	p.Wait()
}

// Get asks the admin listener of an agent; status 0 means that nobody answers.
func (p *Process) Get(path string) (status int, body string) {
	return Call(http.MethodGet, p.Admin+path, "")
}

// Metric is the value of a sample, such as waybill_account_up{provider="ucloud"};
// empty when there is none.
func (p *Process) Metric(sample string) string {
	_, body := p.Get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
