package agent

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// noteMaxForget is the note of the limit of the configuration that runs: it
// outlives the agent, so that a change that comes while none runs is judged too.
const noteMaxForget = "max_forget"

// guard judges how much a configuration would forget. What is settled, and what
// a removed block names, does not count: only what is still awaited can be missed.
type guard struct {
	declared hclspec.ForgetLimit
	// running is the limit of the configuration that is to be replaced: a change
	// does not lift the guard that judges it. Nil when none ran yet.
	running *hclspec.ForgetLimit
}

// newGuard finds the limits that are in force for a configuration with these
// settings. reader is nil where there is no state yet.
func newGuard(ctx context.Context, reader state.Reader, settings hclspec.Settings) (guard, error) {
	g := guard{declared: settings.MaxForget}
	if reader == nil {
		return g, nil
	}
	text, err := reader.Note(ctx, state.NoteKey{Name: noteMaxForget})
	if err != nil || text == "" {
		return g, err
	}
	running, err := hclspec.ParseForgetLimit(text)
	if err != nil {
		return g, fmt.Errorf("note %s: %w", noteMaxForget, err)
	}
	g.running = &running
	return g, nil
}

// judge is an error that says what is too much, nil when it is not.
func (g guard) judge(f forgetting) error {
	limit, which := g.declared, ""
	if g.running != nil && !g.running.Allows(f.forgets, f.awaited) {
		limit = *g.running
		if g.declared.String() != limit.String() {
			which = "; a change of max_forget is in force only once it is taken, so make it alone first"
		}
	}
	if limit.Allows(f.forgets, f.awaited) {
		return nil
	}
	return fmt.Errorf("it would forget %d of %d items, more than max_forget (%s) allows, settled ones not counted%s: declare them again, name them in a removed block, "+
		"or start once with -max-forget=%d if it is meant", f.forgets, f.awaited, limit, which, f.forgets)
}

// forgetting is how many items would be forgotten of how many that are awaited.
type forgetting struct{ forgets, awaited int }

// guarded reports whether an item counts for the guard.
func (e *evaluation) guarded(item *plan.Item) bool { return !item.Settled && !e.removed(item.Address) }

// forgetting counts what changes forget of the items that are awaited.
func (e *evaluation) forgetting(changes []plan.Change, awaited int) forgetting {
	f := forgetting{awaited: awaited}
	for i := range changes {
		if changes[i].Action == plan.Forget && e.guarded(changes[i].Item) {
			f.forgets++
		}
	}
	return f
}

// configurationNotes are what the state remembers of the configuration itself, once
// it is carried out.
func configurationNotes(config *hclspec.Root) map[state.NoteKey]string {
	settings, diags := config.Settings()
	if diags.HasErrors() {
		return nil
	}
	notes := map[state.NoteKey]string{{Name: noteMaxForget}: settings.MaxForget.String()}
	if text, err := providerSettings(config); err == nil {
		notes[state.NoteKey{Name: noteProviderSettings}] = text
	}
	return notes
}
