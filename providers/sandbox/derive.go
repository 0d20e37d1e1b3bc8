package sandbox

import (
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"
)

// vendorZone is the zone of the vendors' clocks, +08:00 without summer time.
var vendorZone = time.FixedZone("+08:00", 8*60*60)

// refPattern is GlobFax's rule for rcpt_ref.
var refPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// dice draws what becomes of one thing: the same seed and identity give the same
// numbers in the same order, whenever they are drawn.
func (s *Server) dice(vendor Vendor, id string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(vendor))
	h.Write([]byte{0})
	h.Write([]byte(id))
	return rand.New(rand.NewPCG(s.opts.Seed, h.Sum64()))
}

// settleAfter is how long a thing takes: what was asked for, else a moment of
// Speed's span. It always draws, so that what is drawn next does not depend on it.
func (s *Server) settleAfter(d *rand.Rand, asked Duration) time.Duration {
	span := s.opts.Speed
	derived := span.Earliest
	if width := int64(span.Latest - span.Earliest); width > 0 {
		derived += time.Duration(d.Int64N(width)).Truncate(time.Millisecond)
	} else {
		d.Uint64()
	}
	switch {
	case asked > 0:
		return time.Duration(asked)
	case asked < 0:
		return 0
	}
	return derived
}

// The steering words in an identity.
func isMissing(id string) bool {
	return strings.Contains(id, "missing") || strings.Contains(id, "unknown")
}
func isNever(id string) bool   { return strings.Contains(id, "never") }
func isFailing(id string) bool { return strings.Contains(id, "fail") }
func isPartial(id string) bool { return strings.Contains(id, "part") }

// fails judges one number of many: by the steering words, else one in twenty.
func fails(d *rand.Rand, id string, index int) bool {
	chance := d.IntN(20) == 0
	switch {
	case isFailing(id):
		return true
	case isPartial(id):
		return index%3 == 1
	}
	return chance
}

// pick draws one of several.
func pick[T any](d *rand.Rand, of ...T) T { return of[d.IntN(len(of))] }

// iso is a time as itniotech writes it.
func iso(t time.Time) string { return t.In(vendorZone).Format("2006-01-02T15:04:05-07:00") }
