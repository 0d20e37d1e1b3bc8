package cli_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// TestNoSecretLeaves runs every command, good and bad, and then looks for each
// credential in all that was printed and in all files that were written.
func TestNoSecretLeaves(t *testing.T) {
	credentials := sandbox.Credentials{
		GlobFaxKey: "canary-aaaa-globfax-key", GlobFaxSecret: "canary-bbbb-globfax-secret",
		ItniotechKey: "canary-cccc-itniotech-key", ItniotechSecret: "canary-dddd-itniotech-secret",
		UCloudPublicKey: "canary-eeee-ucloud-public", UCloudPrivateKey: "canary-ffff-ucloud-private",
		UCloudProjectID: "org-34", NXCloudToken: "canary-gggg-nxcloud-token",
	}
	secrets := []string{"canary-hhhh-variable", "canary-iiii-literal", "canary-jjjj-wrong", "canary-kkkk-json"}
	for _, v := range credentials.Env() {
		secrets = append(secrets, v)
	}
	server, env := vendors(t, sandbox.Options{AutoCreate: true, Credentials: credentials, Speed: sandbox.Speed{Earliest: 1, Latest: 2}})
	if err := server.AddSend(sandbox.Send{SessionNo: "d0aa6c6e", Project: "org-34", Count: 2, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	env["WAYBILL_LOG"], env["WAYBILL_VAR_token"] = "debug", "canary-hhhh-variable"
	b := newSite(t, allVendors+`
variable "token" {
  type      = string
  sensitive = true
}

output "token" {
  value     = "${var.token}/${env("UCLOUD_PRIVATE_KEY")}"
  sensitive = true
}
`, env)

	// A fault of every kind at every vendor, then a good pass.
	for _, kind := range []string{"html", "truncate", "server_error", "reset_before", "rate_limit"} {
		for _, vendor := range []sandbox.Vendor{sandbox.GlobFax, sandbox.Itniotech, sandbox.UCloud} {
			if _, err := server.AddFault(sandbox.Fault{Vendor: vendor, Kind: sandbox.FaultKind(kind), Next: 2}); err != nil {
				t.Logf("%s at %s: %v", kind, vendor, err)
			}
		}
		b.Run("apply", "-auto-approve")
		server.ClearFaults()
	}
	b.Must(0, "apply", "-auto-approve", "-json")
	for _, args := range [][]string{
		{"validate"}, {"validate", "-json"}, {"plan"}, {"plan", "-json"}, {"show"}, {"show", "-json"}, {"state", "list"}, {"state", "pull"},
		{"state", "show", "itniotech_otp_order.login"}, {"history"}, {"history", "-json"}, {"records"}, {"records", "-json"}, {"output"},
		{"output", "-json"}, {"state", "backup", "copy.db"},
	} {
		b.Must(0, args...)
	}
	b.Must(1, "output", "token")
	for id := 1; id <= 20; id++ {
		b.Run("raw", "show", fmt.Sprint(id))
	}

	// Wrong credentials at each vendor.
	right := maps.Clone(b.Env)
	for _, name := range []string{"GLOBFAX_API_KEY", "ITNIOTECH_API_SECRET", "UCLOUD_PRIVATE_KEY"} {
		b.Env[name] = "canary-jjjj-wrong"
	}
	b.Must(1, "apply", "-auto-approve")
	b.Env = right

	runAgentOnce(t, b)
	mistakes(t, b)

	printed := b.Printed()
	if n := strings.Count(printed, "\n"); n < 500 {
		t.Fatalf("only %d lines were printed: the test looks at too little", n)
	}
	for _, secret := range secrets {
		if at := strings.Index(printed, secret); at >= 0 {
			t.Errorf("%s was printed:\n%s", secret, printed[max(0, at-400):min(at+100, len(printed))])
		}
	}
	written(t, b.Dir, func(name string, content []byte) {
		for _, secret := range secrets {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("%s is in the file %s", secret, name)
			}
		}
	})
}

// written calls look for each file below dir that is no configuration. The
// copies of last-good are configuration.
func written(t *testing.T, dir string, look func(string, []byte)) {
	t.Helper()
	databases := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(d.Name(), ".wb") {
			return err
		}
		if strings.HasSuffix(path, ".db") {
			databases++
		}
		content, err := os.ReadFile(path)
		look(path, content)
		return err
	})
	if err != nil || databases == 0 {
		t.Fatalf("read what was written: %v; %d databases", err, databases)
	}
}

