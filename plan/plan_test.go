package plan

import (
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"
)

// A text whose accents are characters of their own names what HCL, which
// normalises its values, made of it.
func TestKeysAreNormalised(t *testing.T) {
	want := NewAddress("globfax_recipient", "i", StringKey("caf\u00e9"))
	for _, text := range []string{"globfax_recipient.i[\"cafe\u0301\"]", "globfax_recipient.i[\"caf\u00e9\"]", `globfax_recipient.i["cafe\u0301"]`} {
		got, err := ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	if a, err := ParseAddress("globfax_recipient.cafe\u0301"); err != nil || a != NewAddress("globfax_recipient", "caf\u00e9", NoKey) {
		t.Errorf("a name: %v, %v", a, err)
	}
	if StringKey("cafe\u0301") != want.Key() {
		t.Error("the keys differ")
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"globfax_recipient.a":             NewAddress("globfax_recipient", "a", NoKey),
		"globfax_recipient.a[0]":          NewAddress("globfax_recipient", "a", IntKey(0)),
		`globfax_recipient.a["INV-1"]`:    NewAddress("globfax_recipient", "a", StringKey("INV-1")),
		`globfax_recipient.a["q\"$${x}"]`: NewAddress("globfax_recipient", "a", StringKey(`q"${x}`)),
		`globfax_recipient.a["传真"]`:       NewAddress("globfax_recipient", "a", StringKey("传真")),
		`globfax_recipient.a["a\nb\\"]`:   NewAddress("globfax_recipient", "a", StringKey("a\nb\\")),
	} {
		got, err := ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%s is read as %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	for _, text := range []string{"", "a", "a.", ".a", "a.b[", "a.b[]", "a.b[-1]", "a.b[1.5]", "a.b.c", "a.b[0][1]", `a.b["x]`, "a b.c", `a.b["${x}"]`} {
		if got, err := ParseAddress(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		} else if !strings.Contains(err.Error(), "globfax_recipient.invoice") {
			t.Errorf("%q: the error does not say what a right one looks like: %v", text, err)
		}
	}
}

func TestAddressIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewAddress("t", "n", NoKey)
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 1:
			a.key = IntKey(rapid.IntRange(0, 1<<40).Draw(t, "index"))
		case 2:
			a.key = StringKey(cty.NormalizeString(strings.ToValidUTF8(rapid.String().Draw(t, "key"), "")))
		}
		got, err := ParseAddress(a.String())
		if err != nil || got != a {
			t.Fatalf("%s is read as %+v, %v", a, got, err)
		}
	})
}

