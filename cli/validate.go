package cli

import (
	"context"
	"flag"
)

func validateCommand() *command {
	var v variableFlags
	var asJSON bool
	return &command{
		name:    "validate",
		summary: "Check the configuration, offline, without credentials or state",
		example: "waybill validate\nwaybill -chdir=production validate -json",
		flags: func(fs *flag.FlagSet) {
			v.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print JSON, in the format of terraform validate -json")
		},
		run: func(ctx context.Context, p *program, _ []string) int {
			o := p.options(v, true)
			o.ValuesLater = true
			o.Context = ctx
			cfg, diags := p.load(o)
			diags = p.mistakes(ctx, cfg, diags)
			p.view.Validation(cfg.Sources(), diags, asJSON)
			if diags.HasErrors() {
				return exitError
			}
			return exitOK
		},
	}
}
