package itniotech

import (
	"context"
	"crypto/md5" //nolint:gosec // the vendor's signature, not our choice
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"

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

// Poll asks for one order. The body is not signed, the time is.
func (p *poller) Poll(ctx context.Context, target providers.Target) (providers.Answer, error) {
	var request struct {
		AppID   string `json:"appId,omitempty"`
		OrderID string `json:"orderId"`
	}
	request.AppID, _ = providers.Text(target.Args, "app_id")
	request.OrderID, _ = providers.Text(target.Args, "order_id")
	body, err := json.Marshal(request)
	if err != nil { // cannot be: two strings
		return providers.Answer{}, providers.Fault(providers.Rejected, vendor, "the request cannot be written; check order_id")
	}
	return p.client.Poll(ctx, providers.Request{
		Method: http.MethodPost,
		Path:   "/verification/orderId/record",
		Body:   body,
		Header: func(h http.Header) {
			timestamp := strconv.FormatInt(p.client.Now().Unix(), 10)
			h.Set("Content-Type", "application/json;charset=UTF-8")
			h.Set("Api-Key", p.key)
			h.Set("Timestamp", timestamp)
			h.Set("Sign", sign(p.key, p.secret, timestamp))
		},
	})
}

// sign is the vendor's signature: the hex MD5 of key, secret and Unix seconds.
func sign(key, secret, timestamp string) string {
	sum := md5.Sum([]byte(key + secret + timestamp)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}
