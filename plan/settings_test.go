package plan

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/value"
)

func TestDecodeSettings(t *testing.T) {
	whole := Settings{Interval: time.Minute, MaxInterval: time.Hour, GiveUpAfter: 72 * time.Hour, Suspend: true, PreventForget: true}
	for name, tc := range map[string]struct {
		args string
		want Settings
	}{
		"all": {`{"give_up_after":"72h","poll":{"interval":"1m","max_interval":"1h"},"prevent_forget":true,"rcpt_ref":"a","suspend":true}`, whole},
		"a policy's": {`{"interval":"2m","limit":100,"prevent_forget":false,"suspend":false}`,
			Settings{Interval: 2 * time.Minute, MaxInterval: DefaultMaxInterval}},
		"none": {``, Settings{MaxInterval: DefaultMaxInterval}},
		"null": {`{"give_up_after":null,"poll":null,"suspend":null}`, Settings{MaxInterval: DefaultMaxInterval}},
		// The keys of a map are the user's.
		"a map with such keys before them": {`{"a":{"give_up_after":"1s","interval":"1s","max_interval":"1s","prevent_forget":true,"suspend":true},"give_up_after":"72h","suspend":false}`,
			Settings{GiveUpAfter: 72 * time.Hour, MaxInterval: DefaultMaxInterval}},
		"a map with such keys behind them": {`{"give_up_after":"72h","poll":{"interval":"1m","max_interval":"1h"},"prevent_forget":true,"suspend":true,"tags":{"interval":"soon","suspend":"false"}}`, whole},
		"a map within poll's":              {`{"poll":{"interval":"1m","labels":{"max_interval":"7h"},"max_interval":"1h"}}`, Settings{Interval: time.Minute, MaxInterval: time.Hour}},
		"lists and texts":                  {`{"l":["\"suspend\":true",{"suspend":true}],"t":"\"prevent_forget\":true","u":"}{\"suspend\":true"}`, Settings{MaxInterval: DefaultMaxInterval}},
		"spaces":                           {"{ \"suspend\" : true,\n \"poll\": {\"interval\": \"1m\"} }", Settings{Suspend: true, Interval: time.Minute, MaxInterval: DefaultMaxInterval}},
	} {
		got, err := DecodeSettings(json.RawMessage(tc.args))
		if err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tc.want)
		}
	}
	for _, bad := range []string{`[`, `{"suspend":true`, `{"poll":{"interval":"soon"}}`, `{"give_up_after":72}`, `{"poll":"1m"}`, `{"a" "b"}`} {
		if got, err := DecodeSettings(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was read as %+v", bad, got)
		}
	}
}

// What a map argument gains, loses and changes is a difference like any other,
// and the history folds to it.
func TestMapArguments(t *testing.T) {
	texts := func(m map[string]string) cty.Value {
		if len(m) == 0 {
			return cty.MapValEmpty(cty.String)
		}
		elements := map[string]cty.Value{}
		for k, v := range m {
			elements[k] = cty.StringVal(v)
		}
		return cty.MapVal(elements)
	}
	maps := []cty.Value{
		cty.NullVal(cty.Map(cty.String)), texts(nil), texts(map[string]string{"suspend": "x"}),
		texts(map[string]string{"suspend": "y", "a.b": "1", `q"[0]`: "2", "观察": "3", "observed_at": "4", "${x}": "5"}),
		texts(map[string]string{"observed_at": "now"}),
	}
	encode := func(labels cty.Value) json.RawMessage {
		b, err := value.Encode(cty.ObjectVal(map[string]cty.Value{"labels": labels, "suspend": cty.False}))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, from := range maps {
		for _, to := range maps {
			before, after := encode(from), encode(to)
			fields, err := new(Type).Fields(before, after)
			if err != nil {
				t.Fatal(err)
			}
			if string(before) != string(after) && len(fields) == 0 {
				t.Errorf("%s to %s is no difference", before, after)
			}
			got, err := value.Apply(before, fields)
			want, wantErr := value.Apply(after, nil)
			if to.IsNull() {
				want = json.RawMessage(`{"suspend":false}`)
			}
			if from.IsNull() && to.IsNull() {
				want = before
			}
			if err != nil || wantErr != nil || string(got) != string(want) {
				t.Errorf("%s to %s folds to %s (%v), want %s; differences %+v", before, after, got, err, want, fields)
			}
		}
	}
}

func TestGaveUp(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	i := Item{TrackedAt: at}
	if i.GaveUp(at.Add(1000*time.Hour)) || !i.GiveUpAt().IsZero() {
		t.Error("an item without give_up_after gave up")
	}
	i.Settings.GiveUpAfter = time.Hour
	if i.GaveUp(at.Add(time.Hour-1)) || !i.GaveUp(at.Add(time.Hour)) || !i.GiveUpAt().Equal(at.Add(time.Hour)) {
		t.Error("the hour is not kept")
	}
}
