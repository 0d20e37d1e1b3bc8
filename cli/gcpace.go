package cli

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The collector's pace. Most runs live in some tens of megabytes, where Go's
// default collects many times a second to keep it so; a large configuration has
// better use for the memory than garbage.
const (
	mostPercent  = 400
	leastPercent = 40
	spareBytes   = 128 << 20 // garbage that any run may hold
)

// percentFor is the pace with so much in use: at most spareBytes and leastPercent
// of garbage.
func percentFor(live uint64) int {
	if live == 0 {
		return mostPercent
	}
	return int(min(mostPercent, leastPercent+100*spareBytes/live))
}

// cycle is garbage at the next collection, which is how that is noticed.
type cycle struct{ set *int }

// paceCollector sets the collector's pace after each collection, unless the
// operator set one.
func paceCollector(getenv func(string) string) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return
	}
	percent := mostPercent
	debug.SetGCPercent(percent)
	armCollector(&percent)
}

func armCollector(set *int) {
	runtime.SetFinalizer(&cycle{set}, func(c *cycle) {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if sample[0].Value.Kind() == metrics.KindUint64 {
			if p := percentFor(sample[0].Value.Uint64()); p != *c.set {
				*c.set = p
				debug.SetGCPercent(p)
			}
		}
		armCollector(c.set)
	})
}
