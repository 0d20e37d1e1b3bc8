package crash

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const canTrace = true

// trace runs a command and records what it asks the kernel to do to the files
// below its directory: SQLite's calls and Go's alike. It ends as the command ends.
func trace(log string, args []string) int {
	runtime.LockOSThread() // a tracee belongs to one thread
	out, err := os.Create(log)
	if err != nil {
		return complain(err)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return complain(err)
	}
	pid := cmd.Process.Pid
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	go func() {
		for range told {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended
		}
	}()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return complain(err)
	}
	root, err := os.Getwd()
	if err != nil {
		return complain(err)
	}
	r := &recording{pid: pid, root: root, memory: memory, out: gob.NewEncoder(out), begun: make(map[int]*op)}
	status, err := r.follow()
	if err := errors.Join(err, out.Close()); err != nil {
		return complain(err)
	}
	return status.ExitStatus()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "trace:", err)
	return 120
}

// recording is what is known of a traced process.
type recording struct {
	pid    int
	root   string
	memory io.ReaderAt
	out    *gob.Encoder
	begun  map[int]*op // by thread: the call under way
}

// Options of ptrace: mark the stops of calls, follow threads, kill with the tracer.
const traceOptions = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | 0x100000

func (r *recording) follow() (status syscall.WaitStatus, err error) {
	if _, err := syscall.Wait4(r.pid, &status, syscall.WALL, nil); err != nil {
		return status, err
	}
	if err := syscall.PtraceSetOptions(r.pid, traceOptions); err != nil {
		return status, err
	}
	if err := syscall.PtraceSyscall(r.pid, 0); err != nil {
		return status, err
	}
	for {
		thread, err := syscall.Wait4(-1, &status, syscall.WALL, nil)
		if err != nil {
			return status, err
		}
		if status.Exited() || status.Signaled() {
			if thread == r.pid {
				return status, nil
			}
			continue
		}
		deliver := 0
		switch s := status.StopSignal(); s {
		case syscall.SIGTRAP | 0x80:
			if err := r.call(thread); err != nil {
				return status, err
			}
		case syscall.SIGTRAP, syscall.SIGSTOP: // an event; a new thread
		default:
			deliver = int(s)
		}
		if err := syscall.PtraceSyscall(thread, deliver); err != nil && !errors.Is(err, syscall.ESRCH) {
			return status, err
		}
	}
}

// call handles the beginning or the end of a system call.
func (r *recording) call(thread int) error {
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &regs); err != nil {
		return nil // the thread is gone
	}
	if o, under := r.begun[thread]; under {
		delete(r.begun, thread)
		if o == nil || int64(regs.Rax) < 0 {
			return nil
		}
		o.Exit = time.Now().UnixNano()
		if o.Kind == opOpen {
			o.Path = r.file(regs.Rax)
		}
		if o.Path == "" {
			return nil
		}
		return r.out.Encode(o)
	}
	o := r.begin(&regs)
	if o != nil {
		o.Entry = time.Now().UnixNano()
	}
	r.begun[thread] = o
	return nil
}

// begin makes an operation of a call that begins; nil of one that does not matter.
func (r *recording) begin(regs *syscall.PtraceRegs) *op {
	var o *op
	switch regs.Orig_rax {
	case syscall.SYS_PWRITE64:
		o = &op{Kind: opWrite, Path: r.file(regs.Rdi), Off: int64(regs.R10)}
	case syscall.SYS_WRITE:
		o = &op{Kind: opWrite, Path: r.file(regs.Rdi)}
		if o.Path != "" {
			o.Off = r.position(regs.Rdi)
		}
	case syscall.SYS_WRITEV, syscall.SYS_PWRITEV:
		if r.file(regs.Rdi) != "" {
			panic("a vectored write to the state is not understood")
		}
		return nil
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		return &op{Kind: opSync, Path: r.file(regs.Rdi)}
	case syscall.SYS_FTRUNCATE:
		return &op{Kind: opTruncate, Path: r.file(regs.Rdi), Off: int64(regs.Rsi)}
	case syscall.SYS_OPENAT:
		if regs.Rdx&(syscall.O_CREAT|syscall.O_TRUNC) == 0 {
			return nil
		}
		return &op{Kind: opOpen, Truncate: regs.Rdx&syscall.O_TRUNC != 0}
	case syscall.SYS_OPEN:
		if regs.Rsi&(syscall.O_CREAT|syscall.O_TRUNC) == 0 {
			return nil
		}
		return &op{Kind: opOpen, Truncate: regs.Rsi&syscall.O_TRUNC != 0}
	case syscall.SYS_RENAME:
		return &op{Kind: opRename, Path: r.path(regs.Rdi), To: r.path(regs.Rsi)}
	case syscall.SYS_RENAMEAT, 316: // renameat2
		return &op{Kind: opRename, Path: r.path(regs.Rsi), To: r.path(regs.R10)}
	case syscall.SYS_UNLINK, syscall.SYS_RMDIR:
		return &op{Kind: opUnlink, Path: r.path(regs.Rdi)}
	case syscall.SYS_UNLINKAT:
		return &op{Kind: opUnlink, Path: r.at(regs.Rdi, regs.Rsi)}
	case syscall.SYS_MKDIR:
		return &op{Kind: opMkdir, Path: r.path(regs.Rdi)}
	case syscall.SYS_MKDIRAT:
		return &op{Kind: opMkdir, Path: r.at(regs.Rdi, regs.Rsi)}
	default:
		return nil
	}
	if o.Path == "" {
		return nil
	}
	o.Data = make([]byte, regs.Rdx)
	if _, err := r.memory.ReadAt(o.Data, int64(regs.Rsi)); err != nil {
		panic(err)
	}
	return o
}

// file is the path of a descriptor below the root, else "".
func (r *recording) file(fd uint64) string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", r.pid, int32(fd)))
	if err != nil {
		return ""
	}
	return r.below(path)
}

func (r *recording) position(fd uint64) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", r.pid, int32(fd)))
	if err != nil {
		panic(err)
	}
	var at int64
	if _, err := fmt.Sscanf(string(text), "pos: %d", &at); err != nil {
		panic(err)
	}
	return at
}

func (r *recording) path(address uint64) string { return r.at(uint64(0xffffff9c), address) } // AT_FDCWD

func (r *recording) at(fd, address uint64) string {
	text := make([]byte, 4096)
	n, _ := r.memory.ReadAt(text, int64(address)) // the end of a mapping is no trouble
	name, _, _ := strings.Cut(string(text[:n]), "\x00")
	if !filepath.IsAbs(name) {
		dir := r.root
		if int32(fd) != -100 {
			dir = filepath.Join(r.root, r.file(fd))
		}
		name = filepath.Join(dir, name)
	}
	return r.below(name)
}

// below is a path relative to the root; "" of one that is elsewhere.
func (r *recording) below(path string) string {
	rel, err := filepath.Rel(r.root, path)
	if err != nil || !filepath.IsLocal(rel) || strings.HasSuffix(path, " (deleted)") {
		return ""
	}
	return rel
}
