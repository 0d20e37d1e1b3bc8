package hclspec

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Files that cannot be read: each is a mistake that says so, and none keeps the
// loader waiting.
func TestUnreadableFiles(t *testing.T) {
	const reading = "resource \"globfax_recipient\" \"a\" {\n  for_each = { for r in csvdecode(file(\"a.csv\")) : r.k => r }\n  rcpt_ref = each.value.ref\n}\n"
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	sparse := func(name string, size int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			write(name, "")(t, dir)
			if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
				t.Fatal(err)
			}
		}
	}
	do := func(name string, call func(path string) error) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := call(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	directory := func(path string) error { return os.Mkdir(path, 0o700) }
	pipe := func(path string) error { return syscall.Mkfifo(path, 0o600) }
	loop := func(path string) error { return os.Symlink(path, path) }
	dangling := func(path string) error { return os.Symlink(path+"-gone", path) }
	locked := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if os.Geteuid() == 0 {
				t.Skip("the superuser reads every file")
			}
			write(name, "")(t, dir)
			if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	var header strings.Builder
	header.WriteString("k,ref")
	for range 100_000 {
		header.WriteString(",k")
	}
	for _, c := range []struct {
		name, main string
		make       func(*testing.T, string)
		want       string
	}{
		{"configuration: a directory", "", do("main.wb.hcl", directory), "Unreadable configuration file: The file main.wb.hcl cannot be read: it is not a regular file."},
		{"configuration: a pipe", "", do("main.wb.hcl", pipe), "Unreadable configuration file: The file main.wb.hcl cannot be read: it is not a regular file."},
		{"configuration: a loop", "", do("main.wb.hcl", loop), "Unreadable configuration file: The file main.wb.hcl cannot be read: too many levels of symbolic links."},
		{"configuration: a link to nothing", "", do("main.wb.hcl", dangling), "Unreadable configuration file: The file main.wb.hcl cannot be read: no such file or directory."},
		{"configuration: denied", "", locked("main.wb.hcl"), "Unreadable configuration file: The file main.wb.hcl cannot be read: permission denied."},
		{"configuration: enormous", "", sparse("main.wb.hcl", 20<<30), "Unreadable configuration file: The file main.wb.hcl cannot be read: it has 21474836480 bytes, and 67108864 is the most that is read."},
		{"values: a directory", "locals {}\n", do("waybill.wbvars.hcl", directory), "Unreadable variables file: The variables file waybill.wbvars.hcl cannot be read: it is not a regular file."},
		{"values: a pipe", "locals {}\n", do("waybill.wbvars.hcl", pipe), "Unreadable variables file: The variables file waybill.wbvars.hcl cannot be read: it is not a regular file."},
		{"values: a link to nothing", "locals {}\n", do("a.auto.wbvars.hcl", dangling), "Unreadable variables file: The variables file a.auto.wbvars.hcl cannot be read: no such file or directory."},
		{"values: the main one a link to nothing", "locals {}\n", do("waybill.wbvars.hcl", dangling), "Unreadable variables file: The variables file waybill.wbvars.hcl cannot be read: no such file or directory."},
		{"CSV: a pipe", reading, do("a.csv", pipe), `Invalid value for "path" parameter: the file "a.csv" cannot be read: it is not a regular file.`},
		{"CSV: a directory", reading, do("a.csv", directory), `Invalid value for "path" parameter: the file "a.csv" cannot be read: it is not a regular file.`},
		{"CSV: enormous", reading, sparse("a.csv", 20<<30), `Invalid value for "path" parameter: the file "a.csv" cannot be read: it has 21474836480 bytes, and 1073741824 is the most that is read.`},
		{"CSV: UTF-16", reading, write("a.csv", "\xff\xfek\x00,\x00r\x00e\x00f\x00\n\x00"), `the file "a.csv" is not UTF-8`},
		{"CSV: a byte order mark alone", reading, write("a.csv", "\xef\xbb\xbf"), "missing header line"},
		{"CSV: a hundred thousand columns, one twice", reading, write("a.csv", header.String()+"\n"), `duplicate column name "k"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.main != "" {
				write("main.wb.hcl", c.main)(t, dir)
			}
			c.make(t, dir)
			config, diags := Load(Options{Dir: dir, Schemas: testSchemas(), Environ: environ(testEnviron())})
			if config != nil && !diags.HasErrors() {
				diags = append(diags, config.Mistakes(t.Context(), diags)...)
				e := config.NewEvaluation(nil)
				for {
					wave, more := e.next(t.Context())
					if diags = append(diags, more...); wave == nil {
						break
					}
				}
			}
			found := false
			for _, d := range diags {
				if strings.Contains(d.Summary+": "+d.Detail, c.want) {
					found = true
				}
			}
			if !found {
				t.Errorf("said %v, want %s", diags, c.want)
			}
		})
	}
}

// A CSV of a hundred thousand columns is read.
func TestWideCSV(t *testing.T) {
	var header, row strings.Builder
	header.WriteString("k,ref")
	row.WriteString("a,r1")
	for i := range 100_000 {
		header.WriteString(",c")
		header.WriteString(strings.Repeat("x", i%7))
		for n := i; n > 0; n /= 10 {
			header.WriteByte(byte('0' + n%10))
		}
		row.WriteString(",v")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.wb.hcl": "resource \"globfax_recipient\" \"a\" {\n  for_each = { for r in csvdecode(file(\"a.csv\")) : r.k => r }\n  rcpt_ref = each.value.ref\n}\n",
		"a.csv":       "\ufeff" + header.String() + "\r\n" + row.String() + "\r\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, diags := Load(Options{Dir: dir, Schemas: testSchemas(), Environ: environ(testEnviron())})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	e := config.NewEvaluation(nil)
	n := 0
	for {
		wave, diags := e.next(t.Context())
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if wave == nil {
			break
		}
		n += len(wave.Desired)
	}
	if n != 1 {
		t.Errorf("%d instances", n)
	}
}