// runAgentOnce starts the agent, pushes it a result with the right token and
// one with a wrong token, and ends it.
func runAgentOnce(t *testing.T, b *harness.Site) {
	t.Helper()
	agent := b.Agent()
	for _, url := range []string{agent.Callbacks(), agent.Receiver + "/callbacks/nxcloud/canary-jjjj-wrong"} {
		status, answer := harness.Call(http.MethodPost, url, `{"requestId": "r1", "batchNo": "901946960376", "code": 0}`)
		if status == 0 {
			t.Error(answer)
		}
		b.Note(answer)
	}
	agent.Stop()
}

// mistakes tries configurations in which a secret stands where a diagnostic
// points at.
func mistakes(t *testing.T, b *harness.Site) {
	t.Helper()
	for _, text := range []string{
		"provider \"globfax\" {\n  api_kye = \"canary-iiii-literal\"\n}\n",
		"provider \"globfax\" {\n  api_key = [\"canary-iiii-literal\"]\n}\n",
		"provider \"globfax\" {\n  api_key = canary(\"canary-iiii-literal\")\n}\n",
		"provider \"globfax\" {\n  api_key = \"canary-iiii-literal\" + 1\n}\n",
		"provider \"nxcloud\" {\n  callback {\n    tokens = [\"canary-iiii-literal\", 1, null]\n    oops = \"canary-iiii-literal\"\n  }\n}\n",
		"provider \"nxcloud\" {\n  callback {\n    tokens = \"canary-iiii-literal\"\n  }\n}\n",
		"resource \"globfax_recipient\" \"a\" {\n  rcpt_ref = env(\"GLOBFAX_API_KEY\")\n}\n",
		"resource \"globfax_recipient\" \"a\" {\n  for_each = toset([env(\"GLOBFAX_API_KEY\")])\n  rcpt_ref = each.key\n}\n",
		"resource \"globfax_recipient\" \"a\" {\n  count = env(\"GLOBFAX_API_KEY\")\n  rcpt_ref = \"a\"\n}\n",
		"output \"a\" {\n  value = env(\"GLOBFAX_API_KEY\")\n}\n",
		"locals {\n  a = env(\"GLOBFAX_API_KEY\")\n}\noutput \"a\" {\n  value = local.a.b[upper(local.a)] + tonumber(local.a)\n}\n",
		"locals {\n  a = jsondecode(env(\"GLOBFAX_API_KEY\"))\n}\noutput \"a\" {\n  value = local.a\n}\n",
		"locals {\n  a = file(env(\"GLOBFAX_API_KEY\"))\n}\noutput \"a\" {\n  value = local.a\n}\n",
		"variable \"v\" {\n  sensitive = true\n  default = \"canary-iiii-literal\"\n  validation {\n    condition = var.v == \"\"\n    error_message = \"not ${var.v}\"\n  }\n}\n",
		"variable \"v\" {\n  sensitive = true\n  type = number\n  default = \"canary-iiii-literal\"\n}\n",
		"check \"c\" {\n  assert {\n    condition = env(\"GLOBFAX_API_KEY\") == \"\"\n    error_message = \"it is ${env(\"GLOBFAX_API_KEY\")}\"\n  }\n}\n",
	} {
		b.Write("main.wb.hcl", text)
		for _, args := range [][]string{{"validate"}, {"validate", "-json"}, {"plan"}, {"plan", "-json"}, {"apply", "-auto-approve"}} {
			b.Run(args...)
		}
	}
	b.Write("main.wb.hcl", "variable \"v\" {\n  sensitive = true\n  type = number\n}\n")
	b.Run("validate", "-var", "v=canary-iiii-literal")
	b.Write("waybill.wbvars.hcl", "v = \"canary-iiii-literal\"\n")
	b.Run("validate")
	b.Run("validate", "-json")
	b.Write("waybill.wbvars.hcl", "v = canary-iiii-literal \"canary-iiii-literal\"\n")
	b.Run("validate")
	if err := os.Remove(filepath.Join(b.Dir, "waybill.wbvars.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.Dir, "main.wb.hcl")); err != nil {
		t.Fatal(err)
	}
	b.Write("main.wb.json", "{\"provider\": {\"globfax\": {\"api_key\": [\"canary-kkkk-json\"], \"api_secret\": {\"a\": \"canary-kkkk-json\"}, \"oops\": \"canary-kkkk-json\"}}}\n")
	b.Run("validate")
	b.Run("validate", "-json")
}
