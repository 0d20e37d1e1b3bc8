package hclspec

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

func addresses(list []plan.Desired) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.Address.String())
	}
	return out
}

func equalStrings(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestDesiredIsCanonical(t *testing.T) {
	c := mustLoad(t, hclFile(`
provider "itniotech" {
  app_id = "app"
}
resource "itniotech_otp_order" "o" {
  for_each = { b = "2", a = "1" }
  order_id = each.value
  suspend  = each.key == "a"
  poll {
    interval      = each.key == "a" ? "2m" : "90s"
    max_interval  = "1h"
    give_up_after = "24h"
  }
  lifecycle {
    prevent_forget = true
  }
}
`))
	wave := waves(t, c, c.NewEvaluation(nil))[0]
	equalStrings(t, "instances", addresses(wave.Desired), []string{`itniotech_otp_order.o["a"]`, `itniotech_otp_order.o["b"]`})
	want := cty.ObjectVal(map[string]cty.Value{
		"order_id": cty.StringVal("1"), "app_id": cty.StringVal("app"), "valid_for": cty.StringVal("10m"),
		"poll":          cty.ObjectVal(map[string]cty.Value{"interval": cty.StringVal("2m"), "max_interval": cty.StringVal("1h")}),
		"give_up_after": cty.StringVal("24h"), "suspend": cty.True, "prevent_forget": cty.True,
	})
	if !want.Type().Equals(c.types["itniotech_otp_order"].argsType) {
		t.Fatalf("the test's type is not ArgsType: %#v", c.types["itniotech_otp_order"].argsType)
	}
	encoded, err := value.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	d := wave.Desired[0]
	if string(d.Args) != string(encoded) {
		t.Errorf("arguments %s, want %s", d.Args, encoded)
	}
	if d.Account != "itniotech" || d.Identity != "app/1" || d.Origin != (plan.Origin{File: "main.wb.hcl", Line: 5}) {
		t.Errorf("account %q, identity %q, origin %v", d.Account, d.Identity, d.Origin)
	}
	if d.Settings.Interval != 2*time.Minute || d.Settings.MaxInterval != time.Hour || d.Settings.GiveUpAfter != 24*time.Hour || !d.Settings.PreventForget || !d.Settings.Suspend {
		t.Errorf("settings %+v", d.Settings)
	}
}

func TestCount(t *testing.T) {
	c := mustLoad(t, hclFile(`
resource "ucloud_usms_message" "m" {
  count      = 12
  session_no = "s${count.index}"
}
output "sessions" {
  value = ucloud_usms_message.m[*].session_no
}
`))
	e := c.NewEvaluation(seenMap{})
	wave := waves(t, c, e)[0]
	if len(wave.Desired) != 12 || wave.Desired[2].Address != (plan.NewAddress("ucloud_usms_message", "m", plan.IntKey(2))) || wave.Desired[10].Identity != "s10" {
		t.Errorf("instances %q", addresses(wave.Desired))
	}
	outputs, diags := e.Outputs(context.Background())
	noErrors(t, c, diags)
	if n := outputs[0].Value.LengthInt(); n != 12 {
		t.Errorf("the splat has %d elements", n)
	}
}

// driven is a configuration whose second block stands on what is seen of the first.
const driven = `
resource "globfax_recipient" "first" {
  for_each = toset(["a", "b"])
  rcpt_ref = each.key
}
locals {
  failed = { for k, r in globfax_recipient.first : k => r if r.status == "failed" }
}
resource "ucloud_usms_message" "second" {
  for_each   = local.failed
  session_no = "retry-${each.key}"
}
resource "ucloud_usms_message" "third" {
  session_no = globfax_recipient.first["a"].failed_reason
}
resource "ucloud_usms_message" "fourth" {
  session_no = "plain"
}
`

func TestWavesFollowWhatIsSeen(t *testing.T) {
	c := mustLoad(t, hclFile(driven))
	seen := seenMap{"globfax_recipient.first": {}}
	e := c.NewEvaluation(seen)
	first, diags := e.next(context.Background())
	noErrors(t, c, diags)
	equalStrings(t, "first wave", first.Blocks, []string{"globfax_recipient.first", "ucloud_usms_message.fourth"})

	// What is seen between the waves counts in the second.
	seen["globfax_recipient.first"][plan.StringKey("a")] = values(c, "globfax_recipient", map[string]cty.Value{"status": cty.StringVal("failed"), "failed_reason": cty.StringVal("BUSY")})
	seen["globfax_recipient.first"][plan.StringKey("b")] = values(c, "globfax_recipient", map[string]cty.Value{"status": cty.StringVal("success")})
	second, diags := e.next(context.Background())
	noErrors(t, c, diags)
	equalStrings(t, "second wave", second.Blocks, []string{"ucloud_usms_message.second", "ucloud_usms_message.third"})
	equalStrings(t, "instances", addresses(second.Desired), []string{`ucloud_usms_message.second["a"]`, "ucloud_usms_message.third"})
	if second.Desired[1].Identity != "BUSY" {
		t.Errorf("identity %q", second.Desired[1].Identity)
	}
	if end, diags := e.next(context.Background()); end != nil || diags.HasErrors() {
		t.Errorf("a third wave: %v %v", end, diags)
	}
}

func TestUnknownIsDeferredNotAnError(t *testing.T) {
	for name, seen := range map[string]Seen{"validate": nil, "before the first read": seenMap{}} {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, hclFile(driven))
			all := waves(t, c, c.NewEvaluation(seen))
			if len(all) != 2 {
				t.Fatalf("%d waves", len(all))
			}
			equalStrings(t, "deferred", all[1].Deferred, []string{"ucloud_usms_message.second"})
			if len(all[1].DeferredInstances) != 1 || all[1].DeferredInstances[0].String() != "ucloud_usms_message.third" {
				t.Errorf("deferred instances %v", all[1].DeferredInstances)
			}
			if len(all[1].Desired) != 0 {
				t.Errorf("instances %q", addresses(all[1].Desired))
			}
		})
	}
}

