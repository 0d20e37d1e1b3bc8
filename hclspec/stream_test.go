package hclspec

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/plan"
)

// outcome is what a configuration comes to: its instances, those that wait, and
// its mistakes without their places.
type streamOutcome struct {
	Desired  []plan.Desired
	Waiting  []plan.Address
	Deferred []string
	Mistakes []string
}

func outcomeOf(t *testing.T, files map[string]string) (o streamOutcome, streamed bool) {
	t.Helper()
	c, diags := Load(testOptions(writeDir(t, files)))
	noErrors(t, c, diags)
	_, diags = c.Accounts()
	noErrors(t, c, diags)
	e := c.NewEvaluation(seenMap{})
	for {
		wave, diags := e.next(context.Background())
		for _, d := range diags {
			if d.Severity == hcl.DiagError {
				o.Mistakes = append(o.Mistakes, d.Summary+": "+d.Detail)
			}
		}
		if wave == nil || diags.HasErrors() {
			break
		}
		o.Desired = append(o.Desired, wave.Desired...)
		o.Waiting = append(o.Waiting, wave.DeferredInstances...)
		o.Deferred = append(o.Deferred, wave.Deferred...)
	}
	for _, x := range e.expansions {
		streamed = streamed || x.streamed != nil
	}
	return o, streamed
}

