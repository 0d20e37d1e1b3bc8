package view

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// How often progress is shown: on a terminal, and elsewhere.
const (
	barInterval  = 100 * time.Millisecond
	lineInterval = 10 * time.Second
)

// eraseLine takes a bar away.
const eraseLine Text = "\r\x1b[K"

// Progress shows long work on standard error: a bar with rate and remaining
// time on a terminal, a line now and then elsewhere. Short work shows nothing.
type Progress struct {
	mu    sync.Mutex
	out   *Stream
	now   func() time.Time
	phase string
	begun time.Time
	last  time.Time
	drawn bool // a bar stands on the terminal's line
}

// NewProgress makes the progress of one command.
func (v *View) NewProgress() *Progress {
	return &Progress{out: v.Err, now: v.Now}
}

// Show takes news of the work; it may be called often and from anywhere.
func (b *Progress) Show(s plan.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if s.Phase != b.phase {
		b.clear()
		b.phase, b.begun, b.last = s.Phase, now, now
		return
	}
	if s.Done <= 0 {
		return
	}
	if b.out.terminal {
		if now.Sub(b.last) < barInterval {
			return
		}
		b.last, b.drawn = now, true
		b.out.printf("%s%s", eraseLine, barText(s, now.Sub(b.begun), b.out.width))
		return
	}
	if now.Sub(b.last) < lineInterval {
		return
	}
	b.last = now
	b.out.printf("%s\n", progressText(s, now.Sub(b.begun)))
}

// Done takes the bar away.
func (b *Progress) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	b.phase = ""
}

func (b *Progress) clear() {
	if b.drawn {
		b.out.printf("%s", eraseLine)
		b.drawn = false
	}
}

// progressText is: reading: 1200 of 5000, 400/s, 9s left. Where the end is not
// known it is left out.
func progressText(s plan.Progress, elapsed time.Duration) string {
	text := fmt.Sprintf("%s: %d", s.Phase, s.Done)
	if s.Total > 0 {
		text += fmt.Sprintf(" of %d", s.Total)
	}
	seconds := elapsed.Seconds()
	if seconds <= 0 {
		return text
	}
	rate := float64(s.Done) / seconds
	text += ", " + rateText(rate) + "/s"
	if left := s.Total - s.Done; left > 0 {
		text += ", " + time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second).String() + " left"
	}
	return text
}

func rateText(rate float64) string {
	if rate < 10 {
		return strconv.FormatFloat(rate, 'f', 1, 64)
	}
	return strconv.FormatFloat(rate, 'f', 0, 64)
}

// barText is the progress with a bar before it, on one line of the terminal.
func barText(s plan.Progress, elapsed time.Duration, width int) string {
	text := progressText(s, elapsed)
	room := min(width-len(text)-4, 40)
	if room < 8 || s.Total <= 0 {
		if len(text) >= width && width > 1 {
			text = text[:width-1]
		}
		return text
	}
	full := int(min(s.Done, s.Total) * int64(room) / s.Total)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", room-full) + "] " + text
}