func TestOneWaveWithoutReferences(t *testing.T) {
	c := mustLoad(t, hclFile(`
resource "ucloud_usms_message" "b" {
  session_no = "2"
}
resource "ucloud_usms_message" "a" {
  session_no = "1"
}
output "o" {
  value = ucloud_usms_message.a.received
}
`))
	all := waves(t, c, c.NewEvaluation(nil))
	if len(all) != 1 {
		t.Fatalf("%d waves", len(all))
	}
	equalStrings(t, "order", addresses(all[0].Desired), []string{"ucloud_usms_message.a", "ucloud_usms_message.b"})
}

func TestMistakenInstancesAreGathered(t *testing.T) {
	c := mustLoad(t, hclFile(`
resource "globfax_recipient" "a" {
  for_each = toset([for i in range(1000) : "bad ref ${i}"])
  rcpt_ref = each.key
}
`))
	wave, diags := c.NewEvaluation(nil).next(context.Background())
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, `globfax_recipient.a["bad ref 0"] and 999 more instances`) {
		t.Errorf("diagnostics:\n%s", printed(c, diags))
	}
	if len(wave.Desired) != 0 {
		t.Errorf("%d instances", len(wave.Desired))
	}
}

func TestDependents(t *testing.T) {
	c := mustLoad(t, hclFile(driven+`
output "o" {
  value = length(local.failed)
}
check "k" {
  assert {
    condition     = ucloud_usms_message.fourth.received > 0
    error_message = "no"
  }
}
resource "nxcloud_number_check" "n" {
  batch_no = "1"
  expect "e" {
    condition     = ucloud_usms_message.fourth.settled
    error_message = "no"
  }
}
`))
	got := c.Dependents()
	equalStrings(t, "of first", got["globfax_recipient.first"], []string{"output.o", "ucloud_usms_message.second", "ucloud_usms_message.third"})
	equalStrings(t, "of fourth", got["ucloud_usms_message.fourth"], []string{"check.k", "nxcloud_number_check.n"})
	if len(got) != 2 {
		t.Errorf("dependents %v", got)
	}
}

