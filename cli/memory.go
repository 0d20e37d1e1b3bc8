package cli

import "runtime/debug"

// The collector's pace. Most runs live in some tens of megabytes, where Go's
// default collects many times a second to keep it so; a large configuration is
// kept within bounds by the limit instead, which counts more than the pace.
const (
	collectPercent = 400
	memoryLimit    = 640 << 20 // bytes: a million instances fit
)

// paceCollector sets the collector's pace, unless the operator did.
func paceCollector(getenv func(string) string) {
	if getenv("GOGC") != "" || getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(collectPercent)
	debug.SetMemoryLimit(memoryLimit)
}
