package sqlite

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// What goes into columns and comes back. Arguments are any of nil, int64,
// string and []byte, as the driver takes them.

// timeArg is a time in nanoseconds, NULL for the zero time. A time that
// nanoseconds cannot tell (before 1678, after 2262: a vendor's nonsense) becomes
// the nearest that they can: it must not cost us the record that holds it.
func timeArg(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return int64(math.MinInt64)
	case t.After(time.Unix(0, math.MaxInt64)):
		return int64(math.MaxInt64)
	}
	return t.UnixNano()
}

// jsonArg is JSON as text, NULL for none.
func jsonArg(text json.RawMessage) any {
	if len(text) == 0 {
		return nil
	}
	return string(text)
}

// textArg is a text, NULL for the empty one.
func textArg(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// idArg is an id, NULL for 0.
func idArg(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func boolArg(b bool) any {
	if b {
		return int64(1)
	}
	return int64(0)
}

// blobArg is bytes, NULL for none.
func blobArg(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// noKey stands for the key of a resource without instances: it sorts first.
const noKey = int64(math.MinInt64)

// keyArg is an instance key such that columns sort as plan.Key.Less does.
func keyArg(k plan.Key) any {
	if n, ok := k.Int(); ok {
		return int64(n)
	}
	if text, ok := k.Text(); ok {
		return text
	}
	return noKey
}

// key reads back what keyArg made.
func (s *stmt) key(i int) plan.Key {
	switch v := s.row[i].(type) {
	case string:
		return plan.StringKey(v)
	case int64:
		if v != noKey {
			return plan.IntKey(int(v))
		}
	}
	return plan.NoKey
}

// outcomes in the order of their numbers in the database.
var outcomes = [...]plan.Outcome{plan.Pending, plan.Succeeded, plan.Failed, plan.Partial, plan.Unknown}

// outcomeArg is the number of an outcome; "" is pending.
func outcomeArg(o plan.Outcome) (int64, error) {
	for n, known := range outcomes {
		if o == known {
			return int64(n), nil
		}
	}
	if o == "" {
		return 0, nil
	}
	return 0, fmt.Errorf("outcome %q is none of %v", o, outcomes)
}

// outcome reads back what outcomeArg made.
func (s *stmt) outcome(i int) plan.Outcome {
	if n := s.int(i); n >= 0 && n < int64(len(outcomes)) {
		return outcomes[n]
	}
	return plan.Unknown
}

// vias in the order of their numbers in the database, from 1.
var vias = [...]plan.Via{plan.ViaPull, plan.ViaPush, plan.ViaBackfill}

func viaArg(v plan.Via) (int64, error) {
	for n, known := range vias {
		if v == known {
			return int64(n + 1), nil
		}
	}
	return 0, fmt.Errorf("a record came by %q, which is none of %v", v, vias)
}

// via reads back what viaArg made.
func (s *stmt) via(i int) plan.Via {
	if n := s.int(i); n > 0 && n <= int64(len(vias)) {
		return vias[n-1]
	}
	return ""
}

// changesArg encodes an event's changes.
func changesArg(fields []value.Field) (any, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	size := 2
	for i := range fields {
		size += len(fields[i].Path) + len(fields[i].Before) + len(fields[i].After) + 40
	}
	b := append(make([]byte, 0, size), '[')
	for i := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		path, err := json.Marshal(fields[i].Path)
		if err != nil {
			return nil, fmt.Errorf("path %s: %w", strconv.Quote(fields[i].Path), err)
		}
		b = append(append(b, `{"path":`...), path...)
		b = appendJSON(append(b, `,"before":`...), fields[i].Before)
		b = appendJSON(append(b, `,"after":`...), fields[i].After)
		b = append(b, '}')
	}
	return string(append(b, ']')), nil
}

func appendJSON(b []byte, value json.RawMessage) []byte {
	if len(value) == 0 {
		return append(b, "null"...)
	}
	return append(b, value...)
}

// standing is how many of an item's expectations are in each state.
type standing struct{ pending, met, failed, metLate int64 }

// expectationsArg encodes an item's expectations and counts their states.
func expectationsArg(list []plan.Expectation) (any, standing, error) {
	var s standing
	if len(list) == 0 {
		return nil, s, nil
	}
	utc := make([]plan.Expectation, len(list))
	for i, e := range list {
		switch e.State {
		case plan.ExpectPending:
			s.pending++
		case plan.ExpectMet:
			s.met++
		case plan.ExpectFailed:
			s.failed++
		case plan.ExpectMetLate:
			s.metLate++
		default:
			return nil, s, fmt.Errorf("expectation %q has no such state as %q", e.Name, e.State)
		}
		e.Since = e.Since.UTC()
		utc[i] = e
	}
	text, err := json.Marshal(utc)
	return string(text), s, err
}
