package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

func outputCommand() *command {
	var flags stateFlags
	var asJSON, raw bool
	return &command{
		name:    "output",
		args:    "[NAME]",
		summary: "Show the outputs, as they were last recorded",
		example: "waybill output -raw fax_cost",
		maxArgs: 1,
		flags: func(fs *flag.FlagSet) {
			flags.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print JSON")
			fs.BoolVar(&raw, "raw", false, "print one string, number or bool as it is, without quotes or line end")
		},
		run: func(ctx context.Context, p *program, args []string) int {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			switch {
			case raw && name == "":
				return p.fail(errors.New("output -raw needs the name of an output"))
			case raw && asJSON:
				return p.fail(errors.New("output: give -raw or -json, not both"))
			}
			reader, _, err := p.openReader(flags)
			if errors.Is(err, state.ErrNoState) && name == "" {
				return p.outputs(nil, asJSON)
			}
			if err != nil {
				return p.fail(err)
			}
			outputs, err := recordedOutputs(ctx, reader)
			switch {
			case err != nil:
			case name == "":
				return p.closing(reader, p.outputs(outputs, asJSON))
			default:
				err = p.output(outputs, name, asJSON, raw)
			}
			if err != nil {
				return p.closing(reader, p.fail(err))
			}
			return p.closing(reader, exitOK)
		},
	}
}

// recordedOutputs are the outputs of a state, with unknown values before the first
// read and none where they are sensitive.
func recordedOutputs(ctx context.Context, reader state.Reader) ([]plan.Output, error) {
	stored, err := reader.Outputs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read outputs: %w", contextError(ctx, err))
	}
	outputs := make([]plan.Output, len(stored))
	for i, o := range stored {
		v, err := record.OutputValue(o)
		if err != nil {
			return nil, err
		}
		outputs[i] = plan.Output{Name: o.Name, Sensitive: o.Sensitive, Value: v}
		if len(o.Type) > 0 {
			if outputs[i].Type, err = ctyjson.UnmarshalType(o.Type); err != nil {
				return nil, fmt.Errorf("stored output %s: %w", o.Name, err)
			}
		}
	}
	return outputs, nil
}

// outputs prints all outputs.
func (p *program) outputs(outputs []plan.Output, asJSON bool) int {
	switch {
	case asJSON:
		p.view.JSONOutputs(outputs)
	case len(outputs) == 0:
		p.view.Warn("No outputs found", "The state has no outputs. Define some in the configuration, then run waybill apply.")
	default:
		p.view.Outputs(outputs)
	}
	return exitOK
}

// output prints the output of that name.
func (p *program) output(outputs []plan.Output, name string, asJSON, raw bool) error {
	o, err := outputNamed(outputs, name)
	switch {
	case err != nil:
		return err
	case o.Sensitive:
		return fmt.Errorf("output %s is sensitive: its value is never recorded, so it cannot be shown", o.Name)
	case !asJSON && !raw:
		p.view.Value(o.Value)
		return nil
	case !o.Value.IsKnown() || raw && !o.Value.IsWhollyKnown():
		return fmt.Errorf("output %s is known after the first read", name)
	case raw:
		text, err := rawText(name, o.Value)
		if err != nil {
			return err
		}
		p.view.Exact([]byte(text))
		return nil
	}
	encoded, _, err := value.EncodeKnown(o.Value) // what is not known yet is null
	if err != nil {
		return fmt.Errorf("output %s: %w", name, err)
	}
	p.view.JSON(encoded)
	return nil
}

func outputNamed(outputs []plan.Output, name string) (plan.Output, error) {
	var names []string
	for _, o := range outputs {
		if cty.NormalizeString(o.Name) == cty.NormalizeString(name) {
			return o, nil
		}
		names = append(names, o.Name)
	}
	return plan.Output{}, fmt.Errorf("the state has no output named %q%s\n\nA new output is there once waybill apply has run", name, didYouMean(name, names))
}

// rawText is a value as a script wants it.
func rawText(name string, v cty.Value) (string, error) {
	if v.Type() == cty.Number && !v.IsNull() {
		return value.FormatNumber(v.AsBigFloat()), nil
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		return "", fmt.Errorf("output %s is not a string, number or bool: use -json", name)
	}
	return s.AsString(), nil
}
