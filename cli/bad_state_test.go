package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	"github.com/waybill-dev/waybill/tests/harness"
)

// A state that cannot be used: every command says what it is and what to do,
// exits 1, changes nothing of it, and shows nobody a stack trace.
func TestUnusableStates(t *testing.T) {
	alter := func(t *testing.T, path, script string) {
		t.Helper()
		conn, err := (&sqlite3.SQLiteDriver{}).Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.(*sqlite3.SQLiteConn).Exec(script, nil); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		make func(t *testing.T, b *harness.Site, path string)
		want string // after "state PATH: "
	}{
		{"of a newer version", func(t *testing.T, b *harness.Site, path string) {
			b.Must(0, "apply", "-auto-approve")
			alter(t, path, "PRAGMA user_version = 99")
		}, "the state was written by a newer version of Waybill (schema 99, this one knows 3): use that version, or a backup from before it"},
		{"damaged", func(t *testing.T, b *harness.Site, path string) {
			b.Must(0, "apply", "-auto-approve")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			clear(content[100:4096])
			for _, suffix := range []string{"-wal", "-shm"} {
				_ = os.Remove(path + suffix)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "open: database disk image is malformed: put a backup in its place (keep the damaged file for salvage)"},
		{"no database", func(t *testing.T, b *harness.Site, path string) {
			b.Write("waybill.db", strings.Repeat("no database\n", 500))
		}, "open: file is not a database: put a backup in its place (keep the damaged file for salvage)"},
		{"of another program", func(t *testing.T, b *harness.Site, path string) { alter(t, path, "CREATE TABLE contacts (name TEXT)") },
			"this is a database of another program: give the sqlite backend another path"},
		{"a directory", func(t *testing.T, b *harness.Site, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "it is a directory: give the sqlite backend the path of a file in it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newSite(t, `
agent {
  admin {
    listen = "127.0.0.1:0"
  }
  receiver {
    listen = "127.0.0.1:0"
  }
}
output "one" {
  value = 1
}
`, nil)
			path := filepath.Join(b.Dir, "waybill.db")
			c.make(t, b, path)
			was, _ := os.ReadFile(path)
			for _, command := range []string{
				"plan", "apply -auto-approve", "agent", "show", "output", "state list", "state show globfax_recipient.a", "state rm globfax_recipient.a",
				"state backup copy.db", "state pull", "history", "records", "raw show 1", "replay -all",
			} {
				r := b.Run(strings.Fields(command)...)
				real, err := filepath.EvalSymlinks(path)
				if err != nil {
					t.Fatal(err)
				}
				got := strings.Join(strings.Fields(r.Stderr), " ")
				want := "Error: open state waybill.db: state " + real + ": " + c.want
				if r.Code != 1 || !strings.HasPrefix(got, want) && !strings.HasPrefix(got, strings.Replace(want, real, path, 1)) || r.Stdout != "" {
					t.Errorf("%s: exit code %d\n%s%s\nwant %s", command, r.Code, r.Stdout, r.Stderr, want)
				}
				if strings.Contains(r.Stderr, "goroutine ") {
					t.Errorf("%s shows a stack trace", command)
				}
			}
			if is, _ := os.ReadFile(path); !bytes.Equal(is, was) {
				t.Error("the file was changed")
			}
		})
	}
}

// A directory in which nothing may be written: commands that read read, and
// those that write say what to do.
func TestReadOnlyDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser writes everywhere")
	}
	b := newSite(t, "output \"one\" {\n  value = 1\n}\n", nil)
	b.Must(0, "apply", "-auto-approve")
	if err := os.Chmod(b.Dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(b.Dir, 0o700) })
	b.Must(0, "output")
	b.Must(0, "plan")
	if r := b.Run("state", "rm", "globfax_recipient.a"); r.Code != 1 || strings.Contains(r.Stderr, "goroutine ") || !strings.Contains(r.Stderr, "permission denied") && !strings.Contains(r.Stderr, "nothing is tracked") {
		t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
}
