package record

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/plan"
)

// The floor after a read holds while the clock is put right by a little, and not
// for one that was far ahead when the read was recorded.
func TestFloorEnds(t *testing.T) {
	const floor = 30 * time.Second
	read := time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)
	item := &plan.Item{ReadAt: read, Settings: plan.Settings{Interval: floor, MaxInterval: floor}}
	for _, c := range []struct {
		back time.Duration
		held bool
	}{{0, true}, {10 * time.Millisecond, true}, {time.Minute, false}, {365 * 24 * time.Hour, false}} {
		now := read.Add(-c.back)
		if held := FloorEnds(item, floor, now).After(now); held != c.held {
			t.Errorf("the clock set back by %s: held %t, want %t", c.back, held, c.held)
		}
	}
	if !FloorEnds(&plan.Item{}, floor, read).IsZero() {
		t.Error("there is a floor before the first read")
	}
}
