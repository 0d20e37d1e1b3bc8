package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/waybill-dev/waybill/providers/sandbox"
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
	env = append(env, "WAYBILL_LOG=debug")
	b := newBinary(t, map[string]string{"main.wb.hcl": allVendors + `
variable "token" {
  type      = string
  sensitive = true
}

output "token" {
  value     = "${var.token}/${env("UCLOUD_PRIVATE_KEY")}"
  sensitive = true
}
`}, append(env, "WAYBILL_VAR_token=canary-hhhh-variable")...)

	// A fault of every kind at every vendor, then a good pass.
	for _, kind := range []string{"html", "truncate", "server_error", "reset_before", "rate_limit"} {
		for _, vendor := range []sandbox.Vendor{sandbox.GlobFax, sandbox.Itniotech, sandbox.UCloud} {
			if _, err := server.AddFault(sandbox.Fault{Vendor: vendor, Kind: sandbox.FaultKind(kind), Next: 2}); err != nil {
				t.Logf("%s at %s: %v", kind, vendor, err)
			}
		}
		b.run("apply", "-auto-approve")
		server.ClearFaults()
	}
	b.must(0, "apply", "-auto-approve", "-json")
	for _, args := range [][]string{
		{"validate"}, {"validate", "-json"}, {"plan"}, {"plan", "-json"}, {"show"}, {"show", "-json"}, {"state", "list"}, {"state", "pull"},
		{"state", "show", "itniotech_otp_order.login"}, {"history"}, {"history", "-json"}, {"records"}, {"records", "-json"}, {"output"},
		{"output", "-json"}, {"state", "backup", "copy.db"},
	} {
		b.must(0, args...)
	}
	b.must(1, "output", "token")
	for id := 1; id <= 20; id++ {
		b.run("raw", "show", fmt.Sprint(id))
	}

	// Wrong credentials at each vendor.
	b.env = append(b.env, "GLOBFAX_API_KEY=canary-jjjj-wrong", "ITNIOTECH_API_SECRET=canary-jjjj-wrong", "UCLOUD_PRIVATE_KEY=canary-jjjj-wrong")
	b.must(1, "apply", "-auto-approve")
	b.env = b.env[:len(b.env)-3]

	runAgentOnce(t, b, credentials.NXCloudToken)
	mistakes(b)

	if n := bytes.Count(b.all.Bytes(), []byte("\n")); n < 500 {
		t.Fatalf("only %d lines were printed: the test looks at too little", n)
	}
	for _, secret := range secrets {
		if at := bytes.Index(b.all.Bytes(), []byte(secret)); at >= 0 {
			t.Errorf("%s was printed:\n%s", secret, b.all.Bytes()[max(0, at-400):min(at+100, b.all.Len())])
		}
	}
	written(t, b.dir, func(name string, content []byte) {
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
func runAgentOnce(t *testing.T, b *binary, token string) {
	t.Helper()
	c := b.command("agent")
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		fmt.Fprintln(&b.all, lines.Text())
		_, receiver, ok := strings.Cut(lines.Text(), "receiver=")
		if !ok || !strings.Contains(lines.Text(), "the agent runs") {
			continue
		}
		for _, try := range []string{token, "canary-jjjj-wrong"} {
			body := strings.NewReader(`{"requestId": "r1", "batchNo": "901946960376", "code": 0}`)
			answer, err := http.Post("http://"+receiver+"/callbacks/nxcloud/"+try, "application/json", body)
			if err != nil {
				t.Error(err)
				continue
			}
			text, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			b.all.Write(text)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
	if err := c.Wait(); err != nil {
		t.Errorf("agent: %v", err)
	}
}

// mistakes tries configurations in which a secret stands where a diagnostic
// points at.
func mistakes(b *binary) {
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
		b.write("main.wb.hcl", text)
		for _, args := range [][]string{{"validate"}, {"validate", "-json"}, {"plan"}, {"plan", "-json"}, {"apply", "-auto-approve"}} {
			b.run(args...)
		}
	}
	b.write("main.wb.hcl", "variable \"v\" {\n  sensitive = true\n  type = number\n}\n")
	b.run("validate", "-var", "v=canary-iiii-literal")
	b.write("waybill.wbvars.hcl", "v = \"canary-iiii-literal\"\n")
	b.run("validate")
	b.run("validate", "-json")
	b.write("waybill.wbvars.hcl", "v = canary-iiii-literal \"canary-iiii-literal\"\n")
	b.run("validate")
	if err := os.Remove(filepath.Join(b.dir, "waybill.wbvars.hcl")); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.dir, "main.wb.hcl")); err != nil {
		b.t.Fatal(err)
	}
	b.write("main.wb.json", "{\"provider\": {\"globfax\": {\"api_key\": [\"canary-kkkk-json\"], \"api_secret\": {\"a\": \"canary-kkkk-json\"}, \"oops\": \"canary-kkkk-json\"}}}\n")
	b.run("validate")
	b.run("validate", "-json")
}
