package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// A change that comes while a configuration is being loaded is noticed afterwards,
// whether in a file that was known before or in one that comes along.
func TestWatchNoticesWhatChangesDuringALoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	main := write("main.wb.hcl", "a")
	data := write("faxes.csv", "a")
	w := newWatch(dir, slog.New(slog.DiscardHandler), true)
	w.mark()
	w.add([]string{main, data})
	if w.changed() {
		t.Fatal("nothing changed")
	}
	for name, change := range map[string]func(){
		"a known file":                func() { write("faxes.csv", otherContent) },
		"a new file of the directory": func() { write("more.wb.hcl", otherContent) },
		"a file that goes":            func() { _ = os.Remove(data) },
	} {
		w.mark()
		change() // the load is under way
		w.add([]string{main, data, filepath.Join(dir, "read_for_the_first_time")})
		if !w.changed() {
			t.Errorf("%s: the change is not noticed", name)
		}
		write("faxes.csv", "a")
		_ = os.Remove(filepath.Join(dir, "more.wb.hcl"))
	}
}

// otherContent is of another size than the first.
const otherContent = "another content"
