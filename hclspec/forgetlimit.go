package hclspec

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// ForgetLimit is how many items a reload may forget: a count, or a share of those
// that are tracked.
type ForgetLimit struct {
	text  string
	share *big.Rat // of one; nil: a count
	count int
}

// DefaultForgetLimit is the max_forget of an agent that sets none.
func DefaultForgetLimit() ForgetLimit { return ForgetLimit{text: "20%", share: big.NewRat(20, 100)} }

// ParseForgetLimit reads a count or a percentage, such as "50" or "20%".
func ParseForgetLimit(text string) (ForgetLimit, error) {
	bad := fmt.Errorf("%q is neither a count such as \"50\" nor a percentage from 0%% to 100%% such as \"20%%\"", text)
	number, isShare := strings.CutSuffix(strings.TrimSpace(text), "%")
	if !isShare {
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return ForgetLimit{}, bad
		}
		return ForgetLimit{text: number, count: n}, nil
	}
	number = strings.TrimSpace(number)
	share, ok := new(big.Rat).SetString(number)
	if !ok || len(number) > 20 || strings.ContainsAny(number, "/eE_xpP") || share.Sign() < 0 || share.Cmp(big.NewRat(100, 1)) > 0 {
		return ForgetLimit{}, bad
	}
	return ForgetLimit{text: number + "%", share: share.Quo(share, big.NewRat(100, 1))}, nil
}

// Allows reports whether so many of the tracked items may be forgotten. One
// always may.
func (l ForgetLimit) Allows(forget, tracked int) bool {
	if forget <= 1 {
		return true
	}
	if l.share == nil {
		return forget <= l.count
	}
	limit := new(big.Rat).Mul(l.share, big.NewRat(int64(tracked), 1))
	return big.NewRat(int64(forget), 1).Cmp(limit) <= 0
}

// String is the setting as written: "20%".
func (l ForgetLimit) String() string { return l.text }
