package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// pipeWidth is the width of what is not a terminal.
const pipeWidth = 80

// stream is standard output or standard error. Writing to it is safe from
// several goroutines; output is kept until Flush, except on standard error.
type stream struct {
	mu       sync.Mutex
	w        *bufio.Writer
	direct   bool // flush after each write
	terminal bool
	color    bool
	width    int
}

// newStream wraps a file. Colour only on a terminal and without NO_COLOR.
func newStream(f *os.File, environ []string) *stream {
	s := &stream{w: bufio.NewWriterSize(f, 64<<10), direct: f == os.Stderr, width: pipeWidth}
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return s
	}
	s.terminal, s.color, s.direct = true, true, true
	if w, _, err := term.GetSize(fd); err == nil && w > 0 {
		s.width = w
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if (name == "NO_COLOR" && value != "") || (name == "TERM" && value == "dumb") {
			s.color = false
		}
	}
	return s
}

// Write implements io.Writer.
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(b)
	if err == nil && s.direct {
		err = s.w.Flush()
	}
	return n, err
}

// Flush writes out what was kept.
func (s *stream) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Flush()
}

// printf writes; an error shows at the last Flush.
func (s *stream) printf(format string, args ...any) { _, _ = fmt.Fprintf(s, format, args...) }

// println writes a line.
func (s *stream) println(text string) { _, _ = fmt.Fprintln(s, text) }

// secondText is a time for people: in UTC, to the second.
func secondText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// The colours, as Terraform uses them.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
	dim    = "90"
)

// paint colours text where the stream shows colours.
func (s *stream) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
