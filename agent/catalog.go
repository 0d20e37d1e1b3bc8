package agent

import (
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
)

// catalog finds the vendor and the schema of a resource type.
type catalog struct {
	types   map[string]*plan.Type
	vendors map[string]*providers.Definition // by resource type
	byName  map[string]*providers.Definition // by provider name
}

func newCatalog(definitions []*providers.Definition) catalog {
	c := catalog{
		types:   make(map[string]*plan.Type),
		vendors: make(map[string]*providers.Definition),
		byName:  make(map[string]*providers.Definition),
	}
	for _, d := range definitions {
		c.byName[d.Schema.Provider] = d
		for _, t := range d.Schema.Types {
			c.types[t.Name] = t
			c.vendors[t.Name] = d
		}
	}
	return c
}

// typeOf finds an item's type; a state may hold types that this program lacks.
func (c catalog) typeOf(name string) (*plan.Type, error) {
	t, ok := c.types[name]
	if !ok {
		return nil, fmt.Errorf("resource type %s is not known to this version of Waybill: upgrade, or remove it with 'waybill state rm'", name)
	}
	return t, nil
}

// countedType is the record type that a vendor's pulls or pushes are of.
func countedType(d *providers.Definition) string {
	for _, t := range d.Schema.Types {
		if t.Kind == plan.Counted {
			return t.Name
		}
	}
	return ""
}
