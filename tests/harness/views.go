package harness

import (
	"strings"
	"testing"
)

// Values are the arguments and attributes of one tracked item.
func (s *Site) Values(address string) map[string]any {
	s.t.Helper()
	var shown struct {
		Resource struct {
			Address string
			Values  map[string]any
		}
	}
	Decode(s.t, s.Must(0, "state", "show", "-json", address).Stdout, &shown)
	resource := shown.Resource
	if resource.Address != address {
		s.t.Fatalf("state show -json %s is about %s", address, resource.Address)
	}
	return resource.Values
}

// Record is a line of records -json.
type Record struct {
	ID, Type, Key string
	Address       *string
	Status        string
	Conflict      bool
	ReceivedAt    string `json:"received_at"`
	Outcome       string
	Attributes    map[string]any
	RawID         string `json:"raw_id"`
}

// Records are the lines of records -json.
func (s *Site) Records(args ...string) []Record {
	s.t.Helper()
	return lines[Record](s.t, s.Must(0, append([]string{"records", "-json"}, args...)...).Stdout)
}

// Event is a line of history -json.
type Event struct {
	Seq      int64
	At       string
	Address  string
	Action   string
	Revision string
	Changes  []struct {
		Path          string
		Before, After any
	}
	RawID *string `json:"raw_id"`
}

// After is what an attribute became in the event; nil when it did not change.
func (e Event) After(path string) any {
	for _, c := range e.Changes {
		if c.Path == path {
			return c.After
		}
	}
	return nil
}

// History are the lines of history -json.
func (s *Site) History(args ...string) []Event {
	s.t.Helper()
	return lines[Event](s.t, s.Must(0, append([]string{"history", "-json"}, args...)...).Stdout)
}

// Actions are the actions of events, in their order.
func Actions(events []Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Action)
	}
	return all
}

// lines decodes one JSON object a line.
func lines[T any](t testing.TB, text string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(text) {
		var v T
		Decode(t, line, &v)
		all = append(all, v)
	}
	return all
}
