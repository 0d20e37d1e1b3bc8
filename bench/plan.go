package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// faxConfig declares a fax for each line of a CSV.
const faxConfig = `
variable "endpoint" {
  default = "http://127.0.0.1:9"
}
waybill {
  backend "sqlite" {
    path = "waybill.db"
  }
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
  api_key             = "key-of-the-bench"
  api_secret          = "secret-of-the-bench"
  endpoint            = var.endpoint
  requests_per_second = 0
  concurrency         = 64
}
` + faxBlock

// faxBlock is the part of it that the floor evaluates too.
const faxBlock = `
resource "globfax_recipient" "invoice" {
  for_each = { for r in csvdecode(file("faxes.csv")) : r.invoice => r }
  rcpt_ref = each.value.rcpt_ref
}
`

// faxSite makes a directory that declares n faxes.
func (b *bench) faxSite(name string, n int) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.wb.hcl"), []byte(faxConfig), 0o600); err != nil {
		return "", err
	}
	return dir, faxes(filepath.Join(dir, "faxes.csv"), n)
}

func faxes(path string, n int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "invoice,rcpt_ref")
	for i := range n {
		fmt.Fprintf(w, "INV-%07d,rcpt_%07d\n", i, i)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// plans measures a plan in which nothing changed beside the floor, and the first
// apply.
func plans(b *bench) error {
	sizes := []int{1000, 10_000, 100_000, 1_000_000}
	if b.quick {
		sizes = sizes[:3]
	}
	for _, n := range sizes {
		dir, err := b.faxSite("plan-"+count(n), n)
		if err != nil {
			return err
		}
		first, _, err := timed(dir, b.waybill, "apply", "-auto-approve", "-refresh=false")
		if err != nil {
			return err
		}
		b.add("first apply of "+count(n), seconds(first.wall)+", "+size(first.memory), "-", "-", "-")
		if _, _, err := timed(dir, b.self, "peer-floor", "make", count0(n)); err != nil {
			return err
		}
		runs := 5
		if n >= 100_000 {
			runs = 3
		}
		if n >= 1_000_000 {
			runs = 1
		}
		ours, floor, err := medians(runs, func() (usage, error) {
			u, out, err := timed(dir, b.waybill, "plan", "-refresh=false")
			if err == nil && !strings.Contains(out, "No changes.") {
				err = fmt.Errorf("the plan is not empty:\n%.500s", out)
			}
			return u, err
		}, func() (usage, error) {
			u, _, err := timed(dir, b.self, "peer-floor", "walk", count0(n))
			return u, err
		})
		if err != nil {
			return err
		}
		aim := "1.5"
		if n >= 1_000_000 {
			aim = "1.5; 10 s, 1 GiB"
		}
		b.add("plan of "+count(n)+" / bare HCL and SQLite", seconds(ours.wall)+", "+size(ours.memory),
			seconds(floor.wall)+", "+size(floor.memory), ratio(float64(ours.wall)/float64(floor.wall)), aim)
		if n < 1_000_000 { // kept for the agent's measures
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func count0(n int) string { return fmt.Sprint(n) }
