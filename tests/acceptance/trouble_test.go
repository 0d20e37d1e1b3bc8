package acceptance

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// oneOfEach declares something at each vendor that settles at its first read.
const oneOfEach = harness.FourVendors + `
resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"
}

resource "itniotech_otp_order" "login" {
  order_id = "1234566"
}

resource "ucloud_usms_report_pull" "main" {}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
}
`

var polledOrPulled = map[sandbox.Vendor]string{
	sandbox.GlobFax:   "globfax_recipient.fax",
	sandbox.Itniotech: "itniotech_otp_order.login",
	sandbox.UCloud:    "ucloud_usms_message.promo",
}

// describe makes what oneOfEach declares, settled already.
func describe(t *testing.T, server *sandbox.Server) {
	t.Helper()
	for _, err := range []error{
		server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: -1}),
		server.AddOrder(sandbox.Order{ID: "1234566", Outcome: "verified", SettleAfter: -1}),
		server.AddSend(sandbox.Send{SessionNo: "d0aa6c6e", Project: "org-34", Count: 1, Outcomes: []string{"success"}, SettleAfter: -1}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Trouble at one vendor is told clearly, and the others are recorded all the same.
func TestTroubleAtOneVendorLeavesTheOthersUnharmed(t *testing.T) {
	t.Parallel()
	wrong := func(name string) func(*testing.T, *harness.Site, *sandbox.Server) {
		return func(_ *testing.T, s *harness.Site, _ *sandbox.Server) { s.Env[name] = "canary-of-a-wrong-credential" }
	}
	fault := func(f sandbox.Fault) func(*testing.T, *harness.Site, *sandbox.Server) {
		return func(t *testing.T, s *harness.Site, server *sandbox.Server) {
			if _, err := server.AddFault(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		harm  func(*testing.T, *harness.Site, *sandbox.Server)
		at    sandbox.Vendor
		code  int
		words []string
	}{
		{"wrong GlobFax secret", wrong("GLOBFAX_API_SECRET"), sandbox.GlobFax, 1, []string{"globfax", "refuse", "credentials", "GLOBFAX_API_KEY"}},
		{"wrong itniotech secret", wrong("ITNIOTECH_API_SECRET"), sandbox.Itniotech, 1, []string{"itniotech", "refuse", "credentials"}},
		{"wrong UCloud key", wrong("UCLOUD_PRIVATE_KEY"), sandbox.UCloud, 1, []string{"ucloud", "refuse", "credentials"}},
		{"a skewed clock", fault(sandbox.Fault{Vendor: sandbox.Itniotech, Kind: sandbox.Skew, Skew: sandbox.Duration(time.Hour)}),
			sandbox.Itniotech, 1, []string{"itniotech_otp_order.login", "-16", "clock"}},
		{"an HTML answer", fault(sandbox.Fault{Vendor: sandbox.GlobFax, Kind: sandbox.HTML}),
			sandbox.GlobFax, 0, []string{"globfax_recipient.fax", "a web page and not JSON"}},
		{"an HTML answer to a pull", fault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.HTML}),
			sandbox.UCloud, 0, []string{"ucloud_usms_report_pull.main", "a web page and not JSON"}},
		{"an answer of another", fault(sandbox.Fault{Vendor: sandbox.GlobFax, Kind: sandbox.WrongID}),
			sandbox.GlobFax, 0, []string{"globfax_recipient.fax", "another"}},
		{"a cut answer", fault(sandbox.Fault{Vendor: sandbox.Itniotech, Kind: sandbox.Truncate}),
			sandbox.Itniotech, 0, []string{"itniotech_otp_order.login"}},
		{"an oversized answer", fault(sandbox.Fault{Vendor: sandbox.GlobFax, Kind: sandbox.Oversize}),
			sandbox.GlobFax, 0, []string{"globfax_recipient.fax"}},
		{"throttling", fault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Refuse, Code: "153"}),
			sandbox.UCloud, 0, []string{"ucloud_usms_report_pull.main", "153"}},
		{"pulling not enabled", fault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Refuse, Code: "299"}),
			sandbox.UCloud, 1, []string{"ucloud", "299"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, env := harness.Vendors(t, sandbox.Options{})
			describe(t, server)
			s := newSite(t, oneOfEach, env)
			c.harm(t, s, server)
			r := s.Must(c.code, "apply", "-auto-approve")
			harness.Says(t, "standard error", r.Stderr, c.words...)
			harness.Says(t, "standard output", r.Stdout, "Apply complete! Resources: 4 tracked")
			if strings.Contains(r.Stdout+r.Stderr, "canary-of") || strings.Contains(r.Stderr, "goroutine") {
				t.Errorf("it tells too much:\n%s%s", r.Stdout, r.Stderr)
			}
			for vendor, address := range polledOrPulled {
				want := map[string]any{"outcome": "succeeded", "settled": true}
				if vendor == c.at {
					want = map[string]any{"outcome": "pending", "settled": false}
				}
				harness.Wants(t, address, s.Values(address), want)
			}
			// Once it is mended, the next apply brings the rest, but for what the vendor deleted.
			server.ClearFaults()
			for name, value := range env {
				s.Env[name] = value
			}
			// Until the floor of 100 ms has passed, a refusal is told again.
			harness.Eventually(t, func() string {
				if r := s.Run("apply", "-auto-approve"); r.Code != 0 && !strings.Contains(r.Stderr, "a vendor refused the credentials") {
					return r.Stderr
				}
				return harness.Unless(s.Values(polledOrPulled[c.at])["settled"], true)
			})
			s.Must(0, "apply", "-auto-approve")
		})
	}
}

