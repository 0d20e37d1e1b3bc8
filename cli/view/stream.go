package view

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// pipeWidth is the width of what is not a terminal.
const pipeWidth = 80

// Stream is standard output or standard error. Writing to it is safe from
// several goroutines; output is kept until Flush, except on standard error and on
// a terminal.
type Stream struct {
	mu       sync.Mutex
	w        *bufio.Writer
	direct   bool // flush after each write
	under    io.Writer
	detached *detached // not nil: see Detach
	terminal bool
	color    bool
	width    int
}

// Streams are standard output and standard error.
func Streams(environ []string) (out, err *Stream) {
	return newStream(os.Stdout, environ, false), newStream(os.Stderr, environ, true)
}

// NewStream is a stream to a writer that is no terminal.
func NewStream(w io.Writer) *Stream {
	return &Stream{w: bufio.NewWriter(w), under: w, direct: true, width: pipeWidth}
}

// newStream wraps a file. Colour only on a terminal and without NO_COLOR; COLUMNS
// gives another width than the terminal's, or than that of a pipe.
func newStream(f *os.File, environ []string, direct bool) *Stream {
	s := &Stream{w: bufio.NewWriterSize(f, 64<<10), under: f, direct: direct, width: pipeWidth}
	fd := int(f.Fd())
	if term.IsTerminal(fd) {
		s.terminal, s.color, s.direct = true, true, true
		if w, _, err := term.GetSize(fd); err == nil && w > 0 {
			s.width = w
		}
	}
	for _, e := range environ {
		switch name, value, _ := strings.Cut(e, "="); {
		case name == "NO_COLOR" && value != "", name == "TERM" && value == "dumb":
			s.color = false
		case name == "COLUMNS":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				s.width = n
			}
		}
	}
	return s
}

// Detach lets nobody who writes wait for a reader from now on, nor hear of its
// end: for a program that has more to lose than a line of its log.
func (s *Stream) Detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.detached == nil {
		_ = s.w.Flush() // what cannot be written is lost as all that follows would be
		s.detached = newDetached(s.under)
		s.w.Reset(s.detached)
	}
}

// NoColor turns colours off.
func (s *Stream) NoColor() { s.color = false }

// Write implements io.Writer.
func (s *Stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.w.Write(b)
	if err == nil && s.direct {
		err = s.w.Flush()
	}
	return n, err
}

// Flush writes out what was kept.
func (s *Stream) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.w.Flush(); err != nil {
		return err
	}
	if s.detached != nil {
		s.detached.drain(lastWords)
	}
	return nil
}

// printf writes; an error shows at the last Flush. Arguments are escaped unless
// they are Text.
func (s *Stream) printf(format string, args ...any) { _, _ = fmt.Fprintf(s, format, safe(args)...) }

// println writes a line.
func (s *Stream) println(text Text) { _, _ = s.Write([]byte(text + "\n")) }

// secondText is a time for people: in UTC, to the second.
func secondText(t time.Time) Text { return Text(t.UTC().Format("2006-01-02T15:04:05Z")) }

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
func (s *Stream) paint(code string, text Text) Text {
	if !s.color || text == "" {
		return text
	}
	return Text("\x1b["+code+"m") + text + "\x1b[0m"
}

// jsonWriter escapes the hidden characters in the JSON that is written through it,
// whole strings a call.
type jsonWriter struct{ to io.Writer }

// Write implements io.Writer.
func (w jsonWriter) Write(b []byte) (int, error) {
	if _, err := w.to.Write(escapeJSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// JSON is a writer for JSON on this stream, whole strings a call.
func (s *Stream) JSON() io.Writer { return jsonWriter{s} }
