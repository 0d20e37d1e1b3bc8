package cli

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
)

func applyCommand() *command {
	var f passFlags
	var autoApprove, pull bool
	var reread listFlag
	return &command{
		name:    "apply",
		writes:  true,
		args:    "[PLANFILE]",
		summary: "Record the declaration, read what is due and pull reports, once",
		detail: "Asks first, unless there is nothing to record and nothing to pull. Reads every unsettled item whose last read is older than the floor. " +
			"A pull deletes at the vendor what it returns; Waybill keeps it.",
		example: "waybill apply\nwaybill apply -auto-approve -pull=false",
		maxArgs: 1,
		flags: func(fs *flag.FlagSet) {
			f.register(fs)
			fs.BoolVar(&autoApprove, "auto-approve", false, "do not ask")
			fs.BoolVar(&pull, "pull", true, "pull reports; with false nothing is deleted at a vendor")
			fs.Var(&reread, "reread", "read this `address` although it is settled; may be repeated")
		},
		run: func(ctx context.Context, p *program, args []string) int {
			if len(args) == 1 {
				return p.fail(notInThisVersion("a saved plan (" + args[0] + ")"))
			}
			addresses, err := parseAddresses("reread", reread)
			if err != nil {
				return p.fail(err)
			}
			return p.apply(ctx, &f, agent.PassOptions{Refresh: f.refresh, Pull: pull && f.refresh, Reread: addresses}, autoApprove)
		},
	}
}

func (p *program) apply(ctx context.Context, f *passFlags, options agent.PassOptions, autoApprove bool) int {
	switch {
	case autoApprove:
	case f.json:
		return p.fail(errors.New("apply -json cannot ask: give -auto-approve too"))
	case !f.input:
		return p.fail(errors.New("apply -input=false cannot ask: give -auto-approve too"))
	}
	s, ok := p.prepare(ctx, f)
	if !ok {
		return exitError
	}
	defer s.close()
	// A provider block at fault is told before a state is made.
	if _, diags := s.config.DeclaredAccounts(); diags.HasErrors() {
		s.view.Diagnostics(s.config.Sources(), s.config.Mistakes(ctx, diags))
		return exitError
	}
	_, statErr := os.Stat(s.path)
	store, err := p.writer(s.path, "apply")
	if err != nil {
		return s.fail(err)
	}
	options.StatePath = s.path
	var under underway
	options.Pulling = under.pull
	defer under.watch(ctx, p.note)()
	approve := func(r *plan.Result) (bool, error) {
		s.view.ProgressDone()
		s.view.Planned(r, false)
		if !autoApprove && needsApproval(r) {
			if yes, err := p.ask(ctx, r); !yes || err != nil {
				return false, err
			}
		}
		s.view.Applying(r)
		under.begin()
		return true, nil
	}
	result, diags, err := p.runner(s.snapshot.Revision(ctx).ID, f.parallelism, s.view.Progress).Apply(ctx, s.config, store, options, approve)
	s.view.ProgressDone()
	code, ok := p.passFailed(ctx, s, diags, err)
	if ok && !result.Applied {
		p.note("\nApply cancelled.")
		code, ok = exitError, false
	}
	if !ok {
		code = p.closing(store, code)
		if errors.Is(statErr, fs.ErrNotExist) && (result == nil || !result.Applied) {
			removeState(s.path) // it was made for this apply, and holds nothing
		}
		return code
	}
	s.view.Warnings(result)
	s.view.Applied(result)
	return p.closing(store, exitCode(result, f))
}

// removeState removes a state's files.
func removeState(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		_ = os.Remove(path + suffix) // an empty state left behind does no harm
	}
}

// needsApproval: reading alone harms nobody, unless what is read decides what is
// tracked and forgotten.
func needsApproval(r *plan.Result) bool {
	return len(r.Plan.Changes) > 0 || len(r.Plan.Accounts) > 0 || len(r.Pulls) > 0 || (len(r.Dependents) > 0 && r.Reads > 0)
}

// ask puts the question of apply and reads the answer from standard input, a
// terminal or not.
func (p *program) ask(ctx context.Context, r *plan.Result) (bool, error) {
	_ = p.view.Out.Flush()
	p.view.AskApply(r)
	type reply struct {
		line string
		err  error
	}
	replies := make(chan reply, 1)
	go func() {
		line, err := bufio.NewReader(p.in).ReadString('\n')
		replies <- reply{line, err}
	}()
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case got := <-replies:
		p.note("")
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return false, fmt.Errorf("read the answer: %w", got.err)
		}
		return strings.TrimSpace(got.line) == "yes", nil
	}
}
