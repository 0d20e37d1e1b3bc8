package view

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/tfjson"
)

func TestUnifiedDiff(t *testing.T) {
	a := strings.Split("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", " ")
	b := slices.Clone(a)
	b[1], b[15] = "two", "sixteen"
	b = slices.Delete(b, 18, 19)
	got := strings.Join(unifiedDiff(a, b), "\n")
	want := strings.TrimSpace(`
@@ -1,5 +1,5 @@
 1
-2
+two
 3
 4
 5
@@ -13,8 +13,7 @@
 13
 14
 15
-16
+sixteen
 17
 18
-19
 20`)
	if got != want {
		t.Errorf("unifiedDiff:\n%s\nwant:\n%s", got, want)
	}
	if d := unifiedDiff(a, a); d != nil {
		t.Errorf("equal texts differ: %q", d)
	}
}

func TestWrap(t *testing.T) {
	if got, want := wrap("one two three\nfour", 9, "  "), Text("  one two\n  three\n  four"); got != want {
		t.Errorf("wrap: %q, want %q", got, want)
	}
}

// Text is escaped for terminals, and in JSON by the escapes that JSON has.
func TestEscape(t *testing.T) {
	for text, want := range map[string]Text{
		"plain 传真 e\u0301":            "plain 传真 e\u0301",
		"a\nb\tc\r":                   `a\nb\tc\r`,
		"\x1b[0m\x7f\u009b":           `\u001b[0m\u007f\u009b`,
		"\u202e\u2066\u200f\u2028":    `\u202e\u2066\u200f\u2028`,
		"\xff\x9b":                    `\xff\x9b`,
		"\U000e0041":                  `\udb40\udc41`,
		"family \u200d \u3000 \u00a0": "family \u200d \u3000 \u00a0",
	} {
		if got := Escape(text); got != want {
			t.Errorf("Escape(%q) = %s, want %s", text, got, want)
		}
	}
	const text = "a\x1b\u009b\u202e\u2028\U000e0041传"
	var back string
	escaped := escapeJSON(tfjson.Encode(text))
	if err := json.Unmarshal(escaped, &back); err != nil || back != text {
		t.Errorf("%s reads back as %q (%v)", escaped, back, err)
	}
	if strings.ContainsFunc(strings.TrimSuffix(string(escaped), "\n"), hidden) {
		t.Errorf("%q has hidden characters", escaped)
	}
	src := []byte("a\x1b = \u009b \u202e \xff \U000e0041\r\n")
	shown := slices.Clone(src)
	escapeSource(shown)
	if len(shown) != len(src) || string(shown) != "a? = ¿ \ufffd ? ????\r\n" {
		t.Errorf("%q", shown)
	}
}

// Wide characters count twice, and a line may be broken between them.
func TestWrapWideText(t *testing.T) {
	if got, want := wrap("传真失败了因为线路忙", 12, "  "), Text("  传真失败了\n  因为线路忙"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := columnsOf("传a\x1b[1mb\x1b[0m"); got != 4 {
		t.Errorf("%d columns, want 4", got)
	}
}

// Data that is asked for as it is stays exact in a pipe; a terminal is not driven by it.
func TestExactOnATerminal(t *testing.T) {
	const data = "a\x1b[2J\x00\xff\u202e\tb\n"
	v, out, _ := capture()
	v.Exact([]byte(data))
	if out.String() != data {
		t.Errorf("in a pipe: %q", out)
	}
	out.Reset()
	v.Out.terminal = true
	v.Exact([]byte(data))
	if want := `a\u001b[2J\u0000\xff\u202e` + "\tb\n"; out.String() != want {
		t.Errorf("on a terminal: %q, want %q", out, want)
	}
}
