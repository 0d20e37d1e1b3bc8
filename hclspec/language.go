package hclspec

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/waybill-dev/waybill/plan"
)

// language is what may be written, whatever a configuration declares: the
// vendors' schemas and types, and the functions.
type language struct {
	schemas map[string]*plan.Schema
	types   map[string]*resourceType
	funcs   map[string]function.Function
	static  *hcl.EvalContext // path and functions
}

func newLanguage(schemas []*plan.Schema) language {
	l := language{schemas: map[string]*plan.Schema{}, types: map[string]*resourceType{}}
	for _, schema := range schemas {
		l.schemas[schema.Provider] = schema
		for _, t := range schema.Types {
			l.types[t.Name] = &resourceType{Type: t, schema: schema, argsType: t.ArgsType(), values: t.ValuesType()}
		}
	}
	return l
}

// resourceType is a type with the schema that it belongs to.
type resourceType struct {
	*plan.Type
	schema   *plan.Schema
	argsType cty.Type
	values   cty.Type
}

// unread are the values of an instance of which nothing is known.
func (t *resourceType) unread() cty.Value { return cty.UnknownVal(t.values) }
