package tfjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	terraform "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/tfjson"
	"github.com/waybill-dev/waybill/value"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func items(list ...*plan.Item) iter.Seq2[*plan.Item, error] {
	return func(yield func(*plan.Item, error) bool) {
		for _, item := range list {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// The state representation is read by the library that reads Terraform's.
func TestState(t *testing.T) {
	item := &plan.Item{
		Address:      plan.NewAddress("globfax_recipient", "a", plan.StringKey("k")),
		Args:         []byte(`{"rcpt_ref":"r"}`),
		Expectations: []plan.Expectation{{Name: "e", State: plan.ExpectFailed, Message: "no"}},
	}
	var b bytes.Buffer
	err := tfjson.WriteState(&b, tfjson.State{
		Version: "0.1.0", Meta: &tfjson.Meta{Lineage: "l", Serial: 7}, Items: items(item),
		Outputs: []plan.Output{
			{Name: "cost", Value: cty.MustParseNumberVal("12345678901234567.123456789")},
			{Name: "secret", Sensitive: true, Value: cty.NullVal(cty.DynamicPseudoType), Type: cty.String},
			{Name: "later", Value: cty.DynamicVal},
		},
		Checks:   []plan.Check{{Name: "c", State: plan.CheckFail, Messages: []string{"m"}}},
		Provider: func(string) string { return "globfax" },
	})
	if err != nil {
		t.Fatal(err)
	}
	var state terraform.State
	state.UseJSONNumber(true)
	if err := json.Unmarshal(b.Bytes(), &state); err != nil {
		t.Fatalf("%v in %s", err, b.Bytes())
	}
	if err := state.Validate(); err != nil {
		t.Error(err)
	}
	resource := state.Values.RootModule.Resources[0]
	if resource.Address != `globfax_recipient.a["k"]` || resource.Index != "k" || resource.AttributeValues["rcpt_ref"] != "r" {
		t.Errorf("%+v", resource)
	}
	outputs := state.Values.Outputs
	if outputs["cost"].Value != json.Number("12345678901234567.123456789") || outputs["secret"].Type != cty.String || outputs["secret"].Value != nil {
		t.Errorf("%+v", outputs)
	}
	if len(state.Checks) != 2 || state.Checks[0].Status != terraform.CheckStatusFail || state.Checks[1].Instances[0].Problems[0].Message != "no" {
		t.Errorf("%+v", state.Checks)
	}
	if !strings.Contains(b.String(), `"lineage":"l","serial":7`) {
		t.Errorf("no lineage: %s", b.Bytes())
	}

	b.Reset()
	if err := tfjson.WriteEmptyState(&b); err != nil || b.String() != "{\"format_version\":\"1.0\"}\n" {
		t.Errorf("%s, %v", b.Bytes(), err)
	}
}

// A state that cannot be read to its end, or not be written, is an error.
func TestStateFails(t *testing.T) {
	broken := errors.New("broken")
	state := tfjson.State{
		Items:    func(yield func(*plan.Item, error) bool) { yield(nil, broken) },
		Provider: func(string) string { return "" },
	}
	if err := tfjson.WriteState(&bytes.Buffer{}, state); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	state.Items = items()
	if err := tfjson.WriteState(failing{broken}, state); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// The actions of the stream are Terraform's, which says remove for a forget there.
func TestPlannedChange(t *testing.T) {
	a, b := plan.NewAddress("globfax_recipient", "a", plan.NoKey), plan.NewAddress("globfax_recipient", "b", plan.NoKey)
	fields := []value.Field{{Path: "rcpt_ref", Before: []byte(`"x"`), After: []byte(`"y"`)}}
	for _, test := range []struct {
		change plan.Change
		action string
		text   string
	}{
		{plan.Change{Action: plan.Track, Address: a}, "create", "globfax_recipient.a: Plan to track"},
		{plan.Change{Action: plan.Update, Address: a, Fields: fields}, "update", "globfax_recipient.a: Plan to change"},
		{plan.Change{Action: plan.Forget, Address: a}, "remove", "globfax_recipient.a: Plan to forget"},
		{plan.Change{Action: plan.Moved, Address: a, From: &b}, "move", "globfax_recipient.a: Plan to move"},
		{plan.Change{Action: plan.Moved, Address: a, From: &b, Fields: fields}, "update", "globfax_recipient.a: Plan to move"},
	} {
		m := tfjson.PlannedChange(&test.change, "globfax")
		line := tfjson.Encode(m.At(noon))
		if _, err := terraform.UnmarshalLogMessage(line); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		var read struct {
			Change struct {
				Action   string
				Resource struct{ Addr string }
				Previous *struct{ Addr string } `json:"previous_resource"`
			}
		}
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatal(err)
		}
		if m.Text != test.text || read.Change.Action != test.action || read.Change.Resource.Addr != a.String() || (read.Change.Previous == nil) != (test.change.From == nil) {
			t.Errorf("%s, want %s: %s", line, test.action, test.text)
		}
	}
}
