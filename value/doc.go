// Package value writes, reads and compares exact values: canonical JSON whose
// numbers never pass through a float64, decimals for amounts, and the
// differences of two values by path.
//
// It is pure and the lowest layer: it knows no vendor, no item and no
// configuration, and it imports none of our packages.
package value
