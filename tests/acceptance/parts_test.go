package acceptance

import (
	"strings"
	"testing"
)

// No command prints a part of a secret, whatever a configuration does with it:
// what each writes to its two streams is read here, so that a library's own log
// would be seen too.
func TestNoCommandTellsAPartOfASecret(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"a loop over parts":      `[for k in split(",", env("TOKENS")) : tonumber(k)]`,
		"a key of parts":         `{ for k in concat(split(",", env("TOKENS")), split(",", env("TOKENS"))) : k => 1 }`,
		"a loop in a text":       `"%{ for k in split(",", env("TOKENS")) }${tonumber(k)}%{ endfor }"`,
		"a part":                 `tonumber(split(",", env("TOKENS"))[0])`,
		"what cannot be decoded": `base64decode(env("SECRET64"))`,
		"what is tried":          `try(base64decode(env("SECRET64")), "not text")`,
		"a part that is tried":   `try(tonumber(split(",", env("TOKENS"))[0]), 1)`,
		"a loop over a variable": `[for k in var.list : tonumber(k)]`,
		"a check's message":      `"x"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, `
variable "list" {
  type      = list(string)
  sensitive = true
}

locals {
  value = `+value+`
}

output "o" {
  value     = local.value
  sensitive = true
}

check "parts" {
  assert {
    condition     = length(var.list) == 0
    error_message = "these: ${join(" ", [for k in var.list : "<${k}>"])}"
  }
}
`, map[string]string{"TOKENS": "hunter2-A,hunter2-B", "SECRET64": "aHVudGVyMi1zZWNyZXT/", "WAYBILL_VAR_list": `["hunter2-C"]`, "WAYBILL_LOG": "debug"})
			for _, args := range [][]string{
				{"validate"}, {"validate", "-json"}, {"plan", "-refresh=false"}, {"plan", "-json", "-refresh=false"}, {"apply", "-auto-approve"},
				{"apply", "-auto-approve", "-json"}, {"output"}, {"output", "-json"}, {"show", "-json"}, {"history"},
			} {
				ran := s.Run(args...)
				if strings.Contains(ran.Stdout+ran.Stderr, "hunter2") && args[0] != "output" {
					t.Errorf("%q prints:\n%s%s", args, ran.Stdout, ran.Stderr)
				}
			}
			for _, args := range [][]string{{"agent"}} {
				if !strings.Contains(value, "try(") && value != `"x"` { // it would go on
					if ran := s.Run(args...); strings.Contains(ran.Stdout+ran.Stderr, "hunter2") || ran.Code != 1 {
						t.Errorf("%q ends with %d and prints:\n%s%s", args, ran.Code, ran.Stdout, ran.Stderr)
					}
				}
			}
		})
	}
}
