package hclspec

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what is printed into testdata/bad")

// TestBad loads every configuration of testdata/bad, one mistake each, and
// compares what a user sees with the file's section "want". A section
// "options" has lines such as "offline", "-var a=b", "-var-file x", "env A=B",
// "unset GLOBFAX_API_KEY" and "bytes" (Go escapes in the files are undone).
func TestBad(t *testing.T) {
	paths, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := judgeArchive(t, archive)
			want := ""
			for i := range archive.Files {
				if archive.Files[i].Name != "want" {
					continue
				}
				want = string(archive.Files[i].Data)
				archive.Files[i].Data = []byte(got)
			}
			if got == want {
				return
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("printed:\n%s\nwant:\n%s", got, want)
		})
	}
}

// judgeArchive writes an archive's files into a directory and prints the
// diagnostics of loading and evaluating them.
func judgeArchive(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	files, options := map[string]string{}, ""
	for _, f := range archive.Files {
		switch f.Name {
		case "want":
		case "options":
			options = string(f.Data)
		default:
			files[f.Name] = string(f.Data)
		}
	}
	env := testEnviron()
	opts := Options{Schemas: testSchemas(), Environ: environ(env)}
	for _, line := range strings.Split(strings.TrimSpace(options), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "offline":
			opts.Offline = true
		case "-var":
			opts.Vars = append(opts.Vars, Var{Text: rest})
		case "-var-file":
			opts.Vars = append(opts.Vars, Var{Text: rest, File: true})
		case "env":
			name, value, _ := strings.Cut(rest, "=")
			env[name] = value
		case "unset":
			delete(env, rest)
		case "bytes":
			for name, text := range files {
				files[name] = strings.NewReplacer(`\xff`, "\xff", `\r`, "\r", `\ufeff`, "\ufeff").Replace(text)
			}
		}
	}
	opts.Dir = writeDir(t, files)
	c, diags := judgeAll(opts, nil)
	got := strings.ReplaceAll(printed(c, diags), opts.Dir, "DIR")
	var lines []string
	for _, line := range strings.Split(strings.TrimSpace(got), "\n") {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	if !diags.HasErrors() {
		t.Errorf("no mistake was found")
	}
	for name, secret := range env {
		if len(secret) >= 4 && strings.Contains(got, secret) {
			t.Errorf("the value of %s is shown", name)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}
