package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// hostile is text that drives a terminal, forges a line and turns text around: an
// escape sequence, line ends, a C1 control, a bidi override, an isolate and a
// separator of lines.
const hostile = "x\x1b[31m\r\nForged: 1\u009b2J\u202egpj\u2066\u2028y"

// shownHostile is how views show it.
const shownHostile = `x\u001b[31m\r\nForged: 1\u009b2J\u202egpj\u2066\u2028y`

// Whatever comes from outside, no command shows it to a terminal as it is: vendors'
// keys, statuses, reasons and errors, account names, cells of files, texts of the
// command line.
func TestHostileTextIsShownEscaped(t *testing.T) {
	server, env := vendors(t, sandbox.Options{AutoCreate: true})
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	control := func(path, body string) {
		t.Helper()
		answer := httptest.NewRecorder()
		server.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/control/"+path, strings.NewReader(body)))
		if answer.Code/100 != 2 {
			t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
	}
	control("recipients", fmt.Sprintf(`{"rcpt_ref": "one", "status": "failed", "failed_code": %s, "failed_reason": %s, "settle_after": "-1s"}`, quoted, quoted))
	control("recipients", fmt.Sprintf(`{"rcpt_ref": "two", "status": %s, "settle_after": "-1s"}`, quoted))
	b := newSite(t, `
variable "globfax" {}

variable "said" {
  default = "nothing"
}

provider "globfax" {
  endpoint     = var.globfax
  min_interval = "1ms"
}

locals {
  cells = { for r in csvdecode(file("cells.csv")) : r.key => r }
}

resource "globfax_recipient" "fax" {
  for_each = local.cells
  rcpt_ref = each.value.ref

  expect "delivered" {
    condition     = self.outcome == "succeeded"
    error_message = "${each.key}: ${coalesce(self.failed_reason, "no reason")}"
  }
}

resource "globfax_recipient" "two" {
  rcpt_ref = "two"
}

output "cells" {
  value = local.cells
}

output "reason" {
  value = one([for r in globfax_recipient.fax : r.failed_reason])
}

check "cells" {
  assert {
    condition     = alltrue([for r in globfax_recipient.fax : r.outcome != "failed"])
    error_message = join(", ", keys(local.cells))
  }
}
`, env)
	b.Write("cells.csv", "key,ref,note\n\""+hostile+"\",one,\""+hostile+"\"\n")
	b.Must(0, "validate")
	address := `globfax_recipient.fax["` + strings.NewReplacer("\x1b", `\u001b`, "\r", `\r`, "\n", `\n`).Replace(hostile) + `"]`
	shown := 0
	// look reads what one command printed.
	look := func(args ...string) {
		t.Helper()
		ran := b.Run(args...)
		stdout, stderr := ran.Stdout, ran.Stderr
		for _, text := range []string{stdout, stderr} {
			if at := strings.IndexFunc(text, func(r rune) bool {
				return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
			}); at >= 0 || !utf8.ValidString(text) {
				t.Errorf("waybill %q prints %q", args, text[max(0, at-60):min(len(text), at+60)])
			}
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, "Forged") {
					t.Errorf("waybill %q: a line is forged:\n%s", args, text)
				}
			}
			if strings.Contains(text, shownHostile) {
				shown++
			}
		}
		for line := range strings.Lines(stdout) {
			if args[len(args)-1] == "-json" && line[0] == '{' && args[0] != "output" && args[0] != "validate" && !json.Valid([]byte(line)) {
				t.Errorf("waybill %q prints JSON that is none: %s", args, line)
			}
		}
	}
	for _, args := range [][]string{
		{"plan"}, {"plan", "-verbose"}, {"plan", "-json"}, {"apply", "-auto-approve"}, {"apply", "-auto-approve", "-json"},
		{"plan"}, {"show"}, {"show", "-json"}, {"state", "list"}, {"state", "show", address}, {"state", "show", address, "-json"},
		{"state", "show", "globfax_recipient.two"}, {"state", "pull"},
		{"history"}, {"history", "-json"}, {"output"}, {"output", "-json"}, {"output", "reason"}, {"output", "reason", "-json"},
		{"state", "mv", address, `globfax_recipient.fax["` + "\u202e" + `"]`}, {"plan"}, {"state", "rm", "globfax_recipient.fax"},
		{"state", "show", hostile}, {"history", hostile}, {"output", hostile}, {hostile}, {"plan", "-" + hostile}, {"state", hostile},
		{"records", "-status=" + hostile}, {"records", "-type=" + hostile}, {"history", "-since=" + hostile}, {"raw", "show", hostile},
		{"plan", "-var", hostile}, {"plan", "-var", hostile + "=1"}, {"-chdir=" + hostile, "plan"}, {"fmt", hostile}, {"state", "backup", hostile + "/x"},
		{"validate", "-var-file=" + hostile},
	} {
		look(args...)
	}
	if shown < 15 {
		t.Errorf("the text is shown %d times: this test looks at too little", shown)
	}

	// Errors of a vendor, and mistakes in a configuration.
	if _, err := server.AddFault(sandbox.Fault{Vendor: sandbox.GlobFax, Kind: "html", Next: 100}); err != nil {
		t.Fatal(err)
	}
	look("apply", "-auto-approve")
	look("show")
	server.ClearFaults()
	for _, text := range []string{
		"output \"a\" {\n  value = \"" + "\u202e\u009b" + "\" + 1\n}\n",
		"locals {\n  a = {\n    k = file(\"cells.csv\")\n  }\n}\noutput \"a\" {\n  value = tonumber(local.a.k)\n}\n",
		"variable \"v\" {\n  default = <<E\nx\u202e\u009b2J\nE\n  validation {\n    condition = var.v == \"\"\n    error_message = \"not ${var.v}\"\n  }\n}\n",
		"\u202e\u009b {\n}\n",
	} {
		b.Write("main.wb.hcl", text)
		for _, args := range [][]string{{"validate"}, {"validate", "-json"}, {"plan"}, {"plan", "-json"}, {"fmt", "-diff"}} {
			look(args...)
		}
	}
}
