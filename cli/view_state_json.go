package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// jsonResource is one resource of Terraform's state representation.
type jsonResource struct {
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

func (p *program) jsonResource(item *plan.Item) jsonResource {
	values, err := p.itemValues(item)
	if err != nil { // the state holds JSON that it wrote itself
		values = []byte("{}")
	}
	return jsonResource{
		Address:  item.Address.String(),
		Mode:     "managed",
		Type:     item.Address.Type(),
		Name:     item.Address.Name(),
		Index:    indexOf(item.Address.Key()),
		Provider: p.providerOf(item.Address.Type()),
		Values:   values,
	}
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

type jsonOutput struct {
	Sensitive bool            `json:"sensitive"`
	Value     json.RawMessage `json:"value,omitempty"`
	Type      json.RawMessage `json:"type,omitempty"`
}

func jsonOutputs(outputs []state.StoredOutput) map[string]jsonOutput {
	m := make(map[string]jsonOutput, len(outputs))
	for _, o := range outputs {
		j := jsonOutput{Sensitive: o.Sensitive}
		if o.Known && !o.Sensitive {
			j.Value, j.Type = o.Value, o.Type
		}
		m[o.Name] = j
	}
	return m
}

// jsonState prints Terraform's state representation; with meta, also lineage
// and serial. Items are written as they come, for there may be a million.
func (p *program) jsonState(ctx context.Context, reader state.Reader, meta *state.Meta) error {
	outputs, err := reader.Outputs(ctx)
	if err != nil {
		return fmt.Errorf("read outputs: %w", err)
	}
	p.out.printf(`{"format_version":"1.0","terraform_version":%q,`, Version)
	if meta != nil {
		p.out.printf(`"lineage":%q,"serial":%d,`, meta.Lineage, meta.Serial)
	}
	p.out.printf(`"values":{"outputs":%s,"root_module":{"resources":[`, trimmedJSON(jsonOutputs(outputs)))
	var expectations expectationChecks
	first := true
	for item, err := range reader.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			return fmt.Errorf("read state: %w", err)
		}
		if !first {
			p.out.printf(",")
		}
		first = false
		_, _ = p.out.Write(trimmedJSON(p.jsonResource(item)))
		expectations.add(item)
	}
	checks, err := reader.Checks(ctx)
	if err != nil {
		return fmt.Errorf("read checks: %w", err)
	}
	p.out.printf("]}},\"checks\":%s}\n", trimmedJSON(append(jsonChecks(checks), expectations.list...)))
	return nil
}

func trimmedJSON(v any) []byte {
	b := encodeJSON(v)
	return b[:len(b)-1]
}

// jsonCheck is a check of the state representation.
type jsonCheck struct {
	Address   jsonCheckAddress    `json:"address"`
	Status    string              `json:"status"`
	Instances []jsonCheckInstance `json:"instances,omitempty"`
}

type jsonCheckAddress struct {
	Display string `json:"to_display"`
	Kind    string `json:"kind"`
	Mode    string `json:"mode,omitempty"`
	Type    string `json:"type,omitempty"`
	Name    string `json:"name,omitempty"`
}

type jsonCheckInstance struct {
	Address  jsonInstanceAddress `json:"address"`
	Status   string              `json:"status"`
	Problems []jsonProblem       `json:"problems,omitempty"`
}

type jsonInstanceAddress struct {
	Display string `json:"to_display"`
	Key     any    `json:"instance_key,omitempty"`
}

type jsonProblem struct {
	Message string `json:"message"`
}

// jsonChecks are the check blocks.
func jsonChecks(checks []plan.Check) []jsonCheck {
	list := make([]jsonCheck, 0, len(checks))
	for _, c := range checks {
		name := "check." + c.Name
		instance := jsonCheckInstance{Address: jsonInstanceAddress{Display: name}, Status: string(c.State)}
		for _, m := range c.Messages {
			instance.Problems = append(instance.Problems, jsonProblem{m})
		}
		list = append(list, jsonCheck{
			Address:   jsonCheckAddress{Display: name, Kind: "check", Name: c.Name},
			Status:    string(c.State),
			Instances: []jsonCheckInstance{instance},
		})
	}
	return list
}

// expectationChecks gathers the expectations of items, which come in the order
// of their addresses, as Terraform shows conditions of resources: one entry a
// block, one instance an item.
type expectationChecks struct{ list []jsonCheck }

func (e *expectationChecks) add(item *plan.Item) {
	if len(item.Expectations) == 0 {
		return
	}
	block := item.Address.Block()
	if n := len(e.list); n == 0 || e.list[n-1].Address.Display != block {
		e.list = append(e.list, jsonCheck{
			Address: jsonCheckAddress{Display: block, Kind: "resource", Mode: "managed", Type: item.Address.Type(), Name: item.Address.Name()},
			Status:  string(plan.CheckPass),
		})
	}
	instance := jsonCheckInstance{
		Address: jsonInstanceAddress{Display: item.Address.String(), Key: indexOf(item.Address.Key())},
		Status:  string(plan.CheckPass),
	}
	for _, x := range item.Expectations {
		status := expectationStatus(x.State)
		instance.Status = worse(instance.Status, string(status))
		if status == plan.CheckFail {
			instance.Problems = append(instance.Problems, jsonProblem{x.Message})
		}
	}
	last := &e.list[len(e.list)-1]
	last.Instances = append(last.Instances, instance)
	last.Status = worse(last.Status, instance.Status)
}

// expectationStatus is an expectation's state in Terraform's words.
func expectationStatus(s plan.ExpectationState) plan.CheckState {
	switch s {
	case plan.ExpectFailed:
		return plan.CheckFail
	case plan.ExpectPending:
		return plan.CheckUnknown
	}
	return plan.CheckPass
}

// worse is the status of two together: fail before unknown before pass.
func worse(a, b string) string {
	for _, s := range []plan.CheckState{plan.CheckFail, plan.CheckUnknown} {
		if a == string(s) || b == string(s) {
			return string(s)
		}
	}
	return string(plan.CheckPass)
}
