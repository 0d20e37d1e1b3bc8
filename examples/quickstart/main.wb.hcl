# All four systems against the sandbox, without credentials:
#
#   go run . -chdir=examples/quickstart agent -sandbox
#
# Within a minute each of them has moved something from pending to settled.

# A vendor is a provider block. Credentials come from the environment; -sandbox
# brings its own, and endpoints of its own.
provider "globfax" {
  api_key    = env("GLOBFAX_API_KEY")
  api_secret = env("GLOBFAX_API_SECRET")
}

provider "itniotech" {
  app_id = "ad454212"
}

provider "ucloud" {
  project_id = "org-34"
}

provider "nxcloud" {
  callback {
    tokens = [env("NXCLOUD_CALLBACK_TOKEN")]
  }
}

# GlobFax is polled: one read per recipient until it settles.
resource "globfax_recipient" "invoice" {
  for_each = local.faxes
  rcpt_ref = each.value.rcpt_ref

  poll {
    interval     = "30s"
    max_interval = "1m"
  }

  expect "delivered" {
    condition     = self.status == "success"
    within        = "30m"
    error_message = "fax ${each.key}: ${coalesce(self.failed_reason, "no result yet")}"
  }
}

locals {
  faxes = { for r in csvdecode(file("faxes.csv")) : r.invoice => r }
}

# itniotech is polled too: the order of a one-time password.
resource "itniotech_otp_order" "login" {
  for_each = toset(["1234566", "1234567"])
  order_id = each.key

  poll {
    interval     = "30s"
    max_interval = "1m"
  }
}

# UCloud is pulled: it deletes what it returns. The policy pulls, the messages wait.
resource "ucloud_usms_report_pull" "main" {
  interval = "10s"
}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
  expected   = 3
}

# NXCLOUD pushes: the agent's receiver takes its callbacks.
resource "nxcloud_number_check" "january" {
  batch_no = "901946960376"
  expected = 25
}

output "fax_cost" {
  description = "What the faxes cost so far, failures included, in CNY."
  value       = sum(concat([0], [for r in globfax_recipient.invoice : r.charged_amount if r.charged_amount != null]))
}

check "numbers_are_good" {
  assert {
    condition     = nxcloud_number_check.january.failed == 0
    error_message = "${nxcloud_number_check.january.failed} numbers failed the check"
  }
}
