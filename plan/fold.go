package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

// Derived is what an item's evidence comes to at one time.
type Derived struct {
	Values  json.RawMessage // canonical JSON of Type.ObservedType
	Outcome Outcome
	Settled bool
}

// Derive makes an item's observed values from its evidence: its last
// observation, the tally of its records or its pulls, and what time it is.
func Derive(t *Type, item *Item, tally Tally, now time.Time) (Derived, error) {
	e, err := evidenceOf(t, item, tally, now)
	if err != nil {
		return Derived{}, fmt.Errorf("%s: %w", item.Address, err)
	}
	v := t.Derive(e)
	encoded, err := value.Encode(v)
	if err != nil {
		return Derived{}, fmt.Errorf("%s: %w", item.Address, err)
	}
	return Derived{
		Values:  encoded,
		Outcome: Outcome(v.GetAttr("outcome").AsString()),
		Settled: v.GetAttr("settled").True(),
	}, nil
}

func evidenceOf(t *Type, item *Item, tally Tally, now time.Time) (Evidence, error) {
	args, err := value.Decode(item.Args, t.ArgsType())
	if err != nil {
		return Evidence{}, fmt.Errorf("recorded arguments: %w", err)
	}
	e := Evidence{
		Args: args, NotFound: item.NotFound, Tally: tally, Pulls: item.Pulls,
		TrackedAt: item.TrackedAt, FirstReadAt: item.FirstReadAt, Now: now,
		GaveUp: item.GaveUp(now),
	}
	if len(item.Seen) > 0 {
		if e.Seen, err = value.Decode(item.Seen, t.shape().seenType); err != nil {
			return Evidence{}, fmt.Errorf("recorded observation: %w", err)
		}
	}
	return e, nil
}

// Fields are the differences between two canonical JSON objects of the values of
// an item of this type, but for what moves without being a difference. A nil
// type, one that this program does not know, has the attributes that all have.
func (t *Type) Fields(before, after json.RawMessage) ([]value.Field, error) {
	if t == nil {
		t = &Type{}
	}
	return value.Fields(before, after, t.shape().quiet)
}

// EncodeSeen is the canonical JSON of an observation, as Item.Seen keeps it.
func EncodeSeen(t *Type, seen cty.Value) (json.RawMessage, error) {
	attrs := make(map[string]cty.Value, len(t.Attributes))
	for _, a := range t.Attributes {
		attrs[a.Name] = cty.NullVal(a.Type)
		if seen.Type().HasAttribute(a.Name) {
			attrs[a.Name] = seen.GetAttr(a.Name)
		}
	}
	return value.Encode(cty.ObjectVal(attrs))
}

// FormatTime writes a time of our own: RFC 3339 in UTC.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// FormatDuration writes a duration as a user would: 72h, not 72h0m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// ItemValues are an item's arguments and observed values as configuration and
// views see them, an object of Type.ValuesType. What only a first read can tell
// is unknown before it.
func ItemValues(t *Type, item *Item) (cty.Value, error) {
	args, err := value.Decode(item.Args, t.ArgsType())
	if err != nil {
		return cty.DynamicVal, fmt.Errorf("recorded arguments of %s: %w", item.Address, err)
	}
	if t.Kind == Polled && item.FirstReadAt.IsZero() {
		// A give-up may have settled it although nothing was ever read.
		return mergeValues(args, unread(t, item.Outcome, item.Settled)), nil
	}
	observed, err := value.Decode(item.Values, t.ObservedType())
	if err != nil {
		return cty.DynamicVal, fmt.Errorf("recorded values of %s: %w", item.Address, err)
	}
	attrs := observed.AsValueMap()
	if !item.ObservedAt.IsZero() {
		attrs["observed_at"] = cty.StringVal(FormatTime(item.ObservedAt))
	}
	if t.Kind == Policy {
		// Its times move at every pull, without being recorded as values.
		e, err := evidenceOf(t, item, Tally{}, item.Pulls.LastSuccessAt)
		if err != nil {
			return cty.DynamicVal, fmt.Errorf("%s: %w", item.Address, err)
		}
		now := t.Derive(e)
		for name := range t.shape().quiet {
			if name != "observed_at" && now.Type().HasAttribute(name) {
				attrs[name] = now.GetAttr(name)
			}
		}
	}
	return mergeValues(args, cty.ObjectVal(attrs)), nil
}

// RecordedValues are an item's arguments and observed values as one canonical
// JSON object, as the state has them: what was never read is null.
func RecordedValues(item *Item) (json.RawMessage, error) {
	values, err := value.Merge(item.Values, item.Args)
	if err != nil || item.ObservedAt.IsZero() {
		return values, err
	}
	// It moves without being a difference, so it is no recorded value.
	return value.Merge(values, json.RawMessage(`{"observed_at":"`+FormatTime(item.ObservedAt)+`"}`))
}

// TrackFields are the differences of an item that begins to be tracked: all that
// it holds. One that was forgotten tells all it holds again, so that its history
// folds to it from either beginning.
func TrackFields(t *Type, item *Item) ([]value.Field, error) {
	values, err := value.Merge(item.Values, item.Args)
	if err != nil {
		return nil, err
	}
	return t.Fields(nil, values)
}

// ForgetFields are the differences of an item that is forgotten: nothing of it is
// left but its history.
func ForgetFields(t *Type, item *Item) ([]value.Field, error) {
	values, err := value.Merge(item.Values, item.Args)
	if err != nil {
		return nil, err
	}
	return t.Fields(values, nil)
}

// DesiredValues are the values of a thing that is declared and not tracked yet:
// its arguments are known, what is observed is not.
func DesiredValues(t *Type, d *Desired) (cty.Value, error) {
	args, err := value.Decode(d.Args, t.ArgsType())
	if err != nil {
		return cty.DynamicVal, fmt.Errorf("arguments of %s: %w", d.Address, err)
	}
	return mergeValues(args, unread(t, Pending, false)), nil
}

// unread are the observed values before the first read: all unknown, but for
// outcome and settled, which are never null or unknown.
func unread(t *Type, outcome Outcome, settled bool) cty.Value {
	if outcome == "" {
		outcome = Pending
	}
	attrs := make(map[string]cty.Value)
	for name, ty := range t.ObservedType().AttributeTypes() {
		attrs[name] = cty.UnknownVal(ty)
	}
	attrs["outcome"] = cty.StringVal(string(outcome))
	attrs["settled"] = cty.BoolVal(settled)
	return cty.ObjectVal(attrs)
}

func mergeValues(args, observed cty.Value) cty.Value {
	attrs := observed.AsValueMap()
	for name, v := range args.AsValueMap() {
		attrs[name] = v
	}
	return cty.ObjectVal(attrs)
}

// FoldHistory is what an item's events, oldest first, come to: the canonical
// JSON of its arguments and observed values without nulls, and whether it is
// tracked. It is what the state must be, but for the attributes that move
// without being differences.
func FoldHistory(events []Event) (values json.RawMessage, tracked bool, err error) {
	for i := range events {
		e := &events[i]
		switch e.Action {
		case Track:
			tracked = true
		case Forget:
			tracked = false
		}
		fields := e.Changes
		if e.Action == Moved {
			fields = nil
			for _, f := range e.Changes {
				if f.Path != "address" {
					fields = append(fields, f)
				}
			}
		}
		if values, err = value.Apply(values, fields); err != nil {
			return nil, false, fmt.Errorf("event %d of %s: %w", e.Seq, e.Address, err)
		}
	}
	return values, tracked, nil
}
