package hclspec

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

// Accounts are those of DeclaredAccounts, for whoever is about to read at all of
// them: credentials that are missing are mistakes.
func (c *Root) Accounts() ([]plan.Account, hcl.Diagnostics) {
	accounts, diags := c.DeclaredAccounts()
	for _, a := range accounts {
		diags = append(diags[:len(diags):len(diags)], a.Missing...)
	}
	return accounts, diags
}

// DeclaredAccounts are the provider blocks, and an implied one for each provider
// that a resource uses without a block, in the order of their names. Their values
// hold credentials: marks are taken off. Credentials that are missing stand in
// Account.Missing.
func (c *Root) DeclaredAccounts() ([]plan.Account, hcl.Diagnostics) {
	c.accountsOnce.Do(func() {
		providers := map[string]*provider{}
		for name, p := range c.providers {
			providers[name] = p
		}
		for _, block := range sortedKeys(c.module.resources) {
			r := c.module.resources[block]
			if providers[r.account] == nil && !strings.Contains(r.account, ".") {
				providers[r.account] = &provider{schema: r.typ.schema, account: r.account, implied: true, declared: r.declared,
					args: map[string]*hcl.Attribute{}, blocks: map[string]*providerBlock{}, refs: newReferences(), secret: map[string]bool{}}
			}
		}
		c.accountsByName = map[string]*plan.Account{}
		var diags hcl.Diagnostics
		for _, name := range sortedKeys(providers) {
			account, accountDiags := c.account(providers[name])
			account.Missing = c.clean(account.Missing)
			diags = append(diags, accountDiags...)
			c.accounts = append(c.accounts, account)
		}
		for i := range c.accounts {
			c.accountsByName[c.accounts[i].Name] = &c.accounts[i]
		}
		c.accountsDiags = c.clean(diags)
	})
	return append([]plan.Account(nil), c.accounts...), c.accountsDiags
}

// account evaluates one provider block.
func (c *Root) account(p *provider) (plan.Account, hcl.Diagnostics) {
	overrides := c.opts.Overrides[p.schema.Provider]
	values := map[string]cty.Value{}
	var diags hcl.Diagnostics
	for _, a := range p.schema.Arguments {
		v, argDiags := c.providerArgument(p, a, p.args[a.Name], override(overrides, a.Name))
		diags = append(diags, argDiags...)
		values[a.Name] = v
	}
	for _, b := range p.schema.Blocks {
		v, blockDiags := c.providerBlock(p, b, override(overrides, b.Name))
		diags = append(diags, blockDiags...)
		values[b.Name] = v
	}
	account := plan.Account{Name: p.account, Provider: p.schema.Provider, Origin: origin(p.declared)}
	diags, account.Missing = joinMissing(p, diags)
	if p.suspend != nil {
		v, suspendDiags := c.providerArgument(p, plan.Argument{Name: "suspend", Type: cty.Bool, Default: cty.False}, p.suspend, cty.NilVal)
		diags = append(diags, suspendDiags...)
		if v.IsKnown() && !v.IsNull() {
			account.Suspend = v.True()
		}
	}
	account.Config = cty.ObjectVal(values)
	account.Settings = p.settings(values, overrides, account.Suspend)
	if p.schema.Check != nil && !diags.HasErrors() {
		for _, problem := range p.schema.Check(account.Config) {
			diags = append(diags, mistake(problem.Summary, problem.Detail, p.rangeOf(problem.Argument).Ptr()))
		}
	}
	return account, diags
}

func override(values map[string]cty.Value, name string) cty.Value {
	if v, ok := values[name]; ok {
		return v
	}
	return cty.NilVal
}
