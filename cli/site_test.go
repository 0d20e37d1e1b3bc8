package cli_test

import (
	"testing"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// vendors starts the four vendors, and returns the environment that leads there
// and lets items be read again at once.
func vendors(t *testing.T, o sandbox.Options) (*sandbox.Server, map[string]string) {
	t.Helper()
	server, env := harness.Vendors(t, o)
	env["WAYBILL_VAR_min_interval"] = "1ms"
	return server, env
}

// newSite is a directory in which the test's own binary runs as waybill.
func newSite(t *testing.T, config string, env map[string]string) *harness.Site {
	t.Helper()
	return harness.NewSite(t, harness.Self(t), config, env)
}

// allVendors is a configuration with all four, and what each has.
const allVendors = harness.FourVendors + `
resource "globfax_recipient" "fax" {
  for_each = toset(["one", "fail-two"])
  rcpt_ref = each.key

  expect "delivered" {
    condition     = self.outcome == "succeeded"
    error_message = "the fax ${each.key} failed"
  }
}

resource "itniotech_otp_order" "login" {
  order_id = "1234566"
}

resource "ucloud_usms_report_pull" "main" {}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
  expected   = 2
}

resource "nxcloud_number_check" "january" {
  batch_no = "901946960376"
  expected = 250
}

output "statuses" {
  value = { for k, r in globfax_recipient.fax : k => r.status }
}

check "no_fax_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.fax : r.outcome != "failed"])
    error_message = "some faxes failed"
  }
}
`
