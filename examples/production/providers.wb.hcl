# Credentials are read from the environment and never stored.

provider "globfax" {
  api_key             = env("GLOBFAX_API_KEY")
  api_secret          = env("GLOBFAX_API_SECRET")
  requests_per_second = 5
}

# Two accounts at one vendor: resources name the one they mean.
provider "itniotech" {
  alias      = "eu"
  api_key    = env("ITNIOTECH_EU_API_KEY")
  api_secret = env("ITNIOTECH_EU_API_SECRET")
  app_id     = "ad454212"
}

provider "itniotech" {
  alias      = "us"
  api_key    = env("ITNIOTECH_US_API_KEY")
  api_secret = env("ITNIOTECH_US_API_SECRET")
  app_id     = "bc118800"
}

provider "ucloud" {
  public_key  = env("UCLOUD_PUBLIC_KEY")
  private_key = env("UCLOUD_PRIVATE_KEY")
  project_id  = "org-34"
}

provider "nxcloud" {
  callback {
    # Two while one is being replaced.
    tokens = [env("NXCLOUD_CALLBACK_TOKEN"), env("NXCLOUD_CALLBACK_TOKEN_NEXT")]
  }
}
