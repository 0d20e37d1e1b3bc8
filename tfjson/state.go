package tfjson

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// stateFormat is the version of the state representation.
const stateFormat = "1.0"

// Resource is one resource of the state representation. Values hold arguments
// and observed attributes, numbers as exact as they were recorded.
type Resource struct {
	Address   string          `json:"address"`
	Mode      string          `json:"mode"`
	Type      string          `json:"type"`
	Name      string          `json:"name"`
	Index     any             `json:"index,omitempty"`
	Provider  string          `json:"provider_name"`
	Schema    int             `json:"schema_version"`
	Values    json.RawMessage `json:"values"`
	Sensitive struct{}        `json:"sensitive_values"`
}

// ResourceOf is a tracked item as a resource of the provider of that name.
func ResourceOf(item *plan.Item, provider string) Resource {
	values, err := plan.RecordedValues(item)
	if err != nil { // the state holds JSON that it wrote itself
		values = []byte("{}")
	}
	return Resource{
		Address:  item.Address.String(),
		Mode:     "managed",
		Type:     item.Address.Type(),
		Name:     item.Address.Name(),
		Index:    indexOf(item.Address.Key()),
		Provider: provider,
		Values:   values,
	}
}

// ShownResource is the document of state show -json.
type ShownResource struct {
	FormatVersion string       `json:"format_version"`
	Resource      Resource     `json:"resource"`
	Diagnostics   []Diagnostic `json:"diagnostics"`
}

// Show is the document of state show -json.
func Show(r Resource) ShownResource {
	return ShownResource{FormatVersion: stateFormat, Resource: r, Diagnostics: []Diagnostic{}}
}

// indexOf is an instance key as JSON has it: a number, a string, or nothing.
func indexOf(k plan.Key) any {
	if n, ok := k.Int(); ok {
		return n
	}
	if s, ok := k.Text(); ok {
		return s
	}
	return nil
}

// Output is an output of the state representation, of output -json and of the
// machine-readable UI. A sensitive one, or one of which nothing is known yet, has
// no value; of one that is known in part the rest is null, and Unknown says where.
type Output struct {
	Sensitive bool            `json:"sensitive"`
	Value     json.RawMessage `json:"value,omitempty"`
	Type      json.RawMessage `json:"type,omitempty"`
	Unknown   any             `json:"unknown,omitempty"`
}

// OutputOf is an output as JSON has it.
func OutputOf(o plan.Output) Output {
	j := Output{Sensitive: o.Sensitive}
	if o.Sensitive || o.Value == cty.NilVal || !o.Value.IsKnown() {
		if o.Type != cty.NilType {
			j.Type = typeJSON(o.Type)
		}
		return j
	}
	encoded, unknown, err := value.EncodeKnown(o.Value)
	if err != nil {
		return j
	}
	j.Value, j.Type, j.Unknown = encoded, typeJSON(o.Value.Type()), unknown
	return j
}

func typeJSON(ty cty.Type) json.RawMessage {
	b, err := ctyjson.MarshalType(ty)
	if err != nil {
		return nil
	}
	return b
}

// Outputs are outputs by name.
func Outputs(outputs []plan.Output) map[string]Output {
	m := make(map[string]Output, len(outputs))
	for _, o := range outputs {
		m[o.Name] = OutputOf(o)
	}
	return m
}

// State is what the state representation is made of.
type State struct {
	Version string // of the program
	Meta    *Meta  // of state pull; nil: left out
	Outputs []plan.Output
	Items   iter.Seq2[*plan.Item, error] // in the order of addresses
	Checks  []plan.Check
	// Provider is the provider that a resource type belongs to.
	Provider func(typ string) string
}

// Meta is what state pull tells beside the values.
type Meta struct {
	Lineage string
	Serial  int64
}

// WriteEmptyState writes the representation of a state that does not exist yet.
func WriteEmptyState(w io.Writer) error {
	_, err := fmt.Fprintf(w, "{\"format_version\":%q}\n", stateFormat)
	return err
}

// WriteState writes the state representation. Items are written as they come, one
// call of Write each, for there may be a million.
func WriteState(w io.Writer, s State) error {
	head := fmt.Sprintf(`{"format_version":%q,"terraform_version":%q,`, stateFormat, s.Version)
	if s.Meta != nil {
		head += fmt.Sprintf(`"lineage":%q,"serial":%d,`, s.Meta.Lineage, s.Meta.Serial)
	}
	_, err := fmt.Fprintf(w, `%s"values":{"outputs":%s,"root_module":{"resources":[`, head, encoded(Outputs(s.Outputs)))
	if err != nil {
		return err
	}
	var expectations expectationChecks
	separator := ""
	for item, err := range s.Items {
		if err != nil {
			return fmt.Errorf("read state: %w", err)
		}
		if _, err := fmt.Fprintf(w, "%s%s", separator, encoded(ResourceOf(item, s.Provider(item.Address.Type())))); err != nil {
			return err
		}
		separator = ","
		expectations.add(item)
	}
	_, err = fmt.Fprintf(w, "]}},\"checks\":%s}\n", encoded(append(Checks(s.Checks), expectations.list...)))
	return err
}
