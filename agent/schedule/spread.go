package schedule

import (
	"math/rand/v2"
	"time"
)

// Spread is a random part of the time over which n overdue items are spread after
// a restart: the vendors shall not be stampeded.
func Spread(n int) time.Duration {
	over := min(time.Duration(n)*20*time.Millisecond, 5*time.Minute)
	if over <= 0 {
		return 0
	}
	return rand.N(over)
}