// A recipient that does not exist is a state of that item and no error.
func TestWhatDoesNotExistIsAState(t *testing.T) {
	t.Parallel()
	for _, unknown := range []sandbox.UnknownOrder{sandbox.NullData, sandbox.ParamError, sandbox.MatchedNo} {
		t.Run(string(unknown), func(t *testing.T) {
			t.Parallel()
			server, env := harness.Vendors(t, sandbox.Options{UnknownOrder: unknown})
			if err := server.AddRecipient(sandbox.Recipient{Ref: "rcpt_1", Status: "success", SettleAfter: -1}); err != nil {
				t.Fatal(err)
			}
			s := newSite(t, harness.FourVendors+`
resource "globfax_recipient" "fax" {
  for_each = toset(["rcpt_1", "rcpt_2"])
  rcpt_ref = each.key
}

resource "itniotech_otp_order" "login" {
  order_id = "1234566"
}
`, env)
			if r := s.Must(0, "apply", "-auto-approve"); r.Stderr != "" {
				t.Errorf("standard error: %s", r.Stderr)
			}
			harness.Wants(t, "the one there is", s.Values(`globfax_recipient.fax["rcpt_1"]`), map[string]any{"outcome": "succeeded"})
			for _, address := range []string{`globfax_recipient.fax["rcpt_2"]`, "itniotech_otp_order.login"} {
				values := s.Values(address)
				harness.Wants(t, address, values, map[string]any{"outcome": "unknown", "settled": false})
				reason, _ := values["reason"].(string)
				harness.Says(t, address, reason, "check")
			}
		})
	}
}

