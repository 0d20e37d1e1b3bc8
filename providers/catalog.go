package providers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/plan"
)

// Catalog finds the vendor and the schema of a resource type. Its maps are made
// once and only read.
type Catalog struct {
	Types   map[string]*plan.Type  // by resource type
	Vendors map[string]*Definition // by resource type
	byName  map[string]*Definition // by provider name
}

// NewCatalog makes the catalog of these vendors.
func NewCatalog(definitions []*Definition) Catalog {
	c := Catalog{
		Types:   make(map[string]*plan.Type),
		Vendors: make(map[string]*Definition),
		byName:  make(map[string]*Definition),
	}
	for _, d := range definitions {
		c.byName[d.Schema.Provider] = d
		for _, t := range d.Schema.Types {
			c.Types[t.Name] = t
			c.Vendors[t.Name] = d
		}
	}
	return c
}

// TypeOf finds an item's type; a state may hold types that this program lacks.
func (c Catalog) TypeOf(name string) (*plan.Type, error) {
	t, ok := c.Types[name]
	if !ok {
		return nil, fmt.Errorf("resource type %s is not known to this version of Waybill: upgrade, or remove it with 'waybill state rm'", name)
	}
	return t, nil
}

// OfAccount finds the vendor of an account by the account's name, which is the
// provider's up to the alias.
func (c Catalog) OfAccount(account string) (*Definition, bool) {
	provider, _, _ := strings.Cut(account, ".")
	d, ok := c.byName[provider]
	return d, ok
}

// CountedType is the record type that the vendor's pulls or pushes are of, "" for
// a vendor that is polled.
func (d *Definition) CountedType() string {
	for _, t := range d.Schema.Types {
		if t.Kind == plan.Counted {
			return t.Name
		}
	}
	return ""
}

// Account is a provider block and its live connection.
type Account struct {
	plan.Account
	*Connection
	Vendor *Definition
}

// Connect makes a connection for every provider block; no network call is made.
func (c Catalog) Connect(accounts []plan.Account, options Options) (map[string]*Account, error) {
	live := make(map[string]*Account, len(accounts))
	for _, a := range accounts {
		vendor, ok := c.byName[a.Provider]
		if !ok {
			return nil, fmt.Errorf("provider %s is not known to this version of Waybill", a.Provider)
		}
		if len(a.Missing) > 0 {
			missing := errors.New(a.Missing[0].Summary + ": " + a.Missing[0].Detail)
			live[a.Name] = &Account{Account: a, Connection: unconnectedTo(a.Config, options.Now, missing), Vendor: vendor}
			continue
		}
		connection, err := vendor.Connect(a.Config, options)
		if err != nil {
			return nil, fmt.Errorf("provider %s: %w", a.Name, err)
		}
		live[a.Name] = &Account{Account: a, Connection: connection, Vendor: vendor}
	}
	return live, nil
}
