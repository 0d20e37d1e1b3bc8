package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process took.
type usage struct {
	wall, cpu time.Duration
	memory    int64 // most, in bytes
}

// timed runs a process in a directory to its end.
func timed(dir, program string, args ...string) (usage, string, error) {
	command := exec.Command(program, args...)
	command.Dir = dir
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	start := time.Now()
	if err := command.Run(); err != nil {
		return usage{}, "", fmt.Errorf("%s %s: %w\n%s%s", program, strings.Join(args, " "), err, out.String(), errs.String())
	}
	u := usage{wall: time.Since(start), cpu: command.ProcessState.UserTime() + command.ProcessState.SystemTime()}
	if r, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = r.Maxrss << 10
	}
	return u, out.String(), nil
}

// median runs a process several times; the second run is of the peer, in turn
// with the first, so that both meet the same machine.
func medians(runs int, ours, peer func() (usage, error)) (a, b usage, err error) {
	var as, bs []usage
	for range runs {
		u, err := ours()
		if err != nil {
			return a, b, err
		}
		as = append(as, u)
		if peer == nil {
			continue
		}
		if u, err = peer(); err != nil {
			return a, b, err
		}
		bs = append(bs, u)
	}
	return middle(as), middle(bs), nil
}

func middle(list []usage) usage {
	if len(list) == 0 {
		return usage{}
	}
	slices.SortFunc(list, func(x, y usage) int { return int(x.wall - y.wall) })
	m := list[len(list)/2]
	for _, u := range list {
		m.memory = max(m.memory, u.memory)
	}
	return m
}

// cpuOf is the processor time that a running process has taken.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("process %d: no times", pid)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// residentOf is the memory that a running process holds.
func residentOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("process %d: no memory", pid)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// running is a process under way.
type running struct {
	*exec.Cmd
	lines *lineWriter
}

// start starts a process and waits for a line of its standard error or output
// that has this text, which it returns.
func start(dir, until string, within time.Duration, program string, args ...string) (*running, string, error) {
	r := &running{Cmd: exec.Command(program, args...), lines: &lineWriter{want: until, found: make(chan string, 1)}}
	r.Dir, r.Stdout, r.Stderr = dir, r.lines, r.lines
	if err := r.Start(); err != nil {
		return nil, "", err
	}
	select {
	case line := <-r.lines.found:
		return r, line, nil
	case <-time.After(within):
		r.stop()
		return nil, "", fmt.Errorf("%s did not say %q in %s; it said:\n%s", program, until, within, r.lines.text())
	}
}

// stop ends the process as an operator would.
func (r *running) stop() {
	_ = r.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = r.Wait()
}