// Mistakes that are found before anybody is called.
func TestMistakesThatCallNobody(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	s := newSite(t, "", env)
	for _, c := range []struct {
		name, config string
		words        []string
	}{
		{"credentials in clear", `
provider "globfax" {
  endpoint = "http://api.globfax.com"
}

resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"
}
`, []string{"main.wb.hcl line 3", `endpoint = "http://api.globfax.com"`, "http", "insecure = true", "GlobFax"}},
		{"too eager", `
provider "globfax" {}

resource "globfax_recipient" "fax" {
  rcpt_ref = "rcpt_1"

  poll {
    interval = "10s"
  }
}
`, []string{"interval", "min_interval", "30s"}},
		{"the same record twice", `
provider "globfax" {}

resource "globfax_recipient" "a" {
  rcpt_ref = "rcpt_1"
}

resource "globfax_recipient" "b" {
  rcpt_ref = "rcpt_1"
}
`, []string{"globfax_recipient.a", "globfax_recipient.b", "rcpt_1"}},
		{"two policies", `
provider "ucloud" {
  project_id = "org-34"
}

resource "ucloud_usms_report_pull" "a" {}

resource "ucloud_usms_report_pull" "b" {}
`, []string{"ucloud_usms_report_pull.a", "ucloud_usms_report_pull.b"}},
		{"a cycle", `
provider "globfax" {}

resource "globfax_recipient" "a" {
  rcpt_ref = globfax_recipient.b.rcpt_ref
}

resource "globfax_recipient" "b" {
  rcpt_ref = globfax_recipient.a.rcpt_ref
}
`, []string{"ycle", "globfax_recipient.a", "globfax_recipient.b"}},
		{"a secret identity", `
provider "globfax" {}

resource "globfax_recipient" "a" {
  rcpt_ref = env("GLOBFAX_API_SECRET")
}
`, []string{"rcpt_ref", "ensitive"}},
		{"a guessable token", `
provider "nxcloud" {
  callback {
    tokens = ["short"]
  }
}

resource "nxcloud_number_check" "a" {
  batch_no = "1"
}
`, []string{"token", "16 characters"}},
	} {
		s.Write("main.wb.hcl", c.config)
		for _, command := range []string{"validate", "plan", "apply"} {
			r := s.Must(1, command)
			harness.Says(t, c.name+": "+command, r.Stderr, append(c.words, "Error: ")...)
			if strings.Contains(r.Stderr, env["GLOBFAX_API_SECRET"]) {
				t.Errorf("%s: it tells a secret", c.name)
			}
		}
	}
	if a := server.Account(); len(a.Requests) != 0 {
		t.Errorf("vendors were called: %v", a.Requests)
	}
	s.Write("main.wb.hcl", "provider \"globfax\" {\n  endpoint = \"http://api.globfax.com\"\n  insecure = true\n}\n")
	s.Must(0, "validate")
}

// The agent goes on with the other systems while one refuses the credentials, and
// says where the trouble is.
func TestAgentWithAWrongKeyAndAWrongToken(t *testing.T) {
	t.Parallel()
	server, env := harness.Vendors(t, sandbox.Options{})
	describe(t, server)
	env["GLOBFAX_API_SECRET"] = "canary-of-a-wrong-credential"
	s := newSite(t, oneOfEach, env)
	a := s.Agent()
	if err := server.AddBatch(sandbox.Batch{BatchNo: "b", Count: 3, SettleAfter: -1, CallbackURL: a.Receiver + "/callbacks/nxcloud/another-token-of-16"}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, func() string {
		for sample, want := range map[string]string{
			`waybill_account_up{provider="globfax"}`:                               "0",
			`waybill_account_up{provider="itniotech"}`:                             "1",
			`waybill_account_up{provider="ucloud"}`:                                "1",
			`waybill_items{outcome="succeeded",type="itniotech_otp_order"}`:        "1",
			`waybill_items{outcome="succeeded",type="ucloud_usms_message"}`:        "1",
			`waybill_items{outcome="pending",type="globfax_recipient"}`:            "1",
			`waybill_callbacks_total{provider="nxcloud",result="unauthenticated"}`: "3",
			`waybill_config_last_reload_successful`:                                "1",
			`waybill_reads_total{provider="globfax",result="credentials"}`:         "1",
		} {
			if got := a.Metric(sample); got != want {
				return sample + " is " + got + ", want " + want
			}
		}
		return ""
	})
	status, body := a.Get("/-/ready")
	if status != http.StatusOK {
		t.Errorf("a vendor's trouble makes the agent unready: %d %s", status, body)
	}
	harness.Says(t, "/-/ready", body, "globfax")
	if n := len(s.Records("-type=nxcloud_number_check")); n != 0 {
		t.Errorf("%d callbacks with a wrong token are recorded", n)
	}
	// Paused: one probe now, and one at reload.
	if n := server.Account().Requests[sandbox.GlobFax]["unauthorized"]; n != 1 {
		t.Errorf("%d requests with wrong credentials, want one probe", n)
	}
	if status, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", ""); status != http.StatusOK {
		t.Errorf("reload: %d %s", status, body)
	}
	harness.Eventually(t, func() string {
		return harness.Unless(server.Account().Requests[sandbox.GlobFax]["unauthorized"], 2)
	})
	a.Stop()
	for _, leak := range []string{"canary-of", "another-token"} {
		if strings.Contains(a.Log()+body, leak) {
			t.Errorf("%s is told", leak)
		}
	}
}
