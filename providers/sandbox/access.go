package sandbox

import "strings"

// Vendor is one of the four.
type Vendor string

// The vendors.
const (
	GlobFax   Vendor = "globfax"
	Itniotech Vendor = "itniotech"
	UCloud    Vendor = "ucloud"
	NXCloud   Vendor = "nxcloud"
)

// Credentials are what the sandbox holds for right.
type Credentials struct {
	GlobFaxKey       string `json:"globfax_api_key"`
	GlobFaxSecret    string `json:"globfax_api_secret"`
	ItniotechKey     string `json:"itniotech_api_key"`
	ItniotechSecret  string `json:"itniotech_api_secret"`
	ItniotechAppID   string `json:"itniotech_app_id"`
	UCloudPublicKey  string `json:"ucloud_public_key"`
	UCloudPrivateKey string `json:"ucloud_private_key"`
	UCloudProjectID  string `json:"ucloud_project_id"`
	NXCloudToken     string `json:"nxcloud_callback_token"` // not checked here: it belongs in the callback URL
}

// DefaultCredentials are fixed and plainly no real ones.
var DefaultCredentials = Credentials{
	GlobFaxKey:       "sandbox-globfax-key",
	GlobFaxSecret:    "sandbox-globfax-not-a-secret",
	ItniotechKey:     "sandbox-itniotech-key",
	ItniotechSecret:  "sandbox-itniotech-not-a-secret",
	ItniotechAppID:   "sandbox-app",
	UCloudPublicKey:  "sandbox-ucloud-public-key",
	UCloudPrivateKey: "sandbox-ucloud-not-a-private-key",
	UCloudProjectID:  "org-sandbox",
	NXCloudToken:     "sandbox-nxcloud-not-a-token",
}

// Env is the credentials as the environment variables from which a
// configuration reads them.
func (c Credentials) Env() map[string]string {
	return map[string]string{
		"GLOBFAX_API_KEY":        c.GlobFaxKey,
		"GLOBFAX_API_SECRET":     c.GlobFaxSecret,
		"ITNIOTECH_API_KEY":      c.ItniotechKey,
		"ITNIOTECH_API_SECRET":   c.ItniotechSecret,
		"UCLOUD_PUBLIC_KEY":      c.UCloudPublicKey,
		"UCLOUD_PRIVATE_KEY":     c.UCloudPrivateKey,
		"NXCLOUD_CALLBACK_TOKEN": c.NXCloudToken,
	}
}

// Endpoints are the endpoint arguments with which providers reach a sandbox.
// NXCLOUD has none: it is the one who calls.
type Endpoints struct {
	GlobFax   string `json:"globfax"`
	Itniotech string `json:"itniotech"`
	UCloud    string `json:"ucloud"`
}

// MemoryBaseURL is the base URL of a sandbox that is reached by Transport: it
// resolves to nothing, so that a request which misses the transport fails.
const MemoryBaseURL = "https://sandbox.invalid"

// EndpointsAt are the endpoints of a sandbox with that base URL.
func EndpointsAt(base string) Endpoints {
	base = strings.TrimSuffix(base, "/")
	return Endpoints{
		GlobFax:   base + "/globfax",
		Itniotech: base + "/itniotech/otp",
		UCloud:    base + "/ucloud/",
	}
}

// Endpoints are those of this sandbox: of its listener once Start was called,
// else of Transport.
func (s *Server) Endpoints() Endpoints {
	s.listen.Lock()
	defer s.listen.Unlock()
	if s.base == "" {
		return EndpointsAt(MemoryBaseURL)
	}
	return EndpointsAt(s.base)
}

// Credentials are those that are right here.
func (s *Server) Credentials() Credentials { return s.creds }

// Access is everything that a program needs to reach a sandbox.
type Access struct {
	Credentials Credentials       `json:"credentials"`
	Env         map[string]string `json:"env"`
	Endpoints   Endpoints         `json:"endpoints"`
}
