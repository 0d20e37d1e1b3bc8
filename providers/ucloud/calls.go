package ucloud

import (
	"context"
	"crypto/sha1" //nolint:gosec // the vendor's signature, not our choice
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/providers"
)

// connect makes an account's connection.
func connect(config cty.Value, options providers.Options) (*providers.Connection, error) {
	client, public, private, err := providers.NewKeyedClient(vendor, config, options, "public_key", "private_key")
	if err != nil {
		return nil, err
	}
	return client.Connection(providers.Connection{Puller: &puller{client: client, public: public, private: private}}), nil
}

type puller struct {
	client          *providers.Client
	public, private string
}

// Pull takes one page, as a form like the vendor's own SDK.
func (p *puller) Pull(ctx context.Context, request providers.PullRequest) (providers.Answer, error) {
	params := map[string]string{
		"Action":    "PullUSMSReport",
		"PublicKey": p.public,
		"ProjectId": request.Project,
		"Limit":     strconv.Itoa(request.Limit),
	}
	signed := signature(params, p.private)
	form := url.Values{"Signature": {signed}}
	for name, value := range params {
		if value != "" {
			form.Set(name, value)
		}
	}
	return p.client.Pull(ctx, providers.Request{
		Method: http.MethodPost,
		Body:   []byte(form.Encode()),
		Header: func(h http.Header) {
			h.Set("Content-Type", "application/x-www-form-urlencoded")
		},
		Secrets: []string{signed}, // it holds no time, so whoever has it can pull
	})
}

// signature is the hex SHA-1 of names and values in the byte order of the
// names, as they are, and the private key. Empty values are left out.
func signature(params map[string]string, private string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" {
			b.WriteString(name)
			b.WriteString(params[name])
		}
	}
	b.WriteString(private)
	sum := sha1.Sum([]byte(b.String())) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}
