package harness

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/agent/source"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/globfax"
	"github.com/waybill-dev/waybill/providers/itniotech"
	"github.com/waybill-dev/waybill/providers/nxcloud"
	"github.com/waybill-dev/waybill/providers/ucloud"
)

// Catalog is every vendor that the program knows; a test beside main.go holds it
// equal to the program's own.
func Catalog() []*providers.Definition {
	return []*providers.Definition{globfax.Definition(), itniotech.Definition(), nxcloud.Definition(), ucloud.Definition()}
}

// Load loads a configuration in this process, with an environment of its own.
func Load(s *source.Snapshot, env map[string]string) (*hclspec.Root, hcl.Diagnostics) {
	var schemas []*plan.Schema
	for _, d := range Catalog() {
		schemas = append(schemas, d.Schema)
	}
	return hclspec.Load(hclspec.Options{Dir: s.Dir(), Files: s, Schemas: schemas, Environ: func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}})
}
