package hclspec

import (
	"context"
	"strings"
	"testing"
)

// The names of what is sensitive are not told, however it is reached.
func TestNamesOfSecretsAreNotTold(t *testing.T) {
	for _, expr := range []string{
		`var.secret.typo`,
		`var.secret["typo"]`,
		`[for r in var.secrets : r.typo]`,
		`{ for k, r in var.secrets : k => r["typo"] }`,
		`[for r in local.derived : "${r.typo}"]`,
		`[for r in jsondecode(env("SECRET")) : r.typo]`,
		`[for r in [jsondecode(env("SECRET"))[0]] : [for s in [r] : s.typo]]`,
		`[for r in sensitive([{ hidden_name = 1 }]) : r.typo]`,
		`"%{ for r in var.secrets }${r.typo}%{ endfor }"`,
		`var.secrets[*].typo`,
		`[for r in var.secrets : true if r.typo]`,
	} {
		opts := testOptions(writeDir(t, hclFile(`
variable "secret" {
  sensitive = true
  default   = { hidden_name = "x" }
}
variable "secrets" {
  sensitive = true
  default   = [{ hidden_name = "x" }]
}
locals {
  derived = concat(var.secrets, var.secrets)
}
output "o" {
  sensitive = true
  value     = `+expr+`
}
`)))
		opts.Environ = environ(map[string]string{"SECRET": `[{"hidden_name": 1}]`})
		c, diags := Load(opts)
		text := printed(c, c.Mistakes(context.Background(), diags))
		if !strings.Contains(text, "typo") {
			t.Errorf("%s is no mistake:\n%s", expr, text)
		}
		if strings.Contains(strings.ReplaceAll(text, "sensitive([{ hidden_name", ""), "hidden_name") {
			t.Errorf("%s tells a name of a secret:\n%s", expr, text)
		}
	}
}
