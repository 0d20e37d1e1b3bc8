package expressions

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Bounds on values. A number with a huge exponent is read in no time and takes
// minutes to print; a text may double itself from local to local.
const (
	MaxText     = 64 << 20 // bytes of a text that is made
	maxDigits   = 400      // of a number that is written out
	maxExponent = 999      // of ten
	maxBits     = 3400     // of two, about the same
)

// errNumber says what is wrong with a number beyond the bounds.
var errNumber = fmt.Errorf("the number is too large or too small: its exponent is beyond %d, or it has more than %d digits", maxExponent, maxDigits)

// CheckNumberText judges a text before it becomes a number. What is no number
// is left to the conversion.
func CheckNumberText(v cty.Value) error {
	v, _ = v.Unmark()
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() {
		return nil
	}
	return checkNumber(v.AsString())
}

func checkNumber(text string) error {
	if text == "" || strings.IndexByte("0123456789+-.", text[0]) < 0 {
		switch strings.ToLower(text) {
		case "inf", "infinity":
			return fmt.Errorf("infinity is not a number here")
		}
		return nil
	}
	mantissa, exponent, has := text, "", false
	if i := strings.IndexAny(text, "eE"); i >= 0 && !strings.HasPrefix(strings.TrimLeft(text, "+-"), "0x") {
		mantissa, exponent, has = text[:i], text[i+1:], true
	}
	if strings.Trim(mantissa, "0123456789+-._") != "" {
		if strings.EqualFold(strings.TrimLeft(text, "+-."), "inf") {
			return fmt.Errorf("infinity is not a number here")
		}
		return nil // no number
	}
	if len(mantissa) > maxDigits {
		return errNumber
	}
	if digits := strings.TrimLeft(exponent, "+-0_"); has && len(digits) > 3 && strings.Trim(digits, "0123456789_") == "" {
		return errNumber
	}
	return nil
}

// CheckNumbers judges the numbers within a value.
func CheckNumbers(v cty.Value) error {
	if !mayHoldNumbers(v.Type()) {
		return nil
	}
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	if v.Type() == cty.Number {
		f := v.AsBigFloat()
		if f.IsInf() {
			return fmt.Errorf("infinity is not a number here")
		}
		if bits := f.MantExp(nil); bits > maxBits || bits < -maxBits {
			return errNumber
		}
		return nil
	}
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		if err := CheckNumbers(element); err != nil {
			return err
		}
	}
	return nil
}

// Convert is cty's conversion to a type, within the bounds of numbers.
func Convert(v cty.Value, ty cty.Type) (cty.Value, error) {
	converted, err := convert.Convert(v, ty)
	if err != nil {
		return converted, err
	}
	return converted, CheckNumbers(converted)
}

// mayHoldNumbers reports whether a value of a type can hold a number.
func mayHoldNumbers(ty cty.Type) bool {
	switch {
	case ty == cty.Number:
		return true
	case ty.IsPrimitiveType(), ty == cty.DynamicPseudoType, ty.IsCapsuleType(): // a known value has its own type
		return false
	case ty.IsCollectionType():
		return mayHoldNumbers(ty.ElementType())
	case ty.IsTupleType():
		for _, element := range ty.TupleElementTypes() {
			if mayHoldNumbers(element) {
				return true
			}
		}
	case ty.IsObjectType():
		for _, attribute := range ty.AttributeTypes() {
			if mayHoldNumbers(attribute) {
				return true
			}
		}
	}
	return false
}
