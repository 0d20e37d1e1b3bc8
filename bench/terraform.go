package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Terraform keeps the same things: one terraform_data for each line of the CSV,
// or as many by count.
const (
	tfForEach = `
resource "terraform_data" "invoice" {
  for_each = { for r in csvdecode(file("faxes.csv")) : r.invoice => r }
  input    = each.value.rcpt_ref
}
`
	tfCount = `
resource "terraform_data" "invoice" {
  count = %d
  input = "rcpt_${format("%%07d", count.index)}"
}
`
)

// terraform measures plan and apply beside terraform's, where it is installed.
func terraform(b *bench) error {
	if _, err := exec.LookPath("terraform"); err != nil {
		b.add("plan / terraform plan", "-", "terraform is not installed", "-", "100")
		return nil
	}
	large, apply := 5000, 2000
	if b.quick {
		large, apply = 1000, 200
	}
	for _, kind := range []struct {
		name, text, aim string
		sizes           []int
	}{
		{"count", fmt.Sprintf(tfCount, large), "100 at 5k", []int{large}},
		{"for_each", tfForEach, "500 at 5k", []int{large}},
	} {
		for _, n := range kind.sizes {
			dir, err := b.faxSite(fmt.Sprintf("terraform-%s-%d", kind.name, n), n)
			if err != nil {
				return err
			}
			if err := terraformSite(dir, kind.text); err != nil {
				return err
			}
			if err := terraformState(dir, kind.name, n); err != nil {
				return err
			}
			if _, _, err := timed(dir, b.waybill, "apply", "-auto-approve", "-refresh=false"); err != nil {
				return err
			}
			ours, _, err := medians(5, func() (usage, error) {
				u, _, err := timed(dir, b.waybill, "plan", "-refresh=false")
				return u, err
			}, nil)
			if err != nil {
				return err
			}
			theirs, _, err := timed(dir, "terraform", "plan", "-refresh=false", "-detailed-exitcode", "-input=false")
			if err != nil {
				return err
			}
			b.add(fmt.Sprintf("plan of %s / terraform plan, %s", count(n), kind.name), seconds(ours.wall), seconds(theirs.wall),
				ratio(float64(theirs.wall)/float64(ours.wall))+" times", kind.aim)
		}
	}
	dir, err := b.faxSite("terraform-apply", apply)
	if err != nil {
		return err
	}
	if err := terraformSite(dir, tfForEach); err != nil {
		return err
	}
	ours, _, err := timed(dir, b.waybill, "apply", "-auto-approve", "-refresh=false")
	if err != nil {
		return err
	}
	theirs, _, err := timed(dir, "terraform", "apply", "-refresh=false", "-auto-approve", "-input=false")
	if err != nil {
		return err
	}
	b.add("first apply of "+count(apply)+" / terraform apply", seconds(ours.wall), seconds(theirs.wall),
		ratio(float64(theirs.wall)/float64(ours.wall))+" times", "200 at 2k")
	return nil
}

func terraformSite(dir, text string) error {
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600); err != nil {
		return err
	}
	_, _, err := timed(dir, "terraform", "init", "-input=false")
	return err
}

// terraformState writes the state that an apply would leave: making it with
// terraform would take many minutes.
func terraformState(dir, kind string, n int) error {
	instances := make([]map[string]any, n)
	for i := range n {
		ref := fmt.Sprintf("rcpt_%07d", i)
		var key any = i
		if kind == "for_each" {
			key = fmt.Sprintf("INV-%07d", i)
		}
		dynamic := map[string]any{"value": ref, "type": "string"}
		instances[i] = map[string]any{
			"index_key": key, "schema_version": 0, "sensitive_attributes": []any{},
			"attributes": map[string]any{"id": fmt.Sprintf("00000000-0000-0000-0000-%012d", i), "input": dynamic, "output": dynamic, "triggers_replace": nil},
		}
	}
	each := map[string]string{"for_each": "map", "count": "list"}[kind]
	state := map[string]any{
		"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "00000000-0000-0000-0000-000000000001", "outputs": map[string]any{},
		"resources": []any{map[string]any{
			"mode": "managed", "type": "terraform_data", "name": "invoice", "each": each,
			"provider": `provider["terraform.io/builtin/terraform"]`, "instances": instances,
		}},
	}
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "terraform.tfstate"), text, 0o600)
}