// A stream comes to what the long way comes to, mistakes included. merge makes
// of the same for_each one that is none.
func TestStreamAsTheLongWay(t *testing.T) {
	wide := func(n int) string {
		var b strings.Builder
		b.WriteString("n,ref\n")
		for i := range n {
			fmt.Fprintf(&b, "k%d,ref-%d\n", i*7919%n, i)
		}
		return b.String()
	}
	fax := "rcpt_ref = each.value.ref"
	const rows = `csvdecode(file("f.csv"))`
	cases := map[string]struct {
		loop, args, csv string
		streams         bool
	}{
		"plain":                {"for r in " + rows + " : r.n => r", fax, "n,ref\nb,2\na,1\n", true},
		"thousands, unordered": {"for r in " + rows + " : r.n => r", fax, wide(5000), true},
		"byte order mark":      {"for r in " + rows + " : r.n => r", fax, "\ufeffn,ref\r\nb,2\r\n\r\na,1\r\n", true},
		"quoted":               {"for r in " + rows + " : r.n => r", fax, "n,ref\n\"b\nc\",\"2,\"\"3\"\"\"\na,1", true},
		"not in form C":        {"for r in " + rows + " : r.n => r", fax, "n,ref\ne\u0301,e\u0301\n", true},
		"nothing":              {"for r in " + rows + " : r.n => r", fax, "n,ref\n", true},
		"index":                {"for i, r in " + rows + " : \"${i}-${r.n}\" => r", fax, "n,ref\nb,2\na,1\n", true},
		"number keys":          {"for i, r in " + rows + " : i => r", fax, wide(3000), true},
		"filtered":             {"for r in " + rows + " : r.n => r if r.ref != \"ref-3\"", fax, wide(3000), true},
		"all filtered":         {"for r in " + rows + " : r.n => r if false", fax, wide(10), true},
		"other values":         {"for r in " + rows + " : r.n => upper(r.ref)", "rcpt_ref = each.value", wide(10), true},
		"templates":            {"for r in " + rows + " : r.n => r", `rcpt_ref = "x-${each.value.ref}-${each.key}"`, wide(10), true},
		"key":                  {"for r in " + rows + " : r.n => r", "rcpt_ref = each.key", wide(10), true},
		"interval":             {"for r in " + rows + " : r.n => r", fax + "\npoll { interval = \"${60 + length(each.key)}s\" }", wide(10), true},
		"a list":               {`for r in ["b", "a"] : r => { ref = r }`, fax, "", true},
		"a map":                {`for k, v in { b = "2", a = "1" } : k => v`, "rcpt_ref = each.value", "", true},
		"a set":                {`for k, v in toset(["b", "a"]) : k => v`, "rcpt_ref = each.value", "", true},
		"index syntax":         {"for r in " + rows + " : r[\"n\"] => r", `rcpt_ref = each.value["ref"]`, wide(10), true},
		"expectation":          {"for r in " + rows + " : r.n => r", fax + "\nexpect \"x\" {\n condition = self.settled\n error_message = \"no ${each.key}\"\n}", wide(10), true},

		"expectation by value": {"for r in " + rows + " : r.n => r", fax + "\nexpect \"x\" {\n condition = self.settled\n error_message = \"no ${each.value.ref}\"\n}", wide(10), false},
		"groups":               {"for r in " + rows + " : r.ref => r.n...", "rcpt_ref = each.value[0]", "n,ref\nb,2\na,1\n", false},
		"duplicate key":        {"for r in " + rows + " : r.n => r", fax, "n,ref\nb,2\na,1\nb,3\n", false},
		"duplicate record":     {"for r in " + rows + " : r.n => r", fax, "n,ref\nb,2\na,2\n", true},
		"duplicate column":     {"for r in " + rows + " : r.n => r", fax, "n,n\nb,2\n", false},
		"no column":            {"for r in " + rows + " : r.m => r", fax, "n,ref\nb,2\n", false},
		"no attribute":         {"for r in " + rows + " : r.n => r", "rcpt_ref = each.value.nothing", "n,ref\nb,2\na,1\n", false},
		"short line":           {"for r in " + rows + " : r.n => r", fax, "n,ref\nb\n", false},
		"bad quote":            {"for r in " + rows + " : r.n => r", fax, "n,ref\n\"b,1\n", false},
		"empty file":           {"for r in " + rows + " : r.n => r", fax, "", false},
		"no file":              {`for r in csvdecode(file("g.csv")) : r.n => r`, fax, "", false},
		"null":                 {`for r in ["a"] : r => null`, "rcpt_ref = each.value", "", false},
		"null key":             {`for r in ["a"] : null => r`, "rcpt_ref = each.value", "", false},
		"not a condition":      {`for r in ["a"] : r => r if "x"`, "rcpt_ref = each.value", "", false},
		"no collection":        {`for r in 5 : r => r`, "rcpt_ref = each.value", "", false},
		"null collection":      {`for r in null : r => r`, "rcpt_ref = each.value", "", false},
		"wrong type":           {`for r in ["a"] : r => [r]`, "rcpt_ref = each.value", "", false},
		"empty reference":      {"for r in " + rows + " : r.n => r", fax, "n,ref\nb,\n", true},
		"sensitive rows":       {`for r in sensitive(["a"]) : r => r`, "rcpt_ref = each.value", "", false},
		"sensitive value":      {`for r in ["a"] : r => sensitive(r)`, "rcpt_ref = each.value", "", false},
		"sensitive, unused":    {`for r in ["a"] : r => { ref = r, pin = sensitive("1") }`, fax, "", true},
		"unknown":              {`for k in ["a"] : k => itniotech_otp_order.o.reason`, "rcpt_ref = each.value", "", false},
		"unknown key":          {`for k in ["a"] : itniotech_otp_order.o.reason => k`, "rcpt_ref = each.value", "", false},
	}
	for name, c := range cases {
		for _, form := range []string{"for_each = %s", "for_each = local.faxes"} {
			for _, loop := range []string{"{" + c.loop + "}", "({" + c.loop + "})"} {
				t.Run(name+"/"+form, func(t *testing.T) {
					files := func(text string) map[string]string {
						config := "resource \"itniotech_otp_order\" \"o\" {\n order_id = \"1\"\n app_id = \"a\"\n}\nlocals {\n faxes = " + text +
							"\n}\nresource \"globfax_recipient\" \"f\" {\n" + strings.ReplaceAll(form, "%s", text) + "\n" + c.args + "\n}\n"
						return map[string]string{"main.wb.hcl": config, "f.csv": c.csv}
					}
					got, streamed := outcomeOf(t, files(loop))
					want, long := outcomeOf(t, files("merge("+loop+", {})"))
					if long {
						t.Fatal("the other is a stream too")
					}
					if streamed != c.streams {
						t.Errorf("streamed: %v", streamed)
					}
					for i := range got.Mistakes {
						got.Mistakes[i] = strings.ReplaceAll(got.Mistakes[i], "main.wb.hcl", "")
					}
					for i := range want.Mistakes {
						want.Mistakes[i] = strings.ReplaceAll(want.Mistakes[i], "main.wb.hcl", "")
					}
					if !reflect.DeepEqual(got, want) {
						t.Errorf("streamed: %+v\nlong way: %+v", got, want)
					}
				})
			}
		}
	}
}
