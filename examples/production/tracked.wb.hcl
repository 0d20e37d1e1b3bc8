resource "globfax_recipient" "invoice" {
  for_each = local.faxes
  rcpt_ref = each.value.rcpt_ref

  poll {
    interval     = "60s"
    max_interval = "15m"
  }
  give_up_after = "72h"

  lifecycle {
    prevent_forget = true
  }

  expect "delivered" {
    condition     = self.status == "success"
    within        = "30m"
    error_message = "fax ${each.key}: ${coalesce(self.failed_reason, "no result yet")}"
  }

  expect "charged_as_agreed" {
    condition     = !self.charge_mismatch && self.unit_price <= var.fax_price
    error_message = "fax ${each.key}: charged ${self.charged_amount} for ${self.page_count} pages at ${self.unit_price}"
  }
}

resource "itniotech_otp_order" "eu" {
  for_each = { for o in local.orders : o.order_id => o if o.region == "eu" }
  provider = itniotech.eu
  order_id = each.key
}

resource "itniotech_otp_order" "us" {
  for_each  = { for o in local.orders : o.order_id => o if o.region == "us" }
  provider  = itniotech.us
  order_id  = each.key
  valid_for = "5m"
}

resource "ucloud_usms_report_pull" "main" {
  interval = "1m"
  limit    = 200
}

resource "ucloud_usms_message" "promo" {
  count      = 3
  session_no = "promo-${var.month}-${count.index}"
  expected   = 150

  expect "most_arrive" {
    condition     = self.received < 150 || self.succeeded >= 140
    error_message = "only ${self.succeeded} of ${self.received} messages arrived"
  }
}

resource "nxcloud_number_check" "batch" {
  batch_no = "901946960376"
  expected = 250
}

# The block was called "invoices" last year.
moved {
  from = globfax_recipient.invoices
  to   = globfax_recipient.invoice
}

# These may go, however many they are.
removed {
  from = globfax_recipient.old_campaign
}

output "fax_cost_cny" {
  value = sum(concat([0], [for r in globfax_recipient.invoice : r.charged_amount if r.charged_amount != null]))
}

output "otp_cost" {
  description = "What verified orders cost, by account."
  value = {
    eu = sum(concat([0], [for o in itniotech_otp_order.eu : o.cost if o.cost != null]))
    us = sum(concat([0], [for o in itniotech_otp_order.us : o.cost if o.cost != null]))
  }
}

output "number_check_costs" {
  value = nxcloud_number_check.batch.costs
}

check "no_fax_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.invoice : r.outcome != "failed"])
    error_message = "some faxes failed: see 'waybill history'"
  }
}