func TestOutputs(t *testing.T) {
	c := mustLoad(t, hclFile(`
resource "globfax_recipient" "i" {
  for_each = toset(["a", "b"])
  rcpt_ref = each.key
}
output "cost" {
  description = "what it cost"
  value       = sum([for r in globfax_recipient.i : r.charged_amount if r.charged_amount != null])
}
output "key" {
  sensitive = true
  value     = env("GLOBFAX_API_KEY")
}
output "plain" {
  value = nonsensitive(env("GLOBFAX_API_KEY"))
}
`))
	seen := seenMap{}
	e := c.NewEvaluation(seen)
	waves(t, c, e)
	outputs, diags := e.Outputs(context.Background())
	noErrors(t, c, diags)
	if len(outputs) != 3 || outputs[0].Value.IsKnown() || outputs[0].Description != "what it cost" {
		t.Errorf("before the first read: %#v", outputs)
	}
	if outputs[1].Value != cty.NilVal || !outputs[1].Sensitive {
		t.Errorf("sensitive: %#v", outputs[1])
	}
	if outputs[2].Value.IsMarked() || outputs[2].Value.AsString() != "globfax-key-1" {
		t.Errorf("nonsensitive: %#v", outputs[2])
	}

	read := map[plan.Key]cty.Value{}
	for i, key := range []string{"a", "b"} {
		amount := []string{"0.1", "0.2"}[i]
		read[plan.StringKey(key)] = values(c, "globfax_recipient", map[string]cty.Value{"charged_amount": cty.MustParseNumberVal(amount)})
	}
	seen["globfax_recipient.i"] = read
	e = c.NewEvaluation(seen)
	waves(t, c, e)
	outputs, diags = e.Outputs(context.Background())
	noErrors(t, c, diags)
	encoded, err := value.Encode(outputs[0].Value)
	if err != nil || string(encoded) != "0.3" {
		t.Errorf("sum %s, %v", encoded, err)
	}
	for key := range read {
		read[key] = values(c, "globfax_recipient", nil)
	}
	e = c.NewEvaluation(seen)
	waves(t, c, e)
	outputs, diags = e.Outputs(context.Background())
	noErrors(t, c, diags)
	if !outputs[0].Value.RawEquals(cty.Zero) {
		t.Errorf("nothing charged yet: %#v", outputs[0].Value)
	}
}

func TestChecks(t *testing.T) {
	c := mustLoad(t, hclFile(`
variable "secret" {
  default   = "hush-hush"
  sensitive = true
}
resource "globfax_recipient" "i" {
  rcpt_ref = "a"
}
locals {
  one = 1
}
check "fails" {
  assert {
    condition     = local.one > 2
    error_message = "one is not above two, ${var.secret}"
  }
  assert {
    condition     = 1 < 2
    error_message = "never"
  }
}
check "passes" {
  assert {
    condition     = true
    error_message = "never"
  }
}
check "pending" {
  assert {
    condition     = globfax_recipient.i.status == "success"
    error_message = "not sent"
  }
}
check "settled" {
  assert {
    condition     = !globfax_recipient.i.settled
    error_message = "already"
  }
}
`))
	seen := seenMap{}
	e := c.NewEvaluation(seen)
	waves(t, c, e)
	// Before the first read outcome and settled are known, the rest is not.
	types := c.types["globfax_recipient"].values.AttributeTypes()
	attrs := map[string]cty.Value{}
	for name, ty := range types {
		attrs[name] = cty.UnknownVal(ty)
	}
	attrs["settled"] = cty.False
	seen["globfax_recipient.i"] = map[plan.Key]cty.Value{plan.NoKey: cty.ObjectVal(attrs)}
	e = c.NewEvaluation(seen)
	waves(t, c, e)
	checks, diags := e.Checks(context.Background())
	noErrors(t, c, diags)
	var got []string
	for _, k := range checks {
		got = append(got, k.Name+" "+string(k.State)+" "+strings.Join(k.Messages, "|"))
		if len(k.Failures) != len(k.Messages) {
			t.Errorf("check %s: %d messages, %d of them with a place", k.Name, len(k.Messages), len(k.Failures))
		}
	}
	const shown = `Warning: Check block assertion failed

  on main.wb.hcl line 14, in check "fails":
  14:     condition     = local.one > 2

with local.one as 1.

one is not above two, (sensitive value)

`
	if text := printed(c, checks[0].Failures); text != shown {
		t.Errorf("a failed check is shown as:\n%s", text)
	}
	equalStrings(t, "checks", got, []string{
		"fails fail one is not above two, (sensitive value)", "passes pass ", "pending unknown ", "settled pass ",
	})
}

