package cli

import (
	"slices"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// showSandbox prints where a sandbox listens and how to use it. Its credentials
// are no secrets.
func (p *program) showSandbox(base string, server *sandbox.Server) {
	out := p.out
	at, env := server.Endpoints(), server.Credentials().Env()
	out.printf("Sandbox listening at %s\n\n", base)
	out.println("In the configuration:\n")
	for _, e := range []struct{ provider, endpoint string }{{"globfax", at.GlobFax}, {"itniotech", at.Itniotech}, {"ucloud", at.UCloud}} {
		out.printf("  provider %q {\n    endpoint = %q\n  }\n", e.provider, e.endpoint)
	}
	out.println("\nIn the environment:\n")
	var names []string
	for name := range env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		out.printf("  export %s=%s\n", name, env[name])
	}
	out.printf("\nControl: %s/control/ (see GET /control/account). Stop with Ctrl-C.\n", base)
	_ = out.Flush()
}
