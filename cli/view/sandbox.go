package view

import (
	"maps"
	"slices"
)

// Sandbox is where a sandbox listens and what is right there; its credentials are
// no secrets.
type Sandbox struct {
	Base      string
	Endpoints map[string]string // by provider
	Environ   map[string]string
}

// Sandbox prints where a sandbox listens and how to use it.
func (v *View) Sandbox(s Sandbox) {
	out := v.Out
	out.printf("Sandbox listening at %s\n\n", s.Base)
	out.println("In the configuration:\n")
	for _, provider := range slices.Sorted(maps.Keys(s.Endpoints)) {
		out.printf("  provider %q {\n    endpoint = %q\n  }\n", provider, s.Endpoints[provider])
	}
	out.println("\nIn the environment:\n")
	for _, name := range slices.Sorted(maps.Keys(s.Environ)) {
		out.printf("  export %s=%s\n", name, s.Environ[name])
	}
	out.printf("\nControl: %s/control/ (see GET /control/account). Stop with Ctrl-C.\n", s.Base)
	_ = out.Flush()
}