func stream(items ...*Item) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// The table in diff.go, case by case.
func TestDiff(t *testing.T) {
	at := func(name, key string) Address {
		return NewAddress("globfax_recipient", name, StringKey(key))
	}
	want := func(a Address, identity, args string) Desired {
		return Desired{Address: a, Account: "globfax", Identity: identity, Args: json.RawMessage(args)}
	}
	have := func(a Address, identity, args string) *Item {
		return &Item{Address: a, Account: "globfax", Identity: identity, Args: json.RawMessage(args)}
	}
	none := func(Address) bool { return false }
	for _, c := range []struct {
		name    string
		desired []Desired
		tracked []*Item
		keep    func(Address) bool
		changes string
		counts  Counts
	}{
		{"track", []Desired{want(at("a", "1"), "x", `{}`)}, nil, none, `track a["1"]`, Counts{Track: 1}},
		{"none", []Desired{want(at("a", "1"), "x", `{"p":1}`)}, []*Item{have(at("a", "1"), "x", `{"p":1}`)}, none, "", Counts{}},
		{"change", []Desired{want(at("a", "1"), "x", `{"p":2}`)}, []*Item{have(at("a", "1"), "x", `{"p":1}`)}, none, `change a["1"]`, Counts{Change: 1}},
		{"move", []Desired{want(at("b", "1"), "x", `{}`)}, []*Item{have(at("a", "1"), "x", `{}`)}, none, `move b["1"]`, Counts{Change: 1}},
		{"forget", nil, []*Item{have(at("a", "1"), "x", `{}`)}, none, `forget a["1"]`, Counts{Forget: 1}},
		{"another identity", []Desired{want(at("a", "1"), "y", `{}`)}, []*Item{have(at("a", "1"), "x", `{}`)}, none, `forget a["1"], track a["1"]`, Counts{Track: 1, Forget: 1}},
		{"swap", []Desired{want(at("a", "1"), "y", `{}`), want(at("a", "2"), "x", `{}`)}, []*Item{have(at("a", "1"), "x", `{}`), have(at("a", "2"), "y", `{}`)}, none,
			`move a["1"], move a["2"]`, Counts{Change: 2}},
		{"kept", nil, []*Item{have(at("a", "1"), "x", `{}`)}, func(Address) bool { return true }, "", Counts{}},
		{"another account", []Desired{{Address: at("a", "1"), Account: "globfax.b", Identity: "x", Args: []byte(`{}`)}}, []*Item{have(at("a", "1"), "x", `{}`)}, none,
			`forget a["1"], track a["1"]`, Counts{Track: 1, Forget: 1}},
	} {
		changes, err := Diff(c.desired, stream(c.tracked...), c.keep)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, change := range changes {
			got = append(got, string(change.Action)+" "+change.Address.name+change.Address.key.String())
		}
		if s := strings.Join(got, ", "); s != c.changes {
			t.Errorf("%s: %s, want %s", c.name, s, c.changes)
		}
		if counts := (&Plan{Changes: changes}).Counts(); counts != c.counts {
			t.Errorf("%s: %+v", c.name, counts)
		}
	}
	broken := func(yield func(*Item, error) bool) { yield(nil, errors.New("disk")) }
	if _, err := Diff(nil, broken, none); err == nil {
		t.Error("a state that cannot be read is taken for an empty one")
	}
}

func TestJudge(t *testing.T) {
	tracked := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	verdict := func(known, holds bool, within time.Duration) Verdict {
		return Verdict{Name: "x", Known: known, Holds: holds, Within: within, Message: "no"}
	}
	const half = 30 * time.Minute
	for _, c := range []struct {
		name    string
		prev    ExpectationState
		verdict Verdict
		settled bool
		after   time.Duration
		want    ExpectationState
	}{
		{"unknown", "", verdict(false, false, 0), false, 0, ExpectPending},
		{"holds", "", verdict(true, true, 0), false, 0, ExpectMet},
		{"does not hold", "", verdict(true, false, 0), false, 0, ExpectFailed},
		{"holds again", ExpectFailed, verdict(true, true, 0), false, 0, ExpectMetLate},
		{"holds no more", ExpectMet, verdict(true, false, 0), false, 0, ExpectFailed},
		{"there is time", "", verdict(true, false, half), false, time.Minute, ExpectPending},
		{"in time", ExpectPending, verdict(true, true, half), false, time.Minute, ExpectMet},
		{"time has passed", ExpectPending, verdict(true, false, half), false, half, ExpectFailed},
		{"time has passed and it is not known", ExpectPending, verdict(false, false, half), false, half, ExpectFailed},
		{"settled without it", ExpectPending, verdict(true, false, half), true, time.Minute, ExpectFailed},
		{"late", ExpectPending, verdict(true, true, half), false, half, ExpectMetLate},
		{"late after failing", ExpectFailed, verdict(true, true, half), false, 2 * half, ExpectMetLate},
		{"met stays met", ExpectMet, verdict(true, true, half), false, 2 * half, ExpectMet},
		{"met, and then not known", ExpectMet, verdict(false, false, half), false, 2 * half, ExpectMet},
	} {
		now := tracked.Add(c.after)
		got := Judge(Expectation{Name: "x", State: c.prev, Since: tracked}, c.verdict, tracked, c.settled, now)
		if got.State != c.want {
			t.Errorf("%s: %s, want %s", c.name, got.State, c.want)
		}
		if (got.Message != "") != (got.State == ExpectFailed) {
			t.Errorf("%s: message %q in state %s", c.name, got.Message, got.State)
		}
		if same := got.State == c.prev; same != got.Since.Equal(tracked) && c.after != 0 {
			t.Errorf("%s: since %s", c.name, got.Since)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		72 * time.Hour: "72h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 90 * time.Second: "1m30s", 0: "0s", 20 * time.Second: "20s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
