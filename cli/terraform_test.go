package cli_test

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/waybill-dev/waybill/providers/sandbox"
)

// TestTerraformFormats reads every JSON view with the library with which
// Terraform's own are read.
func TestTerraformFormats(t *testing.T) {
	_, env := vendors(t, sandbox.Options{AutoCreate: true, Speed: sandbox.Speed{Earliest: 1, Latest: 2}})
	b := newSite(t, allVendors, env)

	var validation tfjson.ValidateOutput
	decode(t, b.Must(0, "validate", "-json").Stdout, &validation)
	if err := validation.Validate(); err != nil || !validation.Valid {
		t.Errorf("validate -json: %v, %+v", err, validation)
	}

	if types := messageTypes(t, b.Must(0, "plan", "-json").Stdout); types["planned_change"] != 6 || types["change_summary"] != 1 || types["outputs"] != 1 || types["version"] != 1 {
		t.Errorf("plan -json: messages %v", types)
	}
	types := messageTypes(t, b.Must(0, "apply", "-auto-approve", "-json").Stdout)
	for typ, want := range map[string]int{"version": 1, "planned_change": 6, "apply_start": 6, "apply_complete": 6, "change_summary": 2, "outputs": 1, "diagnostic": 2} {
		if types[typ] != want {
			t.Errorf("apply -json: %d messages of type %s, want %d", types[typ], typ, want)
		}
	}

	var state tfjson.State
	state.UseJSONNumber(true)
	decode(t, b.Must(0, "show", "-json").Stdout, &state)
	if err := state.Validate(); err != nil {
		t.Errorf("show -json: %v", err)
	}
	resources := state.Values.RootModule.Resources
	if len(resources) != 6 {
		t.Fatalf("show -json: %d resources, want 6", len(resources))
	}
	fax := resources[0]
	if fax.Address != `globfax_recipient.fax["fail-two"]` || fax.Mode != tfjson.ManagedResourceMode || fax.Index != "fail-two" || fax.Name != "fax" ||
		fax.Type != "globfax_recipient" || fax.ProviderName != "globfax" || fax.AttributeValues["rcpt_ref"] != "fail-two" || fax.AttributeValues["outcome"] != "failed" {
		t.Errorf("show -json: first resource %+v", fax)
	}
	if o := state.Values.Outputs["statuses"]; o == nil || !o.Type.IsObjectType() {
		t.Errorf("show -json: outputs %+v", state.Values.Outputs)
	}
	kinds := map[tfjson.CheckKind]tfjson.CheckStatus{}
	for _, c := range state.Checks {
		kinds[c.Address.Kind] = c.Status
	}
	if kinds[tfjson.CheckKindCheckBlock] != tfjson.CheckStatusFail || kinds[tfjson.CheckKindResource] != tfjson.CheckStatusFail {
		t.Errorf("show -json: checks %+v", state.Checks)
	}

	var one struct {
		FormatVersion string `json:"format_version"`
		Resource      tfjson.StateResource
		Diagnostics   []tfjson.Diagnostic
	}
	decode(t, b.Must(0, "state", "show", "-json", `globfax_recipient.fax["fail-two"]`).Stdout, &one)
	if one.FormatVersion != "1.0" || one.Resource.Address != fax.Address || one.Resource.AttributeValues["outcome"] != "failed" || one.Diagnostics == nil {
		t.Errorf("state show -json: %+v", one)
	}

	var version tfjson.VersionOutput
	decode(t, b.Must(0, "version", "-json").Stdout, &version)
	if version.Version == "" || version.Platform == "" {
		t.Errorf("version -json: %+v", version)
	}
}

func decode(t *testing.T, text string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
}

// messageTypes reads a stream of the machine-readable UI and counts its messages.
func messageTypes(t *testing.T, stream string) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	lines := bufio.NewScanner(strings.NewReader(stream))
	for lines.Scan() {
		m, err := tfjson.UnmarshalLogMessage(lines.Bytes())
		if err != nil || m.Message() == "" || m.Level() == "" || time.Since(m.Timestamp()) > time.Hour {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		var typed struct{ Type string }
		decode(t, lines.Text(), &typed)
		counts[typed.Type]++
	}
	return counts
}

// TestNumbersStayExact: what a vendor charges passes through no float on its way out.
func TestNumbersStayExact(t *testing.T) {
	server, env := vendors(t, sandbox.Options{AutoCreate: true})
	const exact = "12345678901234567.123456789"
	err := server.AddRecipient(sandbox.Recipient{Ref: "one", Status: "success", SettleAfter: -1, ChargedAmount: exact, UnitPrice: exact, PageCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := newSite(t, allVendors+`
output "cost" {
  value = globfax_recipient.fax["one"].cost
}
output "tenth" {
  value = sum([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
}
`, env)
	b.Must(0, "apply", "-auto-approve")
	if got := b.Must(0, "output", "-raw", "cost").Stdout; got != exact {
		t.Errorf("output -raw cost: %s, want %s", got, exact)
	}
	if got := b.Must(0, "output", "-raw", "tenth").Stdout; got != "1" {
		t.Errorf("output -raw tenth: %s, want 1", got)
	}
	for _, args := range [][]string{{"show", "-json"}, {"show"}, {"history"}, {"history", "-json"}, {"output", "-json"}} {
		if !strings.Contains(b.Must(0, args...).Stdout, exact) {
			t.Errorf("waybill %q does not show %s", args, exact)
		}
	}
}
