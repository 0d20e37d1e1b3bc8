package quiet_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/agent/quiet"
)

func TestOneTroubleIsOneLineAndEverFewer(t *testing.T) {
	now := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	log := quiet.New(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	full := errors.New("no space left on device")
	lines := func() int { return strings.Count(out.String(), "\n") }
	for range 600 { // ten a second for a minute
		log.Error("state", "the state cannot be written", "error", full)
		now = now.Add(100 * time.Millisecond)
	}
	if n := lines(); n != 1 {
		t.Errorf("%d lines in the first minute", n)
	}
	log.Error("callbacks", "callbacks cannot be stored", "error", full)
	if n := lines(); n != 2 {
		t.Errorf("another kind was kept back: %s", out.String())
	}
	for range 24 * 60 {
		log.Error("state", "the state cannot be written", "error", full)
		now = now.Add(time.Minute)
	}
	if n := lines(); n < 25 || n > 35 {
		t.Errorf("%d lines in a day, want about one an hour", n)
	}
	if !strings.Contains(out.String(), "more_unlogged=599") || !strings.Contains(out.String(), "more_unlogged=59") {
		t.Errorf("what was left out is not told: %s", out.String())
	}
	out.Reset()
	log.Over("state", "the state can be written again")
	log.Over("state", "the state can be written again")
	log.Error("state", "the state cannot be written", "error", full)
	if n := lines(); n != 2 {
		t.Errorf("a trouble that ends and comes back: %s", out.String())
	}
	out.Reset()
	now = now.Add(3 * time.Minute)
	log.Error("state", "the state cannot be written", "error", full)
	if n := lines(); n != 1 {
		t.Errorf("a trouble that comes back after a while is kept back")
	}
}
