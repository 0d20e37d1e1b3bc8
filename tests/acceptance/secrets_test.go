package acceptance

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// An agent at work, with every vendor in trouble at first and its log at debug
// level, tells no secret: not in what is printed, not to who asks it, and not in
// any file, the write-ahead log and the last good configuration included.
func TestNoSecretLeavesARunningAgent(t *testing.T) {
	t.Parallel()
	right := sandbox.Credentials{
		GlobFaxKey: "canary-1-globfax-key", GlobFaxSecret: "canary-2-globfax-secret",
		ItniotechKey: "canary-3-itniotech-key", ItniotechSecret: "canary-4-itniotech-secret", ItniotechAppID: "ad454212",
		UCloudPublicKey: "canary-5-ucloud-public", UCloudPrivateKey: "canary-6-ucloud-private", UCloudProjectID: "org-34",
		NXCloudToken: "canary-7-nxcloud-token",
	}
	server, env := harness.Vendors(t, sandbox.Options{Credentials: right})
	describe(t, server)
	for _, kind := range []sandbox.FaultKind{sandbox.HTML, sandbox.ResetBefore, sandbox.ServerError, sandbox.Truncate} {
		for _, vendor := range []sandbox.Vendor{sandbox.GlobFax, sandbox.Itniotech} {
			if _, err := server.AddFault(sandbox.Fault{Vendor: vendor, Kind: kind, Next: 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	secrets := []string{"canary-8-variable"}
	for _, secret := range right.Env() {
		secrets = append(secrets, secret)
	}
	env["WAYBILL_LOG"] = "debug"
	env["WAYBILL_VAR_secret"] = "canary-8-variable"
	s := newSite(t, oneOfEach+`
variable "secret" {
  sensitive = true
}

resource "nxcloud_number_check" "january" {
  batch_no = "b"
  expected = 3
}

output "secret" {
  value     = "${var.secret} ${env("GLOBFAX_API_SECRET")}"
  sensitive = true
}

check "secret" {
  assert {
    condition     = var.secret == "another"
    error_message = "the secret is not another, but ${length(var.secret)} characters long"
  }
}
`, env)
	a := s.Agent()
	for batch, url := range map[string]string{"b": a.Callbacks(), "c": a.Receiver + "/callbacks/nxcloud/canary-9-wrong-token"} {
		if err := server.AddBatch(sandbox.Batch{BatchNo: batch, Count: 3, SettleAfter: -1, CallbackURL: url}); err != nil {
			t.Fatal(err)
		}
	}
	secrets = append(secrets, "canary-9-wrong-token")
	harness.Eventually(t, func() string {
		for _, address := range []string{"globfax_recipient.fax", "itniotech_otp_order.login", "ucloud_usms_message.promo", "nxcloud_number_check.january"} {
			if s.Values(address)["settled"] != true {
				return address + " is not settled"
			}
		}
		return harness.Unless(a.Metric(`waybill_callbacks_total{provider="nxcloud",result="unauthenticated"}`), "3")
	})
	for _, path := range []string{"/metrics", "/-/ready", "/-/healthy", "/", "/api/v1/status"} {
		_, body := a.Get(path)
		s.Note(body)
	}
	_, body := harness.Call(http.MethodPost, a.Admin+"/-/reload", "")
	s.Note(body)
	for _, args := range [][]string{{"plan", "-json"}, {"show", "-json"}, {"history", "-json"}, {"records", "-json"}, {"output", "-json"}, {"state", "pull"}} {
		s.Must(0, args...)
	}

	look := func() {
		t.Helper()
		files := 0
		err := filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			content, err := os.ReadFile(path)
			for _, secret := range secrets {
				if bytes.Contains(content, []byte(secret)) {
					t.Errorf("%s is in %s", secret, path)
				}
			}
			return err
		})
		if err != nil || files < 4 {
			t.Errorf("read %d files: %v", files, err)
		}
	}
	look() // with the write-ahead log as it is while the agent runs
	if _, err := os.Stat(filepath.Join(s.Dir, "waybill.db-wal")); err != nil {
		t.Errorf("there is no write-ahead log to look at: %v", err)
	}
	a.Stop()
	look()
	for _, secret := range secrets {
		for line := range strings.Lines(s.Printed()) {
			if strings.Contains(line, secret) {
				t.Errorf("%s was told: %s", secret, line)
			}
		}
	}
}
