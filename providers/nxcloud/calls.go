package nxcloud

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// connect makes an account's gate.
func connect(config cty.Value, _ providers.Options) (*providers.Connection, error) {
	if problems := checkProvider(config); len(problems) > 0 {
		return nil, providers.Fault(providers.Rejected, vendor, "%s", problems[0].Detail)
	}
	g := &gate{}
	tokens, _ := texts(callbackOf(config), "tokens")
	for _, token := range tokens {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(token)))
	}
	cidrs, _ := texts(callbackOf(config), "allowed_cidrs")
	for _, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil { // cannot be: it was checked
			continue
		}
		g.allowed = append(g.allowed, prefix.Masked())
	}
	return &providers.Connection{Gate: g, Redactor: providers.NewRedactor(tokens...)}, nil
}

// gate keeps hashes of the tokens: of equal length, so that comparing them
// takes the same time whatever is sent.
type gate struct {
	tokens  [][sha256.Size]byte
	allowed []netip.Prefix
}

// Admit compares with every token, always.
func (g *gate) Admit(token string, from netip.Addr) bool {
	sum := sha256.Sum256([]byte(token))
	match := 0
	for i := range g.tokens {
		match |= subtle.ConstantTimeCompare(sum[:], g.tokens[i][:])
	}
	return match == 1 && g.from(from.Unmap().WithZone(""))
}

func (g *gate) from(addr netip.Addr) bool {
	if len(g.allowed) == 0 {
		return true
	}
	for _, prefix := range g.allowed {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
