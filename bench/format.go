package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
)

// lineWriter finds a line in what a process says.
type lineWriter struct {
	want  string
	found chan string

	mu   sync.Mutex
	said bytes.Buffer
	rest string
}

// Write implements io.Writer.
func (w *lineWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.said.Len() < 1<<16 {
		w.said.Write(b)
	}
	w.rest += string(b)
	for {
		line, after, ok := strings.Cut(w.rest, "\n")
		if !ok {
			return len(b), nil
		}
		w.rest = after
		if strings.Contains(line, w.want) {
			select {
			case w.found <- line:
			default:
			}
		}
	}
}

func (w *lineWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// field is the value of name=value in a line of a log.
func field(line, name string) string {
	_, rest, _ := strings.Cut(line, name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return strings.Trim(value, `"`)
}

func seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func size(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

func rate(n float64) string {
	if n >= 10_000 {
		return fmt.Sprintf("%.1fk/s", n/1000)
	}
	return fmt.Sprintf("%.0f/s", n)
}

func ratio(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// count writes 1000 as 1k and 1000000 as 1M.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
