//go:build !(linux && amd64)

package crash

const canTrace = false

func trace(string, []string) int { return 120 }
