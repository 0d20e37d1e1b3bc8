package harness

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// FourVendors leads to the vendors of the environment that Reach makes. Items may
// be read as often as min_interval says: WAYBILL_VAR_min_interval changes it.
const FourVendors = `
variable "globfax" {}
variable "itniotech" {}
variable "ucloud" {}

variable "min_interval" {
  default = "100ms"
}

agent {
  admin {
    listen = "127.0.0.1:0"
  }
  receiver {
    listen = "127.0.0.1:0"
  }
}

provider "globfax" {
  endpoint     = var.globfax
  min_interval = var.min_interval
}

provider "itniotech" {
  endpoint     = var.itniotech
  app_id       = "ad454212"
  min_interval = var.min_interval
}

provider "ucloud" {
  endpoint   = var.ucloud
  project_id = "org-34"
}

provider "nxcloud" {
  callback {
    tokens = [env("NXCLOUD_CALLBACK_TOKEN")]
  }
}
`

// Reach is the environment with which FourVendors reaches a sandbox: every
// credential, and the endpoints as variables.
func Reach(a sandbox.Access) map[string]string {
	env := maps.Clone(a.Env)
	env["WAYBILL_VAR_globfax"] = a.Endpoints.GlobFax
	env["WAYBILL_VAR_itniotech"] = a.Endpoints.Itniotech
	env["WAYBILL_VAR_ucloud"] = a.Endpoints.UCloud
	return env
}

// Vendors starts the four vendors in this process, and returns them with the
// environment that leads there. They are fast unless the options say otherwise.
func Vendors(t testing.TB, o sandbox.Options) (*sandbox.Server, map[string]string) {
	t.Helper()
	if o.Speed == (sandbox.Speed{}) {
		o.Speed = sandbox.Speed{Earliest: time.Millisecond, Latest: 2 * time.Millisecond}
	}
	server := sandbox.New(o)
	if _, err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var pushing sync.WaitGroup
	pushing.Go(func() { server.Run(t.Context()) })
	t.Cleanup(func() {
		pushing.Wait() // the test's context has ended
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, Reach(sandbox.Access{Env: server.Credentials().Env(), Endpoints: server.Endpoints()})
}

// RemoteVendors are `waybill sandbox` in a process of its own.
type RemoteVendors struct {
	t    testing.TB
	base string
}

// SandboxProcess starts one, and returns it with the environment that leads there.
func SandboxProcess(t testing.TB, program *Program) (*RemoteVendors, map[string]string) {
	t.Helper()
	p := NewSite(t, program, "", nil).Start("sandbox", "-listen=127.0.0.1:0", "-auto-create=false")
	v := &RemoteVendors{t: t}
	Eventually(t, func() string {
		_, rest, ok := strings.Cut(p.Log(), "Sandbox listening at ")
		if v.base, _, _ = strings.Cut(rest, "\n"); !ok || v.base == "" {
			return "the sandbox does not say where it listens: " + p.Log()
		}
		return ""
	})
	var access sandbox.Access
	v.Get("credentials", &access)
	return v, Reach(access)
}

// Get asks the control API.
func (v *RemoteVendors) Get(path string, to any) {
	v.t.Helper()
	status, body := Call(http.MethodGet, v.base+"/control/"+path, "")
	if err := json.Unmarshal([]byte(body), to); err != nil || status != http.StatusOK {
		v.t.Fatalf("GET %s: %d %s: %v", path, status, body, err)
	}
}

// Post hands objects to the control API.
func (v *RemoteVendors) Post(path string, objects any) {
	v.t.Helper()
	body, err := json.Marshal(objects)
	if err != nil {
		v.t.Fatal(err)
	}
	if status, answer := Call(http.MethodPost, v.base+"/control/"+path, string(body)); status != http.StatusOK {
		v.t.Fatalf("POST %s: %d %s", path, status, answer)
	}
}

// Account is what the vendors say they did.
func (v *RemoteVendors) Account() sandbox.Account {
	v.t.Helper()
	var a sandbox.Account
	v.Get("account", &a)
	return a
}
