package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/globfax"
)

// threeAttributes is a block whose instances have three attributes of their own.
const threeAttributes = `
  rcpt_ref      = each.value.rcpt_ref
  give_up_after = "${each.value.hours}h"
  suspend       = each.value.hours == "0"
`

// evaluation measures one instance with three attributes on one core.
func evaluation(b *bench) error {
	n := 100_000
	if b.quick {
		n = 20_000
	}
	dir := filepath.Join(b.dir, "evaluation")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text := "provider \"globfax\" {\n  api_key = \"k\"\n  api_secret = \"s\"\n  endpoint = \"http://127.0.0.1:9\"\n}\n" +
		"resource \"globfax_recipient\" \"invoice\" {\n  for_each = { for r in csvdecode(file(\"faxes.csv\")) : r.invoice => { rcpt_ref = r.rcpt_ref, hours = \"72\" } }\n" + threeAttributes + "}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.wb.hcl"), []byte(text), 0o600); err != nil {
		return err
	}
	if err := faxes(filepath.Join(dir, "faxes.csv"), n); err != nil {
		return err
	}
	var ours, decoded, direct []float64
	for range 3 {
		for _, each := range []struct {
			list *[]float64
			run  func() (time.Duration, error)
		}{
			{&ours, func() (time.Duration, error) { return ourInstances(dir, n) }},
			{&decoded, func() (time.Duration, error) { return bareInstances(n, true) }},
			{&direct, func() (time.Duration, error) { return bareInstances(n, false) }},
		} {
			runtime.GC()
			took, err := each.run()
			if err != nil {
				return err
			}
			*each.list = append(*each.list, float64(took.Nanoseconds())/1000/float64(n))
		}
	}
	us := func(x float64) string { return fmt.Sprintf("%.1f us", x) }
	b.add("instance of three attributes, one core / hcldec", us(mid(ours)), us(mid(decoded)), ratio(mid(ours)/mid(decoded)), "1")
	b.add("instance of three attributes, one core / direct", us(mid(ours)), us(mid(direct)), ratio(mid(ours)/mid(direct)), "1")
	return nil
}

// ourInstances takes for_each too, and all that becomes of an instance: checks,
// defaults, canonical arguments, duplicates.
func ourInstances(dir string, n int) (time.Duration, error) {
	config, diags := hclspec.Load(hclspec.Options{
		Dir: dir, Schemas: []*plan.Schema{globfax.Definition().Schema}, Parallelism: 1, Environ: func(string) (string, bool) { return "", false },
	})
	if diags.HasErrors() {
		return 0, diags
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	begin := time.Now()
	made := 0
	diags, err := config.NewEvaluation(nothingSeen{}).All(context.Background(), func(wave *hclspec.Wave) error {
		made += len(wave.Desired)
		return nil
	})
	took := time.Since(begin)
	if diags.HasErrors() {
		return 0, diags
	}
	if err != nil {
		return 0, err
	}
	if made != n {
		return 0, fmt.Errorf("%d instances of %d", made, n)
	}
	return took, nil
}

type nothingSeen struct{}

// Instances implements hclspec.Seen.
func (nothingSeen) Instances(context.Context, string, string) (map[plan.Key]cty.Value, error) {
	return nil, nil
}

// bareInstances evaluates the three attributes alone, with each.value at hand.
func bareInstances(n int, decode bool) (time.Duration, error) {
	file, diags := hclsyntax.ParseConfig([]byte(threeAttributes), "main.wb.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return 0, diags
	}
	spec := hcldec.ObjectSpec{
		"rcpt_ref":      &hcldec.AttrSpec{Name: "rcpt_ref", Type: cty.String},
		"give_up_after": &hcldec.AttrSpec{Name: "give_up_after", Type: cty.String},
		"suspend":       &hcldec.AttrSpec{Name: "suspend", Type: cty.Bool},
	}
	attributes, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		return 0, diags
	}
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	begin := time.Now()
	for i := range n {
		each := cty.ObjectVal(map[string]cty.Value{
			"key":   cty.StringVal(fmt.Sprintf("INV-%d", i)),
			"value": cty.ObjectVal(map[string]cty.Value{"rcpt_ref": cty.StringVal(fmt.Sprintf("rcpt_%d", i)), "hours": cty.StringVal("72")}),
		})
		ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"each": each}}
		if decode {
			if _, diags := hcldec.Decode(file.Body, spec, ctx); diags.HasErrors() {
				return 0, diags
			}
			continue
		}
		for _, a := range attributes {
			if _, diags := a.Expr.Value(ctx); diags.HasErrors() {
				return 0, diags
			}
		}
	}
	return time.Since(begin), nil
}
