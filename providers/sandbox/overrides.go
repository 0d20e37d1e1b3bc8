package sandbox

import "github.com/zclconf/go-cty/cty"

// floor is between two reads of one item in a sandbox, where all goes fast.
const floor = "1s"

// Overrides are the arguments of provider blocks that lead to this sandbox,
// whatever a configuration says, by provider and argument.
func (s *Server) Overrides() map[string]map[string]cty.Value {
	at, text := s.Endpoints(), cty.StringVal
	return map[string]map[string]cty.Value{
		string(GlobFax): {
			"endpoint":     text(at.GlobFax),
			"api_key":      text(s.creds.GlobFaxKey),
			"api_secret":   text(s.creds.GlobFaxSecret),
			"min_interval": text(floor),
		},
		string(Itniotech): {
			"endpoint":     text(at.Itniotech),
			"api_key":      text(s.creds.ItniotechKey),
			"api_secret":   text(s.creds.ItniotechSecret),
			"min_interval": text(floor),
		},
		string(UCloud): {
			"endpoint":    text(at.UCloud),
			"public_key":  text(s.creds.UCloudPublicKey),
			"private_key": text(s.creds.UCloudPrivateKey),
		},
		string(NXCloud): {
			"callback": cty.ObjectVal(map[string]cty.Value{
				"tokens":        cty.ListVal([]cty.Value{text(s.creds.NXCloudToken)}),
				"allowed_cidrs": cty.ListValEmpty(cty.String),
			}),
		},
	}
}

// ByProvider are the endpoints by the names of their providers.
func (e Endpoints) ByProvider() map[string]string {
	return map[string]string{string(GlobFax): e.GlobFax, string(Itniotech): e.Itniotech, string(UCloud): e.UCloud}
}

// CallbackPath is where a receiver takes pushes for an account, with the token
// that is right here.
func (s *Server) CallbackPath(account string) string {
	return "/callbacks/" + account + "/" + s.creds.NXCloudToken
}