func TestJSONIsTheSameLanguage(t *testing.T) {
	native := mustLoad(t, hclFile(`
provider "itniotech" {
  alias  = "eu"
  app_id = "app"
}
resource "itniotech_otp_order" "o" {
  for_each = { a = "1", b = "2" }
  provider = itniotech.eu
  order_id = "x-${each.value}"
  poll {
    interval = "2m"
  }
  expect "verified" {
    condition     = self.matched == 0
    within        = "10m"
    error_message = "order ${each.key}"
  }
}
moved {
  from = itniotech_otp_order.old["a"]
  to   = itniotech_otp_order.o["a"]
}
`))
	json := mustLoad(t, map[string]string{"main.wb.json": `{
  "provider": {"itniotech": {"alias": "eu", "app_id": "app"}},
  "resource": {"itniotech_otp_order": {"o": {
    "for_each": {"a": "1", "b": "2"},
    "provider": "itniotech.eu",
    "order_id": "x-${each.value}",
    "poll": {"interval": "2m"},
    "expect": {"verified": {"condition": "${self.matched == 0}", "within": "10m", "error_message": "order ${each.key}"}}
  }}},
  "moved": [{"from": "itniotech_otp_order.old[\"a\"]", "to": "itniotech_otp_order.o[\"a\"]"}]
}`})
	var sides [2][]plan.Desired
	for i, c := range []*Root{native, json} {
		e := c.NewEvaluation(nil)
		sides[i] = waves(t, c, e)[0].Desired
		verdicts := e.Judge(sides[i][0].Address, values(c, "itniotech_otp_order", map[string]cty.Value{"matched": cty.NumberIntVal(2)}))
		if len(verdicts) != 1 || verdicts[0].Message != "order a" || verdicts[0].Within.Minutes() != 10 {
			t.Errorf("verdicts %+v", verdicts)
		}
		if moves := c.Moves(); len(moves) != 1 || moves[0].From.String() != `itniotech_otp_order.old["a"]` {
			t.Errorf("moves %v", moves)
		}
	}
	for i := range sides[0] {
		a, b := sides[0][i], sides[1][i]
		if a.Address != b.Address || a.Identity != b.Identity || string(a.Args) != string(b.Args) || a.Account != b.Account {
			t.Errorf("%+v is not %+v", a, b)
		}
	}
}

func TestRestKeepsWhatExpectationsNeed(t *testing.T) {
	c := mustLoad(t, map[string]string{"faxes.csv": "invoice,rcpt_ref\nI1,r1\n", "main.wb.hcl": `
locals {
  faxes  = { for r in csvdecode(file("faxes.csv")) : r.invoice => r }
  wanted = "success"
}
resource "globfax_recipient" "i" {
  for_each = local.faxes
  rcpt_ref = each.value.rcpt_ref
  expect "ok" {
    condition     = self.status == local.wanted
    error_message = "fax ${each.value.invoice}"
  }
}
resource "globfax_recipient" "j" {
  for_each = local.faxes
  rcpt_ref = "j-${each.value.rcpt_ref}"
}
`})
	e := c.NewEvaluation(seenMap{})
	waves(t, c, e)
	e.Rest()
	if x := e.expansions["globfax_recipient.j"]; x.keys != nil || x.forEach != cty.NilVal {
		t.Error("the values of a block without expectations are kept")
	}
	verdicts := e.Judge(plan.NewAddress("globfax_recipient", "i", plan.StringKey("I1")), values(c, "globfax_recipient", map[string]cty.Value{"status": cty.StringVal("failed")}))
	if len(verdicts) != 1 || !verdicts[0].Known || verdicts[0].Holds || verdicts[0].Message != "fax I1" {
		t.Errorf("verdicts %+v", verdicts)
	}
}

func TestCountMayBeSensitive(t *testing.T) {
	c := mustLoad(t, hclFile(`
resource "ucloud_usms_message" "m" {
  count      = length(env("GLOBFAX_API_KEY")) > 3 ? 1 : 0
  session_no = "s${count.index}"
}
`))
	if n := len(waves(t, c, c.NewEvaluation(nil))[0].Desired); n != 1 {
		t.Errorf("%d instances", n)
	}
}
