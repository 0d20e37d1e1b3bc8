package hclspec

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
)

func accountsOf(t *testing.T, c *Root) map[string]plan.Account {
	t.Helper()
	accounts, diags := c.Accounts()
	noErrors(t, c, diags)
	byName := map[string]plan.Account{}
	for _, a := range accounts {
		byName[a.Name] = a
	}
	return byName
}

func TestAccounts(t *testing.T) {
	c := mustLoad(t, hclFile(`
provider "itniotech" {
  alias   = "eu"
  api_key = env("EU_KEY", "fallback-key")
  suspend = true
}
resource "itniotech_otp_order" "a" {
  provider = itniotech.eu
  order_id = "1"
}
resource "globfax_recipient" "a" {
  rcpt_ref = "1"
}
resource "nxcloud_number_check" "a" {
  batch_no = "1"
}
`))
	accounts := accountsOf(t, c)
	if len(accounts) != 3 {
		t.Fatalf("accounts %v", accounts)
	}
	eu := accounts["itniotech.eu"]
	if eu.Provider != "itniotech" || !eu.Suspend || eu.Config.ContainsMarked() {
		t.Errorf("%+v", eu)
	}
	for name, want := range map[string]string{"api_key": "fallback-key", "api_secret": "itniotech-secret-1", "timeout": "30s"} {
		if got := eu.Config.GetAttr(name).AsString(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !eu.Config.GetAttr("app_id").IsNull() {
		t.Error("app_id has a value")
	}
	if got := accounts["globfax"].Config.GetAttr("api_key").AsString(); got != "globfax-key-1" {
		t.Errorf("implied account's key %q", got)
	}
	callback := accounts["nxcloud"].Config.GetAttr("callback")
	if callback.GetAttr("tokens").LengthInt() != 1 || callback.GetAttr("tokens").Index(cty.Zero).AsString() != "nxcloud-token-0123456789" {
		t.Error("the callback token did not come from the environment")
	}
}

// The sandbox's values replace what the blocks say, which is not evaluated:
// no real credential is needed, or read.
func TestOverrides(t *testing.T) {
	opts := testOptions(writeDir(t, hclFile(`
provider "globfax" {
  api_key    = env("REAL_KEY")
  api_secret = file("missing.txt")
  endpoint   = "https://api.globfax.com"
}
provider "nxcloud" {
  callback {
    tokens        = [env("REAL_TOKEN")]
    allowed_cidrs = ["203.0.113.0/24"]
  }
}
resource "globfax_recipient" "a" {
  rcpt_ref = "1"
}
resource "itniotech_otp_order" "a" {
  order_id = "1"
}
`)))
	opts.Environ = func(name string) (string, bool) {
		if name != "" && !strings.HasPrefix(name, "WAYBILL_VAR_") {
			t.Errorf("the environment variable %s was read", name)
		}
		return "", false
	}
	text := func(s string) cty.Value { return cty.StringVal(s) }
	opts.Overrides = map[string]map[string]cty.Value{
		"globfax":   {"api_key": text("sandbox-key"), "api_secret": text("sandbox-secret"), "endpoint": text("https://127.0.0.1:1")},
		"itniotech": {"api_key": text("sandbox-key"), "api_secret": text("sandbox-secret")},
		"nxcloud": {"callback": cty.ObjectVal(map[string]cty.Value{
			"tokens": cty.ListVal([]cty.Value{text("sandbox-token-0123456789")}), "allowed_cidrs": cty.ListValEmpty(cty.String)})},
	}
	c := mustLoadOptions(t, opts)
	accounts := accountsOf(t, c)
	if got := accounts["globfax"].Config.GetAttr("endpoint").AsString(); got != "https://127.0.0.1:1" {
		t.Errorf("endpoint %q", got)
	}
	callback := accounts["nxcloud"].Config.GetAttr("callback")
	if callback.GetAttr("tokens").Index(cty.Zero).AsString() != "sandbox-token-0123456789" || callback.GetAttr("allowed_cidrs").LengthInt() != 0 {
		t.Errorf("callback %#v", callback)
	}
}

func TestOfflineNeedsNoCredentials(t *testing.T) {
	opts := testOptions("testdata/good/product")
	opts.Environ, opts.Offline = nil, true
	c, diags := judgeAll(opts, nil)
	noErrors(t, c, diags)
	accounts := accountsOf(t, c)
	if accounts["globfax"].Config.GetAttr("api_key").IsKnown() {
		t.Error("an unset credential is known")
	}
	opts.Offline = false
	_, diags = judgeAll(opts, nil)
	if got := len(diags.Errs()); got != 4 {
		t.Errorf("%d mistakes, want one for each account that misses credentials:\n%s", got, printed(c, diags))
	}
}

func TestFloorRaisesTheDefaultInterval(t *testing.T) {
	c := mustLoad(t, hclFile(`
provider "globfax" {
  min_interval = "2h"
}
resource "globfax_recipient" "a" {
  rcpt_ref = "1"
}
`))
	d := waves(t, c, c.NewEvaluation(nil))[0].Desired[0]
	if !strings.Contains(string(d.Args), `"poll":{"interval":"2h","max_interval":"2h"}`) {
		t.Errorf("arguments %s", d.Args)
	}
}

func TestSettings(t *testing.T) {
	c, diags := Load(testOptions(writeDir(t, hclFile(`
waybill {
  required_version = ">= 0.1.0, < 2.0"
  backend "sqlite" {
    path = "state/w.db"
  }
}
agent {
  max_forget = 5
  receiver {
    listen          = "0.0.0.0:8481"
    web_config_file = "web.yml"
    insecure        = true
  }
}
resource "globfax_recipient" "a" {
  rcpt_ref = var.nope
}
`))))
	if !diags.HasErrors() {
		t.Error("the undeclared variable was not found")
	}
	s, diags := c.Settings()
	noErrors(t, c, diags)
	if s.BackendPath != "state/w.db" || s.MaxForget.String() != "5" || s.Admin.Listen != DefaultAdminListen ||
		s.Receiver != (Listener{Listen: "0.0.0.0:8481", WebConfigFile: "web.yml", Insecure: true}) {
		t.Errorf("%+v", s)
	}
	for current, fine := range map[string]bool{"0.1.0": true, "0.1.0-dev": true, "2.0.0": false, "0.0.9": false} {
		if got := !c.checkVersion(current).HasErrors(); got != fine {
			t.Errorf("version %s: %v", current, got)
		}
	}
}

func TestForgetLimit(t *testing.T) {
	for _, tc := range []struct {
		text            string
		forget, tracked int
		allowed         bool
	}{
		{"20%", 2, 10, true}, {"20%", 3, 10, false}, {"20%", 1, 1, true}, {"0%", 1, 100, true}, {"0", 2, 100, false},
		{"5", 5, 5, true}, {"5", 6, 1000, false}, {"100%", 10, 10, true}, {"2.5%", 25, 1000, true}, {"2.5%", 26, 1000, false},
	} {
		u, err := ParseForgetLimit(tc.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Allows(tc.forget, tc.tracked); got != tc.allowed {
			t.Errorf("%s of %d allows %d: %v", tc.text, tc.tracked, tc.forget, got)
		}
	}
	for _, bad := range []string{"", "%", "-1", "-1%", "101%", "1/2%", "1e1%", "many", "1.5"} {
		if _, err := ParseForgetLimit(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
