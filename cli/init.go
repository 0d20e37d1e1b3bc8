package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
)

func initCommand() *command {
	return &command{
		name:    "init",
		summary: "Write a starting configuration into an empty directory",
		detail:  "Elsewhere nothing is needed: there are no plugins to fetch, and the state is made by the first apply.",
		example: "mkdir faxes && cd faxes && waybill init\nwaybill plan -sandbox",
		run: func(_ context.Context, p *program, _ []string) int {
			entries, err := os.ReadDir(".")
			if err != nil {
				return p.fail(fmt.Errorf("read directory: %w", err))
			}
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), ".") {
					p.view.Line("Nothing is needed here: run waybill plan.")
					return exitOK
				}
			}
			const name = "main.wb.hcl"
			if err := os.WriteFile(name, []byte(startingConfiguration), 0o644); err != nil {
				return p.fail(fmt.Errorf("write starting configuration: %w", err))
			}
			p.view.Line("Wrote " + name + ".")
			p.view.Line("")
			p.view.Line("Try it without credentials: waybill plan -sandbox")
			return exitOK
		},
	}
}

// startingConfiguration is what init writes.
const startingConfiguration = `# A starting configuration. Try it without credentials:
#
#   waybill plan -sandbox
#   waybill agent -sandbox

waybill {
  backend "sqlite" {
    path = "waybill.db"
  }
}

provider "globfax" {
  api_key    = env("GLOBFAX_API_KEY")
  api_secret = env("GLOBFAX_API_SECRET")
}

resource "globfax_recipient" "example" {
  rcpt_ref = "rcpt_example_1"

  expect "delivered" {
    condition     = self.outcome == "succeeded"
    within        = "30m"
    error_message = "the fax did not arrive: ${self.reason}"
  }
}

output "fax_status" {
  value = globfax_recipient.example.status
}
`
