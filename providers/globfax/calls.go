package globfax

import (
	"context"
	"net/http"
	"net/url"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// connect makes an account's connection.
func connect(config cty.Value, options providers.Options) (*providers.Connection, error) {
	client, key, secret, err := providers.NewKeyedClient(vendor, config, options, "api_key", "api_secret")
	if err != nil {
		return nil, err
	}
	return client.Connection(providers.Connection{Poller: &poller{client: client, key: key, secret: secret}}), nil
}

type poller struct {
	client      *providers.Client
	key, secret string
}

// Poll asks for one recipient. The page documents headers and nothing else.
func (p *poller) Poll(ctx context.Context, target providers.Target) (providers.Answer, error) {
	return p.client.Poll(ctx, providers.Request{
		Method: http.MethodGet,
		Path:   "/api/v2/fax/recipients/" + url.PathEscape(target.Identity),
		Header: func(h http.Header) {
			h.Set("X-API-Key", p.key)
			h.Set("X-API-Secret", p.secret)
		},
	})
}
