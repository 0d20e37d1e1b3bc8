package hclspec

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/functions"
	"github.com/waybill-dev/waybill/plan"
)

// noteSecret remembers a sensitive argument's texts, which are then shown in
// no diagnostic.
func (c *Root) noteSecret(a plan.Argument, v cty.Value) {
	if a.Sensitive {
		collectSecrets(v, c.read.secret)
	}
}

// missing marks the diagnostic of a provider argument whose environment variable
// is not set: joinMissing makes one of those of an account.
type missing struct{ argument, variable string }

// missingArgument is the diagnostic of one such argument.
func missingArgument(a plan.Argument, variable string, at *hcl.Range) *hcl.Diagnostic {
	d := mistake("Missing credentials", fmt.Sprintf("The environment variable %s is not set.", variable), at)
	d.Extra = missing{a.Name, variable}
	return d
}

// missingVariables makes of env()'s complaints in an argument of a provider
// block complaints about the argument.
func missingVariables(diags hcl.Diagnostics, a plan.Argument, at *hcl.Range) hcl.Diagnostics {
	for i, d := range diags {
		if variable, ok := functions.MissingVariable(d); ok {
			diags[i] = missingArgument(a, variable, at)
		}
	}
	return diags
}

// joinMissing takes the missing credentials out of the diagnostics of an account
// and makes one of them.
func joinMissing(p *provider, diags hcl.Diagnostics) (others, credentials hcl.Diagnostics) {
	var arguments, variables []string
	var at *hcl.Range
	for _, d := range diags {
		m, ok := d.Extra.(missing)
		if !ok {
			others = append(others, d)
			continue
		}
		if at == nil {
			at = d.Subject
		}
		arguments = append(arguments, m.argument)
		if !slices.Contains(variables, m.variable) {
			variables = append(variables, m.variable)
		}
	}
	if len(arguments) == 0 {
		return others, nil
	}
	s := ""
	if len(variables) > 1 {
		s = "s"
	}
	detail := fmt.Sprintf("The provider %q needs %s: set the environment variable%s %s, or write the value into the provider's block.",
		p.account, listWords(arguments), s, listWords(variables))
	if p.implied {
		detail += " It has no provider block; this resource uses it."
	}
	return others, hcl.Diagnostics{mistake("Missing credentials", detail+" To try a configuration without credentials, run the command with -sandbox.", at)}
}
