package source

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/hclspec"
)

// place is a directory with files, of a test.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) place {
	p := place{t, filepath.Join(t.TempDir(), "config")}
	p.write("main.wb.hcl", "a")
	p.write("faxes.csv", "a")
	p.write("d/one.txt", "1")
	return p
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

func (p place) write(name, content string) {
	p.t.Helper()
	p.must(os.MkdirAll(filepath.Dir(p.path(name)), 0o700))
	p.must(os.WriteFile(p.path(name), []byte(content), 0o600))
}

func (p place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// all asks a snapshot everything that it can be asked, as one text.
func all(s *Snapshot) string {
	var b strings.Builder
	tell := func(what string, value any, err error) {
		text := ""
		if err != nil {
			text = err.Error()
			for _, known := range []error{fs.ErrNotExist, hclspec.ErrOutside, hclspec.ErrNotRegular} {
				if errors.Is(err, known) {
					text = known.Error()
				}
			}
		}
		if content, ok := value.([]byte); ok {
			value = string(content)
		}
		b.WriteString(strings.TrimSpace(strings.Join([]string{what, ": ", anyText(value), " ", text}, "")) + "\n")
	}
	names, err := s.List("*.wb.hcl")
	tell("list", names, err)
	content, err := s.Read(filepath.Join(s.Dir(), "main.wb.hcl"))
	tell("read", content, err)
	for _, name := range []string{"faxes.csv", "none.csv", "../x", "d"} {
		content, err = s.Input(filepath.Join(s.Dir(), name))
		tell("input "+name, content, err)
		exists, err := s.Exists(filepath.Join(s.Dir(), name))
		tell("exists "+name, exists, err)
	}
	names, err = s.Match(filepath.Join(s.Dir(), "d"), "**")
	tell("match", names, err)
	return b.String()
}

func anyText(v any) string {
	switch v := v.(type) {
	case []string:
		return "[" + strings.Join(v, " ") + "]"
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return ""
}

// Each kind of answer stays what it was, whatever becomes of the files; a copy
// that was kept gives the same ones; a new snapshot gives those of now.
func TestASnapshotStaysWhole(t *testing.T) {
	p := newPlace(t)
	s := Take(p.dir)
	before := all(s)
	for _, want := range []string{"list: [main.wb.hcl]", "read: a", "input faxes.csv: a", "exists none.csv: no", "match: [one.txt]", "input ../x:  " + hclspec.ErrOutside.Error(), "input d:  it is not a regular file"} {
		if !strings.Contains(before, want) {
			t.Fatalf("no %q in\n%s", want, before)
		}
	}
	kept := KeptBeside(filepath.Join(t.TempDir(), "waybill.db"))
	p.write("main.wb.hcl", "b")
	p.write("more.wb.hcl", "b")
	p.write("faxes.csv", "b")
	p.write("none.csv", "b")
	p.write("d/two/two.txt", "b")
	p.must(kept.Keep(s)) // of what was told, not of what stands there now
	p.must(os.Remove(p.path("d/one.txt")))
	if after := all(s); after != before {
		t.Errorf("the snapshot tells\n%sand told\n%s", after, before)
	}
	last, err := kept.Open(p.dir)
	if err != nil || last == nil {
		t.Fatal(last, err)
	}
	if told := all(last); told != before {
		t.Errorf("the copy tells\n%sthe snapshot told\n%s", told, before)
	}
	if hash, was := last.Revision(t.Context()), s.Revision(t.Context()); hash != was {
		t.Errorf("the copy is revision %v, the snapshot %v", hash, was)
	}
	if now := all(Take(p.dir)); now == before || !strings.Contains(now, "match: [two/two.txt]") {
		t.Errorf("a new snapshot tells\n%s", now)
	}
	if _, err := last.Input(p.path("d/one.txt")); !errors.Is(err, errNotKept) {
		t.Errorf("what the copy does not hold: %v", err)
	}
}

// The copy is of the directory, whatever that is called by the time it is needed.
func TestTheCopyOfADirectoryThatIsCalledOtherwise(t *testing.T) {
	p := newPlace(t)
	s := Take(p.dir)
	before := all(s)
	kept := KeptBeside(filepath.Join(t.TempDir(), "waybill.db"))
	p.must(kept.Keep(s))
	last, err := kept.Open(filepath.Join(t.TempDir(), "elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	if told := all(last); told != before {
		t.Errorf("the copy tells\n%sthe snapshot told\n%s", told, before)
	}
}

// What is asked for the first time once the configuration is taken is answered
// when nothing on the way to it has changed since, and is refused otherwise.
func TestLateQuestions(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(p place)
		refused bool
	}{
		"nothing":          {func(place) {}, false},
		"another file":     {func(p place) { p.write("faxes.csv", "b") }, false},
		"the state":        {func(p place) { p.write("waybill.db-wal", "b") }, false},
		"the file":         {func(p place) { p.write("d/one.txt", "2") }, true},
		"its mode alone":   {func(p place) { p.must(os.Chmod(p.path("d/one.txt"), 0o644)) }, true},
		"the file is gone": {func(p place) { p.must(os.Remove(p.path("d/one.txt"))) }, true},
		"its folder":       {func(p place) { p.must(os.Rename(p.path("d"), p.path("e"))); p.write("d/one.txt", "2") }, true},
		"its time set back": {func(p place) {
			p.write("d/one.txt", "2")
			p.must(os.Chtimes(p.path("d/one.txt"), time.Time{}, time.Unix(1, 0)))
		}, true},
		"a link on the way": {func(p place) { p.link("v1", "v2") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			if name == "a link on the way" {
				p.must(os.Rename(p.path("d"), p.path("v1")))
				p.write("v2/one.txt", "2")
				p.link("", "v1")
			}
			s := Take(p.dir)
			s.begun = settled(t, p.dir)
			s.Seal()
			c.change(p)
			content, err := s.Input(p.path("d/one.txt"))
			if refused := errors.Is(err, errChanged); refused != c.refused {
				t.Errorf("answered %q, %v", content, err)
			}
			if s.changed() != c.refused {
				t.Errorf("changed: %v, though the late question was refused: %v", s.changed(), c.refused)
			}
		})
	}
}

// link puts the folder d to another tree, in one step.
func (p place) link(_, to string) {
	p.must(os.Symlink(to, p.path("d.new")))
	p.must(os.Rename(p.path("d.new"), p.path("d")))
}

// settled is a time by the clock that stamps files, after everything that was
// written so far and before what is written next.
func settled(t *testing.T, dir string) time.Time {
	t.Helper()
	probe := filepath.Join(dir, "probe")
	stamp := func() time.Time {
		if err := os.WriteFile(probe, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(probe)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := changeTime(info)
		return at
	}
	first := stamp()
	for {
		if at := stamp(); at.After(first) {
			return first
		}
	}
}

// Each way in which files change is noticed, and nothing else is.
func TestChangesAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(p place)
		noticed bool
	}{
		"nothing":                        {func(place) {}, false},
		"a touch":                        {func(p place) { p.must(os.Chtimes(p.path("faxes.csv"), time.Time{}, time.Unix(5, 0))) }, false},
		"the same written again":         {func(p place) { p.write("faxes.csv", "a") }, false},
		"a file that nobody asked for":   {func(p place) { p.write("notes.txt", "b") }, false},
		"another size":                   {func(p place) { p.write("faxes.csv", "bb") }, true},
		"the same size":                  {func(p place) { p.write("faxes.csv", "b") }, true},
		"the same size, time set back":   {func(p place) { p.inPlace("faxes.csv", "b") }, true},
		"the configuration, set back":    {func(p place) { p.inPlace("main.wb.hcl", "b") }, true},
		"a file that was not there":      {func(p place) { p.write("none.csv", "b") }, true},
		"a file that goes":               {func(p place) { p.must(os.Remove(p.path("faxes.csv"))) }, true},
		"a configuration file more":      {func(p place) { p.write("more.wb.hcl", "b") }, true},
		"a file more in a listed folder": {func(p place) { p.write("d/two.txt", "b") }, true},
		"one deeper":                     {func(p place) { p.write("d/e/two.txt", "b") }, true},
		"one less":                       {func(p place) { p.must(os.Remove(p.path("d/one.txt"))) }, true},
		"the folder goes":                {func(p place) { p.must(os.RemoveAll(p.path("d"))) }, true},
		"the whole tree by link": {func(p place) {
			p.must(os.Rename(p.dir, p.dir+"-1"))
			next := place{p.t, p.dir + "-2"}
			next.write("main.wb.hcl", "b")
			p.must(os.Symlink(next.dir, p.dir))
			p.must(os.RemoveAll(p.dir + "-1"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			d := NewDirectory(p.dir, slog.New(slog.DiscardHandler), true)
			s, err := d.Fetch(t.Context())
			p.must(err)
			_ = all(s)
			if d.Changed() {
				t.Fatal("changed, though nothing was done")
			}
			for _, a := range s.answers {
				a.at = a.at.Add(time.Hour) // so that the prints are trusted
			}
			c.change(p)
			if d.Changed() != c.noticed {
				t.Errorf("noticed: %v", !c.noticed)
			}
			if !c.noticed {
				return
			}
			if s, err = d.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = all(s)
			if d.Changed() {
				t.Error("changed once more after it was fetched")
			}
		})
	}
}

// inPlace writes a file without another size, inode or time of modification.
func (p place) inPlace(name, content string) {
	info, err := os.Stat(p.path(name))
	p.must(err)
	f, err := os.OpenFile(p.path(name), os.O_WRONLY, 0)
	p.must(err)
	_, err = f.WriteString(content)
	p.must(err)
	p.must(f.Close())
	p.must(os.Chtimes(p.path(name), time.Time{}, info.ModTime()))
}

// A change that leaves the very same print, for it came within the grain of the
// clock that stamps files, is noticed as long as the print is young.
func TestAYoungPrintIsNotTrusted(t *testing.T) {
	p := newPlace(t)
	s := Take(p.dir)
	_ = all(s)
	p.write("faxes.csv", "b")
	s.answers[question{op: opInput, path: p.path("faxes.csv")}].print = printOf(p.path("faxes.csv"))
	if !s.changed() {
		t.Error("not noticed")
	}
}

// A process that died while it loaded is known by what it had read; one that
// ended, another version, and another content are not taken for it.
func TestTheTrailOfALoad(t *testing.T) {
	p := newPlace(t)
	kept := KeptBeside(filepath.Join(t.TempDir(), "waybill.db"))
	died := func() bool {
		t.Helper()
		died, err := kept.Died(p.dir, "v1")
		p.must(err)
		return died
	}
	if died() {
		t.Error("died without a trail")
	}
	s := Take(p.dir)
	done, err := kept.Loading(s, "v1")
	p.must(err)
	_ = all(s)
	if !died() {
		t.Error("the trail of a process that died is not known")
	}
	if other, err := kept.Died(p.dir, "v2"); other || err != nil {
		t.Errorf("another version: %v, %v", other, err)
	}
	p.write("faxes.csv", "b")
	if died() {
		t.Error("a mended file is taken for the one that it died of")
	}
	p.write("faxes.csv", "a")
	cut, err := os.OpenFile(kept.trailPath(), os.O_APPEND|os.O_WRONLY, 0)
	p.must(err)
	_, err = cut.WriteString(`{"op":"inp`)
	p.must(errors.Join(err, cut.Close()))
	if !died() {
		t.Error("a trail that was cut off with the process is not known")
	}
	p.must(done())
	if died() {
		t.Error("died, though loading ended")
	}
}
