package cli_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// binary runs waybill as a process of its own, in a directory of its own.
type binary struct {
	t   *testing.T
	dir string
	env []string
	all bytes.Buffer // everything that was ever printed
}

func newBinary(t *testing.T, files map[string]string, env ...string) *binary {
	t.Helper()
	b := &binary{t: t, dir: t.TempDir(), env: append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)}
	for name, content := range files {
		b.write(name, content)
	}
	return b
}

func (b *binary) write(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// command is one call that is not started yet: TestMain makes the test's own
// binary waybill when it is called by that name.
func (b *binary) command(args ...string) *exec.Cmd {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	c := exec.CommandContext(b.t.Context(), self)
	c.Args = append([]string{"waybill"}, args...)
	c.Dir, c.Env = b.dir, b.env
	c.WaitDelay = 10 * time.Second
	return c
}

// run runs waybill and returns what it printed and its exit code.
func (b *binary) run(args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	c := b.command(args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else if err != nil {
		b.t.Fatal(err)
	}
	b.all.Write(out.Bytes())
	b.all.Write(errs.Bytes())
	return out.String(), errs.String(), code
}

// must runs waybill and fails the test unless it exits with the code given.
func (b *binary) must(want int, args ...string) string {
	b.t.Helper()
	stdout, stderr, code := b.run(args...)
	if code != want {
		b.t.Fatalf("waybill %q: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout
}

// vendors starts the four vendors and returns them with the environment that
// leads there.
func vendors(t *testing.T, options sandbox.Options) (*sandbox.Server, []string) {
	t.Helper()
	server := sandbox.New(options)
	if _, err := server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	at := server.Endpoints()
	env := []string{"WAYBILL_VAR_globfax=" + at.GlobFax, "WAYBILL_VAR_itniotech=" + at.Itniotech, "WAYBILL_VAR_ucloud=" + at.UCloud}
	for name, value := range server.Credentials().Env() {
		env = append(env, name+"="+value)
	}
	return server, env
}

// allVendors is a configuration with all four, and what each has.
const allVendors = `
variable "globfax" {}
variable "itniotech" {}
variable "ucloud" {}

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
  min_interval = "1ms"
}

provider "itniotech" {
  endpoint     = var.itniotech
  app_id       = "app"
  min_interval = "1ms"
}

provider "ucloud" {
  endpoint   = var.ucloud
  project_id = "org-34"
}

provider "nxcloud" {}

resource "globfax_recipient" "fax" {
  for_each = toset(["one", "fail-two"])
  rcpt_ref = each.key

  expect "delivered" {
    condition     = self.outcome == "succeeded"
    error_message = "the fax ${each.key} failed"
  }
}

resource "itniotech_otp_order" "login" {
  order_id = "1234566"
}

resource "ucloud_usms_report_pull" "main" {}

resource "ucloud_usms_message" "promo" {
  session_no = "d0aa6c6e"
  expected   = 2
}

resource "nxcloud_number_check" "january" {
  batch_no = "901946960376"
  expected = 250
}

output "statuses" {
  value = { for k, r in globfax_recipient.fax : k => r.status }
}

check "no_fax_failed" {
  assert {
    condition     = alltrue([for r in globfax_recipient.fax : r.outcome != "failed"])
    error_message = "some faxes failed"
  }
}
`
