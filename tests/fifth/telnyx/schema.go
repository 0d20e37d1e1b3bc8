// Package telnyx follows faxes and text messages at Telnyx: it is the proof that
// another vendor is a package and a line. Its public pages "View a fax"
// (GET /v2/faxes/{id}) and "Message webhooks" (message.finalized, signed with
// Ed25519) are the source of what stands here.
package telnyx

import (
	"crypto/ed25519"
	"encoding/base64"
	"regexp"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

const (
	vendor      = "telnyx"
	faxType     = "telnyx_fax"
	messageType = "telnyx_message"
	keyEnv      = "TELNYX_API_KEY"
	tokenEnv    = "TELNYX_CALLBACK_TOKEN"
)

// Definition is Telnyx: faxes are polled, what became of messages is pushed.
func Definition() *providers.Definition {
	return &providers.Definition{
		Schema: &plan.Schema{
			Provider:    vendor,
			Description: "Faxes at Telnyx, read one by one, and messages whose webhooks are waited for.",
			Arguments: append([]plan.Argument{
				{Name: "api_key", Type: cty.String, Required: true, Sensitive: true, Env: keyEnv, Description: "API key, sent as a bearer token."},
				{Name: "public_key", Type: cty.String, Required: true, Description: "Public key of the account, in base64: it verifies what is pushed."},
			}, providers.NetworkArguments(providers.Defaults{
				Endpoint: "https://api.telnyx.com/v2", Timeout: "30s", RequestsPerSecond: 20, Concurrency: 8, MinInterval: "30s",
			})...),
			Blocks: []plan.Block{providers.CallbackBlock(tokenEnv)},
			Check:  check,
			Types:  []*plan.Type{fax(), message()},
		},
		Observe:    observe,
		Records:    records,
		Connect:    connect,
		Redelivery: providers.Redelivery{For: 10 * time.Minute, Chance: 2 * time.Minute},
	}
}

func check(config cty.Value) []plan.Problem {
	problems := append(providers.CheckNetwork(config, ""), providers.CheckCredential(config, "api_key")...)
	if key, ok := providers.Text(config, "public_key"); ok && publicKey(key) == nil {
		problems = append(problems, plan.Problem{
			Argument: "public_key", Summary: "Invalid public_key",
			Detail: "This is no Ed25519 key in base64. Take the public key from the account's page on webhooks.",
		})
	}
	return append(problems, providers.CheckCallback(config, tokenEnv)...)
}

func publicKey(text string) ed25519.PublicKey {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil
	}
	return key
}

// identifier is a UUID, as all of Telnyx's are.
var identifier = regexp.MustCompile(`^[0-9a-fA-F-]{36}$`)

func identified(name, description string) plan.Argument {
	return plan.Argument{Name: name, Type: cty.String, Required: true, Identity: true, Description: description}
}

func checkIdentifier(name string) func(args cty.Value) []plan.Problem {
	return func(args cty.Value) []plan.Problem {
		if id, ok := providers.Text(args, name); ok && !identifier.MatchString(id) {
			return []plan.Problem{{
				Argument: name, Summary: "Invalid " + name, Detail: "This is no UUID. Take the id that sending returned.",
			}}
		}
		return nil
	}
}

func identity(name string) func(args cty.Value) string {
	return func(args cty.Value) string {
		id, _ := providers.Text(args, name)
		return id
	}
}

func fax() *plan.Type {
	attributes := []plan.Attribute{
		{Name: "status", Type: cty.String, Description: "status of the fax, as the vendor writes it; delivered and failed are final"},
		{Name: "direction", Type: cty.String, Description: "outbound or inbound"},
		{Name: "from", Type: cty.String, Description: "number that sends"},
		{Name: "to", Type: cty.String, Description: "number that receives"},
		{Name: "quality", Type: cty.String, Description: "quality of the transmission"},
		{Name: "failure_reason", Type: cty.String, Description: "why it failed"},
		{Name: "created_at", Type: cty.String, Description: "when it was created, RFC 3339"},
		{Name: "updated_at", Type: cty.String, Description: "when it last changed, RFC 3339"},
		{Name: "extra", Type: cty.DynamicPseudoType, Description: "other fields, as an object"},
	}
	return &plan.Type{
		Name: faxType, Kind: plan.Polled, Description: "One fax: whether it arrived, and why not.",
		Arguments:  []plan.Argument{identified("fax_id", "The fax's id, which sending returned.")},
		Attributes: attributes, Identity: identity("fax_id"), Check: checkIdentifier("fax_id"),
		Derive: func(e plan.Evidence) cty.Value { return deriveFax(attributes, e) },
	}
}

func message() *plan.Type {
	return &plan.Type{
		Name: messageType, Kind: plan.Counted, Description: "One message whose end is pushed, once for each recipient.",
		Arguments: []plan.Argument{
			identified("message_id", "The message's id, which sending returned."),
			{Name: "expected", Type: cty.Number, Default: cty.NumberIntVal(1), Description: "How many recipients it has."},
		},
		Attributes: []plan.Attribute{
			{Name: "received", Type: cty.Number, Description: "how many ends arrived"},
			{Name: "succeeded", Type: cty.Number, Description: "how many were delivered"},
			{Name: "failed", Type: cty.Number, Description: "how many were not"},
			{Name: "failed_codes", Type: cty.Map(cty.Number), Description: "how many failed with each status"},
			{Name: "costs", Type: cty.Map(cty.Number), Description: "exact sum of the costs per currency"},
		},
		Identity: identity("message_id"),
		Check: func(args cty.Value) []plan.Problem {
			return append(checkIdentifier("message_id")(args), providers.CheckInteger(args, "expected", 1, 0)...)
		},
		Derive: deriveMessage,
	}
}
