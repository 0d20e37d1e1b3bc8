package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/waybill-dev/waybill/agent"
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
			reader, _, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			outputs, err := storedOutputs(ctx, reader, name)
			if err == nil {
				err = p.output(outputs, name, asJSON, raw)
			}
			if err != nil {
				return p.closing(reader, p.fail(err))
			}
			return p.closing(reader, exitOK)
		},
	}
}

func (p *program) output(outputs []state.StoredOutput, name string, asJSON, raw bool) error {
	switch {
	case name == "" && asJSON:
		p.indentedJSON(jsonOutputs(outputs))
		return nil
	case name == "" && len(outputs) == 0:
		p.note("The state has no outputs.")
		return nil
	case name == "":
		return p.showOutputs(outputs)
	}
	o := outputs[0]
	if o.Sensitive {
		return fmt.Errorf("output %s is sensitive: its value is never recorded, so it cannot be shown", o.Name)
	}
	v, err := agent.OutputValue(o)
	if err != nil {
		return err
	}
	if raw {
		text, err := rawText(o.Name, v)
		if err != nil {
			return err
		}
		p.out.printf("%s", text)
		return nil
	}
	if asJSON {
		if !v.IsWhollyKnown() {
			return notKnownYet(o.Name)
		}
		_, _ = p.out.Write(append(o.Value[:len(o.Value):len(o.Value)], '\n'))
		return nil
	}
	p.out.println(valueText(v, ""))
	return nil
}

// rawText is a value as a script wants it.
func rawText(name string, v cty.Value) (string, error) {
	if !v.IsWhollyKnown() {
		return "", notKnownYet(name)
	}
	if v.Type() == cty.Number && !v.IsNull() {
		return value.FormatNumber(v.AsBigFloat()), nil
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() {
		return "", fmt.Errorf("output %s is not a string, number or bool: use -json", name)
	}
	return s.AsString(), nil
}

func notKnownYet(name string) error {
	return fmt.Errorf("output %s is known after the first read", name)
}
