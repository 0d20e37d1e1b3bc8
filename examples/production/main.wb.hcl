# What a company runs: two accounts at one vendor, data from CSV files that
# another job writes, expectations that page somebody, and guards against a
# merge that forgets too much.

waybill {
  required_version = ">= 0.1.0"

  backend "sqlite" {
    path = "waybill.db"
  }
}

agent {
  max_forget = "5%"

  admin {
    listen = "127.0.0.1:8480"
  }
  receiver {
    listen = "127.0.0.1:8481" # behind a proxy with TLS
  }
}

variable "month" {
  type        = string
  description = "The month whose faxes are tracked, such as 2026-01."

  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}$", var.month))
    error_message = "Write the month as 2026-01."
  }
}

variable "fax_price" {
  type        = number
  description = "What a page may cost at most, in CNY."
  default     = 0.6
}

locals {
  faxes  = { for r in csvdecode(file("data/faxes-${var.month}.csv")) : r.invoice => r }
  orders = csvdecode(file("data/otp-orders.csv"))
}
