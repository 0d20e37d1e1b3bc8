package cli

import (
	"context"
	"flag"

	"github.com/hashicorp/hcl/v2"

	"github.com/waybill-dev/waybill/hclspec"
)

func validateCommand() *command {
	var v variableFlags
	var asJSON bool
	return &command{
		name:    "validate",
		summary: "Check the configuration, offline, without credentials or state",
		flags: func(fs *flag.FlagSet) {
			v.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print JSON, in the format of terraform validate -json")
		},
		run: func(ctx context.Context, p *program, _ []string) int {
			cfg, diags := p.load(p.options(v, true))
			if !diags.HasErrors() {
				diags = diags.Extend(evaluate(ctx, cfg))
			}
			p.showValidation(cfg.Sources(), diags, asJSON)
			if diags.HasErrors() {
				return exitError
			}
			return exitOK
		},
	}
}

// evaluate walks the whole configuration with nothing seen, for its mistakes.
func evaluate(ctx context.Context, cfg *hclspec.Config) hcl.Diagnostics {
	_, diags := settingsOf(cfg)
	_, more := cfg.Accounts()
	diags = diags.Extend(more)
	evaluation := cfg.NewEvaluation(nil)
	for {
		wave, more := evaluation.Next(ctx)
		diags = diags.Extend(more)
		if wave == nil || more.HasErrors() {
			break
		}
	}
	if diags.HasErrors() {
		return diags
	}
	_, more = evaluation.Outputs(ctx)
	diags = diags.Extend(more)
	_, more = evaluation.Checks(ctx)
	return diags.Extend(more)
}
