package cli

import (
	"context"
	"flag"
	"fmt"

	"github.com/waybill-dev/waybill/cli/view"
	"github.com/waybill-dev/waybill/providers/sandbox"
)

func sandboxCommand() *command {
	var listen, callbackURL string
	var seed uint64
	var autoCreate bool
	return &command{
		name:    "sandbox",
		writes:  true,
		summary: "Run the four vendors' APIs offline, as their pages describe them",
		detail: "Prints where they listen and the credentials that are right there. What is asked for comes into being and " +
			"progresses within a minute; its control API, below /control/, makes, describes and breaks things.",
		flags: func(fs *flag.FlagSet) {
			fs.StringVar(&listen, "listen", "127.0.0.1:8490", "listen on this `address`")
			fs.StringVar(&callbackURL, "callback-url", "", "push NXCLOUD's results to this `URL`")
			fs.Uint64Var(&seed, "seed", 1, "`number` that decides what becomes of things")
			fs.BoolVar(&autoCreate, "auto-create", true, "let recipients and orders that are asked for come into being")
		},
		run: func(ctx context.Context, p *program, _ []string) int {
			server := sandbox.New(sandbox.Options{Now: p.now, Seed: seed, AutoCreate: autoCreate, CallbackURL: callbackURL, Log: p.log})
			base, err := server.Start(listen)
			if err != nil {
				return p.fail(err)
			}
			p.view.Sandbox(view.Sandbox{
				Base:      base,
				Endpoints: server.Endpoints().ByProvider(),
				Environ:   server.Credentials().Env(),
			})
			server.Run(ctx)
			if err := server.Close(); err != nil {
				return p.fail(fmt.Errorf("close sandbox: %w", err))
			}
			return exitOK
		},
	}
}
