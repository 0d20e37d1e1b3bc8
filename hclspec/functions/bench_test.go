package functions

import (
	"strings"
	"testing"
)

func BenchmarkCSVDecode(b *testing.B) {
	text := "id,amount,note\n" + strings.Repeat("R-1234567,12.50,\"a note, quoted\"\n", 100_000)
	for b.Loop() {
		if _, _, err := decodeCSV(text); err != nil {
			b.Fatal(err)
		}
	}
}
