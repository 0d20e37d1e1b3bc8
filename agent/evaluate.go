package agent

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/agent/record"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// evaluation walks a configuration's blocks in the order of their dependencies,
// wave by wave, and keeps what was declared so far.
type evaluation struct {
	config  *hclspec.Root
	hcl     *hclspec.Evaluation
	seen    *seen
	reader  state.Reader // nil: no state yet
	desired []plan.Desired
	// blocks are those evaluated so far: true, or false when its instances depend
	// on something not read yet, so that the present ones stay.
	blocks map[string]bool
	// kept are instances whose arguments depend on something not read yet.
	kept map[plan.Address]bool
	done bool
}

func newEvaluation(config *hclspec.Root, c providers.Catalog, reader state.Reader) *evaluation {
	s := &seen{catalog: c, reader: reader, desired: make(map[string][]plan.Desired), overlay: make(map[plan.Identity]*plan.Item)}
	return &evaluation{
		config: config, hcl: config.NewEvaluation(s), seen: s, reader: reader,
		blocks: make(map[string]bool), kept: make(map[plan.Address]bool),
	}
}

// all evaluates wave after wave and shows each to visit, as hclspec's All does.
func (e *evaluation) all(ctx context.Context, visit func(*hclspec.Wave) error) (hcl.Diagnostics, error) {
	diags, err := e.hcl.All(ctx, func(wave *hclspec.Wave) error {
		e.take(wave)
		if visit == nil {
			return nil
		}
		return visit(wave)
	})
	e.done = err == nil && !diags.HasErrors()
	return diags, err
}

// take keeps what a wave declares.
func (e *evaluation) take(wave *hclspec.Wave) {
	deferred := make(map[string]bool, len(wave.Deferred))
	for _, block := range wave.Deferred {
		deferred[block] = true
	}
	for _, block := range wave.Blocks {
		e.blocks[block] = !deferred[block]
		if !deferred[block] {
			e.seen.desired[block] = nil
		}
	}
	for _, address := range wave.DeferredInstances {
		e.kept[address] = true
	}
	start := 0
	for i := range wave.Desired {
		if i+1 == len(wave.Desired) || wave.Desired[i+1].Address.Block() != wave.Desired[start].Address.Block() {
			e.seen.desired[wave.Desired[start].Address.Block()] = wave.Desired[start : i+1]
			start = i + 1
		}
	}
	if e.desired == nil {
		e.desired = wave.Desired
	} else {
		e.desired = append(e.desired, wave.Desired...)
	}
}

// many is from how many instances on it pays to give memory back at once.
const many = 10_000

// rest lets go of what only a pass needs, once it is recorded: an agent that
// waits holds a million items in the state, not in memory. Expectations are
// judged on; what they refer to is read from the state.
func (e *evaluation) rest() {
	n := len(e.desired)
	e.hcl.Rest()
	e.seen.rest()
	e.desired, e.kept = nil, nil
	if n > many {
		debug.FreeOSMemory()
	}
}

// diff compares what was declared so far with what is tracked. Until all waves
// are evaluated nothing of a block that was not is forgotten. each, when not nil,
// is shown every tracked item on the way, with its declared columns.
func (e *evaluation) diff(ctx context.Context, each func(*plan.Item)) ([]plan.Change, error) {
	keep := func(a plan.Address) bool {
		if e.kept[a] {
			return true
		}
		evaluated, declared := e.blocks[a.Block()]
		if declared {
			return !evaluated
		}
		return !e.done
	}
	var stream iter.Seq2[*plan.Item, error] = func(func(*plan.Item, error) bool) {}
	if e.reader != nil {
		stream = e.reader.Items(ctx, state.ItemFilter{Declared: true})
	}
	if each == nil {
		return plan.Diff(e.desired, stream, keep)
	}
	return plan.Diff(e.desired, func(yield func(*plan.Item, error) bool) {
		for item, err := range stream {
			if err == nil {
				each(item)
			}
			if !yield(item, err) {
				return
			}
		}
	}, keep)
}

// deferred are the blocks whose instances depend on something not read yet.
func (e *evaluation) deferred() []string {
	var blocks []string
	for block, evaluated := range e.blocks {
		if !evaluated {
			blocks = append(blocks, block)
		}
	}
	for address := range e.kept {
		blocks = append(blocks, address.String())
	}
	slices.Sort(blocks)
	return blocks
}

// forgets checks what a plan would forget: an item with prevent_forget stays
// until it is settled, unless a removed block names it.
func (e *evaluation) forgets(changes []plan.Change) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for i := range changes {
		if changes[i].Action != plan.Forget || !e.guarded(changes[i].Item) {
			continue
		}
		if !changes[i].Item.Settings.PreventForget && !e.prevented(changes[i].Address) {
			continue
		}
		diags = diags.Append(&hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Instance cannot be forgotten",
			Detail: fmt.Sprintf("%s has lifecycle.prevent_forget set, but the configuration no longer declares it as it is tracked (%s). "+
				"Declare it again, or apply it once with prevent_forget = false, or name it in a removed block.", changes[i].Address, originOf(changes[i].Item.Origin)),
		})
	}
	return diags
}

// prevented reports whether the block that declares an address says
// prevent_forget now, though the item was recorded before it did.
func (e *evaluation) prevented(address plan.Address) bool {
	desired := e.seen.desired[address.Block()]
	return len(desired) > 0 && desired[0].Settings.PreventForget
}

func originOf(o plan.Origin) string {
	if o.File == "" {
		return "declared in a configuration that is gone"
	}
	return fmt.Sprintf("declared at %s:%d", o.File, o.Line)
}

// removed reports whether a removed block names the address.
func (e *evaluation) removed(address plan.Address) bool {
	for _, r := range e.config.Removed() {
		if r.Covers(address) {
			return true
		}
	}
	return false
}

// outputChanges puts the outputs beside what the state has of them.
func outputChanges(before []state.StoredOutput, outputs []plan.Output) ([]plan.OutputChange, error) {
	was := make(map[string]state.StoredOutput, len(before))
	for _, o := range before {
		was[o.Name] = o
	}
	var changes []plan.OutputChange
	for _, o := range outputs {
		change := plan.OutputChange{Name: o.Name, Sensitive: o.Sensitive, After: o.Value, Type: o.Type}
		if o.Sensitive {
			change.After = cty.NullVal(cty.DynamicPseudoType)
		}
		if old, ok := was[o.Name]; ok {
			delete(was, o.Name)
			v, err := record.OutputValue(old)
			if err != nil {
				return nil, err
			}
			change.Before = v
		}
		changes = append(changes, change)
	}
	for _, old := range before {
		if _, gone := was[old.Name]; !gone {
			continue
		}
		v, err := record.OutputValue(old)
		if err != nil {
			return nil, err
		}
		changes = append(changes, plan.OutputChange{Name: old.Name, Sensitive: old.Sensitive, Before: v})
	}
	return changes, nil
}

// declared are the blocks with instances.
func (e *evaluation) declared() []plan.Address {
	var blocks []plan.Address
	for _, desired := range e.seen.desired {
		if len(desired) > 0 {
			blocks = append(blocks, desired[0].Address.WithKey(plan.Key{}))
		}
	}
	return blocks
}
