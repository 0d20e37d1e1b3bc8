package record

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/failpoint"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Results records outputs and checks, and what is to be remembered of the
// configuration that they come from.
func (c *Recorder) Results(ctx context.Context, outputs []plan.Output, checks []plan.Check, notes map[state.NoteKey]string) error {
	stored, err := storedOutputs(outputs)
	if err != nil {
		return err
	}
	if checks == nil {
		checks = []plan.Check{}
	}
	failpoint.Hit(failpoint.ResultsBegin)
	if err := c.store.Commit(ctx, &state.Batch{Outputs: &stored, Checks: &checks, Notes: notes}); err != nil {
		return fmt.Errorf("record outputs and checks: %w", err)
	}
	failpoint.Hit(failpoint.ResultsEnd)
	return nil
}

// storedOutputs are outputs as the state keeps them.
func storedOutputs(outputs []plan.Output) ([]state.StoredOutput, error) {
	stored := make([]state.StoredOutput, 0, len(outputs))
	for _, o := range outputs {
		s := state.StoredOutput{Name: o.Name, Sensitive: o.Sensitive}
		if !o.Sensitive && o.Value != cty.NilVal && o.Value.IsKnown() {
			encode := value.EncodePartly
			if s.Known = o.Value.IsWhollyKnown(); s.Known {
				encode = value.Encode
			}
			var err error
			if s.Type, err = ctyjson.MarshalType(o.Value.Type()); err != nil {
				return nil, fmt.Errorf("output %s: %w", o.Name, err)
			}
			if s.Value, err = encode(o.Value); err != nil {
				return nil, fmt.Errorf("output %s: %w", o.Name, err)
			}
		}
		if o.Sensitive && o.Type != cty.NilType {
			ty, err := ctyjson.MarshalType(o.Type)
			if err != nil {
				return nil, fmt.Errorf("output %s: %w", o.Name, err)
			}
			s.Type = ty
		}
		stored = append(stored, s)
	}
	return stored, nil
}

// OutputValue is a stored output's value: what was not read yet of it is unknown,
// and it is null when it is sensitive and so was never stored.
func OutputValue(o state.StoredOutput) (cty.Value, error) {
	switch {
	case o.Sensitive:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case !o.Known && len(o.Value) == 0:
		return cty.DynamicVal, nil
	}
	ty, err := ctyjson.UnmarshalType(o.Type)
	if err != nil {
		return cty.NilVal, fmt.Errorf("stored output %s: %w", o.Name, err)
	}
	decode := value.Decode
	if !o.Known {
		decode = value.DecodePartly
	}
	v, err := decode(o.Value, ty)
	if err != nil {
		return cty.NilVal, fmt.Errorf("stored output %s: %w", o.Name, err)
	}
	return v, nil
}
