package providers

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/netip"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// minToken is the length from which a token cannot be guessed.
const minToken = 16

// CallbackBlock is the block "callback" of a vendor that pushes: who may push.
// Env names the environment variable of the token.
func CallbackBlock(env string) plan.Block {
	return plan.Block{
		Name:        "callback",
		Description: "Who may push results.",
		Arguments: []plan.Argument{
			{
				Name: "tokens", Type: cty.List(cty.String), Required: true, Sensitive: true, Env: env,
				Description: "Secrets of at least 16 characters; a callback's URL ends with one of them. Several while one is being replaced.",
			},
			{
				Name: "allowed_cidrs", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String),
				Description: "Addresses that callbacks may come from, such as 203.0.113.0/24; empty means any.",
			},
		},
	}
}

// CheckCallback judges that block.
func CheckCallback(config cty.Value, env string) []plan.Problem {
	var problems []plan.Problem
	callback := callbackOf(config)
	tokens, known := texts(callback, "tokens")
	if known && len(tokens) == 0 {
		problems = append(problems, plan.Problem{
			Argument: "callback.tokens", Summary: "Missing callback token",
			Detail: fmt.Sprintf("Without a token nobody can push results. Write tokens = [env(%q)], a secret of at least %d characters.", env, minToken),
		})
	}
	for i, token := range tokens {
		detail := ""
		switch {
		case len(token) < minToken:
			detail = fmt.Sprintf("Token %d has fewer than %d characters, and could be guessed. Make one with \"openssl rand -hex 16\".", i+1, minToken)
		case strings.Trim(token, tokenCharacters) != "":
			detail = fmt.Sprintf("Token %d has characters that do not stand for themselves in a URL. Use letters, digits, and - . _ ~ only, such as \"openssl rand -hex 16\" prints.", i+1)
		default:
			continue
		}
		problems = append(problems, plan.Problem{Argument: "callback.tokens", Summary: "Invalid callback token", Detail: detail})
	}
	cidrs, _ := texts(callback, "allowed_cidrs")
	for _, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr)
		detail := ""
		switch {
		case err != nil:
			detail = fmt.Sprintf("%q is not a range of addresses. Write one such as \"203.0.113.0/24\", or \"203.0.113.7/32\" for one address.", cidr)
		case prefix.Addr().Is4In6():
			detail = fmt.Sprintf("%q is an IPv4 address written as IPv6, which no sender has. Write it as IPv4, such as \"203.0.113.0/24\".", cidr)
		default:
			continue
		}
		problems = append(problems, plan.Problem{Argument: "callback.allowed_cidrs", Summary: "Invalid allowed_cidrs", Detail: detail})
	}
	return problems
}

// tokenCharacters stand for themselves in a URL's path.
const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

func callbackOf(config cty.Value) cty.Value {
	if config == cty.NilVal {
		return cty.NilVal
	}
	config, _ = config.Unmark()
	callback, _ := Attribute(config, "callback", cty.DynamicPseudoType).Unmark()
	return callback
}

// texts are the known strings of a list; known is false when the list or
// something in it is not known, so that its length says nothing.
func texts(block cty.Value, name string) (list []string, known bool) {
	if block == cty.NilVal || !block.IsKnown() {
		return nil, false
	}
	v, _ := Attribute(block, name, cty.List(cty.String)).Unmark()
	if !v.IsKnown() {
		return nil, false
	}
	if v.IsNull() || !v.CanIterateElements() {
		return nil, true
	}
	known = true
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		e, _ = e.Unmark()
		if !e.IsKnown() || e.IsNull() || e.Type() != cty.String {
			known = false
			continue
		}
		list = append(list, e.AsString())
	}
	return list, known
}

// TokenGate admits who knows a token of the block "callback" and comes from an
// address that it allows. It keeps hashes of the tokens: of equal length, so that
// comparing them takes the same time whatever is sent.
type TokenGate struct {
	tokens  [][sha256.Size]byte
	allowed []netip.Prefix
}

// NewGate makes the gate of a block that was found right, and the Redactor that
// knows its tokens and further secrets.
func NewGate(config cty.Value, secrets ...string) (*TokenGate, *Redactor) {
	g := &TokenGate{}
	tokens, _ := texts(callbackOf(config), "tokens")
	for _, token := range tokens {
		g.tokens = append(g.tokens, sha256.Sum256([]byte(token)))
	}
	cidrs, _ := texts(callbackOf(config), "allowed_cidrs")
	for _, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			g.allowed = append(g.allowed, prefix.Masked())
		}
	}
	return g, NewRedactor(append(tokens, secrets...)...)
}

// Admit implements Gate. It compares with every token, always.
func (g *TokenGate) Admit(token string, from netip.Addr) bool {
	sum := sha256.Sum256([]byte(token))
	match := 0
	for i := range g.tokens {
		match |= subtle.ConstantTimeCompare(sum[:], g.tokens[i][:])
	}
	return match == 1 && g.from(from.Unmap().WithZone(""))
}

func (g *TokenGate) from(addr netip.Addr) bool {
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
