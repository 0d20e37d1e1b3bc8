waybill {
  required_version = ">= 0.1.0"
  backend "sqlite" { # the default; "postgres" { url = ... } (later)
    path = "waybill.db"
  }
}

agent {
  max_forget = "20%" # a reload that would forget more than this is refused (a count or a percentage)
  admin {
    listen = "127.0.0.1:8480" # web_config_file = "web.yml" for TLS and basic auth
  }
  receiver {
    listen = "127.0.0.1:8481"
  }
}

variable "invoices" {
  type    = string # default, description, sensitive, nullable and validation as in Terraform
  default = "faxes.csv"
}

locals {
  faxes = { for r in csvdecode(file(var.invoices)) : r.invoice => r }
}

provider "globfax" { # credentials default to GLOBFAX_API_KEY, GLOBFAX_API_SECRET, and so on for each vendor
  api_key    = env("GLOBFAX_API_KEY")
  api_secret = env("GLOBFAX_API_SECRET")
}

provider "itniotech" {
  alias      = "eu"
  api_key    = env("ITNIOTECH_API_KEY")
  api_secret = env("ITNIOTECH_API_SECRET")
  app_id     = "ad454212"
}

provider "ucloud" {
  public_key  = env("UCLOUD_PUBLIC_KEY")
  private_key = env("UCLOUD_PRIVATE_KEY")
  project_id  = "org-34"
}

provider "nxcloud" {
  callback {
    tokens        = [env("NXCLOUD_CALLBACK_TOKEN")] # several while one is being replaced; 16 characters at least
    allowed_cidrs = []                              # empty: any address
  }
}

resource "globfax_recipient" "invoice" {
  for_each = local.faxes
  rcpt_ref = each.value.rcpt_ref

  poll {
    interval      = "60s"
    max_interval  = "15m"
    give_up_after = "72h"
  }

  expect "delivered" {
    condition     = self.status == "success"
    within        = "30m"
    error_message = "fax ${each.key}: ${coalesce(self.failed_reason, "no result yet")}"
  }
}

resource "itniotech_otp_order" "login" {
  provider = itniotech.eu
  order_id = "1234566"
}

resource "ucloud_usms_report_pull" "main" {
  interval = "1m"
  limit    = 100
}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
  expected   = 2
}

resource "nxcloud_number_check" "january" {
  batch_no = "901946960376"
  expected = 250
}

output "fax_cost" {
  value = sum([for r in globfax_recipient.invoice : r.charged_amount if r.charged_amount != null])
}

check "no_fax_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.invoice : r.outcome != "failed"])
    error_message = "some faxes failed"
  }
}

moved {
  from = globfax_recipient.invoices
  to   = globfax_recipient.invoice
}

removed { # these may go, however many they are
  from = globfax_recipient.old_campaign
}
