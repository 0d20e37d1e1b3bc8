package hclspec

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// csvOf is a file of n recipients.
func csvOf(n int) string {
	var b strings.Builder
	b.WriteString("invoice,rcpt_ref,customer\n")
	for i := range n {
		fmt.Fprintf(&b, "INV-%07d,rcpt_%07d,customer number %d\n", i, i, i%1000)
	}
	return b.String()
}

const csvConfig = `
locals {
  faxes = { for r in csvdecode(file("faxes.csv")) : r.invoice => r }
}
resource "globfax_recipient" "invoice" {
  for_each      = local.faxes
  rcpt_ref      = each.value.rcpt_ref
  %s
}
`

// BenchmarkForEach evaluates instances by for_each over a CSV. "direct" has
// three attributes that are plain steps from each, "general" three that are
// templates and calls. The figure that counts is us/instance, on all cores.
func BenchmarkForEach(b *testing.B) {
	kinds := map[string]string{
		"direct":  "",
		"general": "give_up_after = \"${length(each.value.customer)}h\"\n  suspend = each.value.customer == \"\"",
	}
	for _, n := range []int{1000, 100_000} {
		for _, kind := range []string{"direct", "general"} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				c := mustLoad(b, map[string]string{"main.wb.hcl": fmt.Sprintf(csvConfig, kinds[kind]), "faxes.csv": csvOf(n)})
				first := waves(b, c, c.NewEvaluation(seenMap{}))
				if len(first[0].Desired) != n {
					b.Fatalf("%d instances", len(first[0].Desired))
				}
				b.ResetTimer()
				for b.Loop() {
					waves(b, c, c.NewEvaluation(seenMap{}))
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "us/instance")
			})
		}
	}
}

// BenchmarkMillion reads a configuration of a million instances from start to
// end and reports what it keeps in memory.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	dir := writeDir(b, map[string]string{"main.wb.hcl": fmt.Sprintf(csvConfig, ""), "faxes.csv": csvOf(n)})
	for b.Loop() {
		c := mustLoadOptions(b, testOptions(dir))
		e := c.NewEvaluation(seenMap{})
		wave, diags := e.next(context.Background())
		noErrors(b, c, diags)
		if len(wave.Desired) != n {
			b.Fatalf("%d instances", len(wave.Desired))
		}
		var m runtime.MemStats
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MiB-kept")
		b.ReportMetric(float64(m.HeapSys)/(1<<20), "MiB-heap")
		b.StartTimer()
		runtime.KeepAlive(wave)
		runtime.KeepAlive(c)
		runtime.KeepAlive(e)
	}
}
