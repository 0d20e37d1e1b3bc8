//go:build !failpoint

package failpoint

// Hit does nothing in an ordinary build.
func Hit(Point) {}

// Fails is false in an ordinary build.
func Fails(string) bool { return false }

// Weakened is false in an ordinary build.
func Weakened(Safeguard) bool { return false }
