package telnyx

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// connect makes an account's connection: it asks, and it is called.
func connect(config cty.Value, options providers.Options) (*providers.Connection, error) {
	key, _ := providers.Text(config, "api_key")
	client, err := providers.NewClient(vendor, config, options, key)
	if err != nil {
		return nil, err
	}
	text, _ := providers.Text(config, "public_key")
	public := publicKey(text)
	if problems := check(config); len(problems) > 0 || public == nil {
		return nil, providers.Fault(providers.Rejected, vendor, "the provider block has a mistake; run waybill validate")
	}
	gate, redactor := providers.NewGate(config, key)
	return client.Connection(providers.Connection{
		Poller: &poller{client, key}, Gate: &signed{gate, public}, Redactor: redactor,
	}), nil
}

type poller struct {
	client *providers.Client
	key    string
}

// Poll asks for one fax.
func (p *poller) Poll(ctx context.Context, target providers.Target) (providers.Answer, error) {
	return p.client.Poll(ctx, providers.Request{
		Method: http.MethodGet,
		Path:   "/faxes/" + url.PathEscape(target.Identity),
		Header: func(h http.Header) { h.Set("Authorization", "Bearer "+p.key) },
	})
}

// signed is a gate that verifies too.
type signed struct {
	*providers.TokenGate
	public ed25519.PublicKey
}

// Verify implements providers.Verifier: the signature is of "timestamp|body".
func (s *signed) Verify(header http.Header, body []byte) bool {
	signature, err := base64.StdEncoding.DecodeString(header.Get("telnyx-signature-ed25519"))
	return err == nil && ed25519.Verify(s.public, slices.Concat([]byte(header.Get("telnyx-timestamp")), []byte("|"), body), signature)
}
