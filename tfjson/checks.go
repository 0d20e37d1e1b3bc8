package tfjson

import "github.com/waybill-dev/waybill/plan"

// Check is a check of the state representation.
type Check struct {
	Address   CheckAddress    `json:"address"`
	Status    string          `json:"status"`
	Instances []CheckInstance `json:"instances,omitempty"`
}

// CheckAddress names what is checked.
type CheckAddress struct {
	Display string `json:"to_display"`
	Kind    string `json:"kind"`
	Mode    string `json:"mode,omitempty"`
	Type    string `json:"type,omitempty"`
	Name    string `json:"name,omitempty"`
}

// CheckInstance is the result for one instance of what is checked.
type CheckInstance struct {
	Address  InstanceAddress `json:"address"`
	Status   string          `json:"status"`
	Problems []Problem       `json:"problems,omitempty"`
}

// InstanceAddress names one instance.
type InstanceAddress struct {
	Display string `json:"to_display"`
	Key     any    `json:"instance_key,omitempty"`
}

// Problem is why a check failed.
type Problem struct {
	Message string `json:"message"`
}

// Checks are check blocks as the state representation has them.
func Checks(checks []plan.Check) []Check {
	list := make([]Check, 0, len(checks))
	for _, c := range checks {
		name := "check." + c.Name
		instance := CheckInstance{Address: InstanceAddress{Display: name}, Status: string(c.State)}
		for _, m := range c.Messages {
			instance.Problems = append(instance.Problems, Problem{m})
		}
		list = append(list, Check{
			Address:   CheckAddress{Display: name, Kind: "check", Name: c.Name},
			Status:    string(c.State),
			Instances: []CheckInstance{instance},
		})
	}
	return list
}

// expectationChecks gathers the expectations of items, which come in the order
// of their addresses, as Terraform shows conditions of resources: one entry a
// block, one instance an item.
type expectationChecks struct{ list []Check }

func (e *expectationChecks) add(item *plan.Item) {
	if len(item.Expectations) == 0 {
		return
	}
	block := item.Address.Block()
	if n := len(e.list); n == 0 || e.list[n-1].Address.Display != block {
		e.list = append(e.list, Check{
			Address: CheckAddress{Display: block, Kind: "resource", Mode: "managed", Type: item.Address.Type(), Name: item.Address.Name()},
			Status:  string(plan.CheckPass),
		})
	}
	instance := CheckInstance{
		Address: InstanceAddress{Display: item.Address.String(), Key: indexOf(item.Address.Key())},
		Status:  string(plan.CheckPass),
	}
	for _, x := range item.Expectations {
		status := expectationStatus(x.State)
		instance.Status = worse(instance.Status, string(status))
		if status == plan.CheckFail {
			instance.Problems = append(instance.Problems, Problem{x.Message})
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
