package itniotech

import "testing"

// The vector is the page's own request.
func TestSign(t *testing.T) {
	if got := sign("bDqJFiq9", "7bz1lzh9", "1630468800"); got != "05d7a50893e22a5c4bb3216ae3396c7c" {
		t.Error(got)
	}
}
