// Package fifth_test proves that another vendor is a package and a line: a
// program with that line plans, applies and runs as an agent.
package fifth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/cli"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/tests/fifth/telnyx"
	"github.com/waybill-dev/waybill/tests/harness"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "waybill" {
		os.Exit(cli.Main(os.Args[1:], []*providers.Definition{telnyx.Definition()}))
	}
	os.Exit(m.Run())
}

const (
	fax      = "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0"
	sent     = "834f3d53-8a3c-4aa0-a733-7f2d682a72df"
	key      = "KEY0123456789ABCDEF_secret"
	token    = "token-0123456789abcdef"
	examples = "telnyx/testdata/"
)

// vendor answers as Telnyx's pages show it; the fax comes to its end when told.
func vendor(t *testing.T, delivered *atomic.Bool, asked *atomic.Int64) *httptest.Server {
	t.Helper()
	page, err := os.ReadFile(examples + "fax.json")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case r.Header.Get("Authorization") != "Bearer "+key:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"errors":[{"code":"10009","detail":"no such key: %s"}]}`, r.Header.Get("Authorization"))
		case r.URL.Path != "/v2/faxes/"+fax:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"errors":[{"code":"10005"}]}`)
		case delivered.Load():
			fmt.Fprint(w, strings.Replace(string(page), `"queued"`, `"delivered"`, 1))
		default:
			_, _ = w.Write(page)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestAnotherVendor(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	var delivered atomic.Bool
	var asked atomic.Int64
	server := vendor(t, &delivered, &asked)
	site := harness.NewSite(t, harness.Self(t), fmt.Sprintf(`
agent {
  admin {
    listen = "127.0.0.1:0"
  }
  receiver {
    listen = "127.0.0.1:0"
  }
}
provider "telnyx" {
  endpoint     = "%s/v2"
  public_key   = "%s"
  min_interval = "1s"
}
resource "telnyx_fax" "invoice" {
  fax_id = "%s"
  poll {
    interval = "1s"
  }
  expect "delivered" {
    condition     = self.status == "delivered"
    error_message = "the fax did not arrive"
  }
}
resource "telnyx_message" "otp" {
  message_id = "%s"
}
output "cost" {
  value = lookup(telnyx_message.otp.costs, "USD", 0)
}
`, server.URL, public, fax, sent), map[string]string{"TELNYX_API_KEY": key, "TELNYX_CALLBACK_TOKEN": token})

	site.Must(0, "validate")
	harness.Says(t, "plan", site.Must(0, "plan").Stdout, "Plan: 2 to track")
	site.Must(0, "apply", "-auto-approve")
	harness.Wants(t, "the fax", site.Values("telnyx_fax.invoice"), map[string]any{"status": "queued", "outcome": "pending", "settled": false})

	agent := site.Agent()
	delivered.Store(true)
	body, err := os.ReadFile(examples + "finalized.json")
	if err != nil {
		t.Fatal(err)
	}
	first := string(body)
	url := agent.Receiver + "/callbacks/telnyx/" + token
	for _, try := range []struct {
		name, url string
		body      string
		sign      ed25519.PrivateKey
		status    int
	}{
		{"with another's signature", url, first, ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize))), 404},
		{"with another token", agent.Receiver + "/callbacks/telnyx/token-of-somebody", first, private, 404},
		{"as it should be", url, first, private, 200},
		{"again, at the second attempt", url, strings.Replace(first, `"attempt": 1`, `"attempt": 2`, 1), private, 200},
	} {
		if status := push(t, try.url, try.body, try.sign); status != try.status {
			t.Errorf("a webhook %s: %d, want %d", try.name, status, try.status)
		}
	}
	harness.Eventually(t, func() string {
		fax, message := site.Values("telnyx_fax.invoice"), site.Values("telnyx_message.otp")
		if fax["outcome"] != "succeeded" || message["outcome"] != "succeeded" {
			return fmt.Sprintf("%v, %v", fax, message)
		}
		return ""
	})
	if status, metrics := agent.Get("/metrics"); status != 200 || !strings.Contains(metrics, `waybill_account_up{provider="telnyx"} 1`) {
		t.Errorf("%d: no account that is up in %s", status, metrics)
	}
	agent.Stop()

	records := site.Records()
	if len(records) != 1 || records[0].Status != "matched" || records[0].Key != sent+"/+13125550002" {
		t.Errorf("%+v", records)
	}
	site.Must(0, "apply", "-auto-approve")
	harness.Says(t, "the cost", site.Must(0, "output", "cost").Stdout, "0.0051")
	harness.Says(t, "a replay", site.Must(0, "replay", "-all").Stdout, "no difference")

	// Refused credentials are told, and not shown.
	site.Env["TELNYX_API_KEY"] = key + "-wrong"
	site.Write("more.wb.hcl", `resource "telnyx_fax" "other" { fax_id = "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e" }`)
	harness.Says(t, "wrong credentials", site.Must(1, "apply", "-auto-approve").Stderr, "telnyx", "TELNYX_API_KEY", "****")
	if strings.Contains(site.Printed(), key) {
		t.Error("a credential was printed")
	}
	// -sandbox never asks a vendor that the sandbox does not have.
	asked.Store(0)
	site.Run("apply", "-sandbox", "-auto-approve")
	if n := asked.Load(); n != 0 {
		t.Errorf("-sandbox asked the vendor itself %d times", n)
	}
}

func push(t *testing.T, url, body string, sign ed25519.PrivateKey) int {
	t.Helper()
	at := fmt.Sprint(time.Now().Unix())
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("telnyx-timestamp", at)
	request.Header.Set("telnyx-signature-ed25519", base64.StdEncoding.EncodeToString(ed25519.Sign(sign, []byte(at+"|"+body))))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}
