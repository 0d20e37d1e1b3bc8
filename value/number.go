package value

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"
)

// Digits is how many significant digits a number keeps when it leaves the
// program: more than any amount has, and few enough that binary rounding in
// HCL's own arithmetic does not show.
const Digits = 34

// FormatNumber writes a number in decimal, rounded to Digits significant
// digits, without trailing zeros: ten times 0.1 is "1". A whole number keeps all
// its digits. Very large and small ones have an exponent. The text is a JSON number.
func FormatNumber(f *big.Float) string {
	if f.IsInf() {
		if f.Signbit() {
			return "-1E+999999999" // JSON has no infinity
		}
		return "1E+999999999"
	}
	if f.IsInt() {
		if n, accuracy := f.Int64(); accuracy == big.Exact {
			return strconv.FormatInt(n, 10)
		}
	}
	if f.IsInt() && f.MantExp(nil) <= wholeBits { // an identifier, not an amount: all its digits count
		d, _, err := apd.NewFromString(f.Text('f', 0))
		if err == nil {
			return FormatDecimal(d)
		}
	}
	if text, ok := formatShort(f); ok {
		return text
	}
	d, _, err := apd.NewFromString(f.Text('e', Digits-1))
	if err != nil { // cannot be: big.Float writes decimals that apd reads
		return f.Text('g', Digits)
	}
	return FormatDecimal(d)
}

// wholeBits is up to where every whole number is exact, for numbers are read
// with so many bits.
const wholeBits = 512

// shortDigits is how many digits formatShort looks for: they fit an int64.
const shortDigits = 18

// formatShort writes a number that is a decimal of at most shortDigits digits, as
// amounts are, a good ten times as fast: the number is m / 10^k for a whole m,
// and no other number is nearer to it at the precision that numbers have.
func formatShort(f *big.Float) (string, bool) {
	exponent := f.MantExp(nil)
	if exponent > 50 || exponent < -50 {
		return "", false
	}
	k := shortDigits
	if exponent > 0 {
		k -= exponent*30103/100000 + 1 // digits before the point, at most
	}
	power := int64(1)
	for range k {
		power *= 10
	}
	scale := new(big.Float).SetInt64(power)
	scaled := new(big.Float).SetPrec(f.Prec()).Mul(f, scale)
	half := big.NewFloat(0.5) // exact
	if scaled.Signbit() {
		half.Neg(half)
	}
	m, _ := scaled.Add(scaled, half).Int64()
	if new(big.Float).SetPrec(f.Prec()).Quo(new(big.Float).SetInt64(m), scale).Cmp(f) != 0 || f.Prec() < 256 {
		return "", false
	}
	if m == 0 {
		return "0", true
	}
	for m%10 == 0 && k > 0 {
		m, k = m/10, k-1
	}
	text := strconv.AppendInt(make([]byte, 0, shortDigits+4), m, 10)
	if k == 0 {
		return string(text), true
	}
	sign := 0
	if m < 0 {
		sign = 1
	}
	if missing := k + 1 - (len(text) - sign); missing > 0 { // zeros before the first digit
		text = slices.Insert(text, sign, bytes.Repeat([]byte("0"), missing)...)
	}
	return string(slices.Insert(text, len(text)-k, '.')), true
}

// FormatDecimal writes a decimal as FormatNumber does, without rounding.
func FormatDecimal(d *apd.Decimal) string {
	var r apd.Decimal
	r.Reduce(d)
	if r.IsZero() {
		return "0"
	}
	if digits := r.NumDigits() + int64(r.Exponent); r.Exponent < -60 || digits > 60 {
		return r.Text('E')
	}
	return r.Text('f')
}

// DecimalOf is a cty number as a decimal, rounded to Digits significant digits:
// exact for whatever a vendor writes.
func DecimalOf(v cty.Value) (*apd.Decimal, error) {
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		return nil, fmt.Errorf("a decimal cannot be made of %s", v.Type().FriendlyName())
	}
	d, _, err := apd.NewFromString(FormatNumber(v.AsBigFloat()))
	return d, err
}

// FromDecimal is the cty number of a decimal.
func FromDecimal(d *apd.Decimal) cty.Value {
	v, err := cty.ParseNumberVal(FormatDecimal(d))
	if err != nil {
		return cty.NullVal(cty.Number)
	}
	return v
}

// exact computes with decimals without rounding for any amount there is.
var exact = apd.BaseContext.WithPrecision(400)

// Add is the exact sum of a and b; nil counts as zero.
func Add(a, b *apd.Decimal) *apd.Decimal {
	sum := new(apd.Decimal)
	if a != nil {
		sum.Set(a)
	}
	if b != nil {
		// The precision is far beyond any amount; a condition cannot arise.
		_, _ = exact.Add(sum, sum, b)
	}
	return sum
}

// Multiply is the exact product of a and b.
func Multiply(a, b *apd.Decimal) *apd.Decimal {
	product := new(apd.Decimal)
	_, _ = exact.Mul(product, a, b)
	return product
}
