package hclspec

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/functions"
	"github.com/waybill-dev/waybill/plan"
)

// Evaluation walks the resource blocks once, in the order of their references.
// Between two waves the caller reads the instances of the first, so that the
// second is evaluated against what was seen. It serves outputs, checks and
// expectations too. Methods may be called concurrently, except All.
type Evaluation struct {
	c    *Root
	seen Seen

	mu         sync.Mutex
	ctx        context.Context
	coming     int // the wave that comes next
	ended      bool
	scope      *scope // of the present wave: what was seen of the waves before
	judging    map[string]judging
	expansions map[string]*expansion
	streamed   map[string]bool // locals that were evaluated row by row
	identities *identities
}

// Wave is what the blocks of one rank ask for.
type Wave struct {
	// Blocks are the addresses of this wave's blocks, in order.
	Blocks []string
	// Desired are the instances, in the order of their addresses.
	Desired []plan.Desired
	// Deferred are the blocks whose for_each or count is unknown: their present
	// instances stay.
	Deferred []string
	// DeferredInstances have an argument that is unknown: one that is tracked
	// stays as it is, another is not tracked yet.
	DeferredInstances []plan.Address
}

// NewEvaluation begins a pass. With seen nil whatever would be observed is
// unknown, as for validate.
func (c *Root) NewEvaluation(seen Seen) *Evaluation {
	e := &Evaluation{c: c, seen: seen, ctx: context.Background(), expansions: map[string]*expansion{}, streamed: map[string]bool{}, identities: newIdentities()}
	e.turn()
	return e
}

// turn forgets what was seen, since more has been read by now.
func (e *Evaluation) turn() {
	e.scope = newScope(e.c.module, e.resourceValue)
	e.judging = map[string]judging{}
}

// All evaluates wave after wave and shows each to visit before the next is
// evaluated, so that visit may read what it declares: what comes later is
// evaluated against what was seen by then. From the first mistake on nothing is
// shown any more, and what is left is evaluated for its mistakes only, so that
// one run tells them all. visit may be nil; its error ends the walk.
func (e *Evaluation) All(ctx context.Context, visit func(*Wave) error) (hcl.Diagnostics, error) {
	var diags hcl.Diagnostics
	for {
		wave, more := e.next(ctx)
		diags = append(diags, more...)
		if wave == nil {
			return diags, nil
		}
		if visit == nil || diags.HasErrors() {
			continue
		}
		if err := visit(wave); err != nil {
			return diags, err
		}
	}
}

// Renew forgets what was seen, after All, for more was read since.
func (e *Evaluation) Renew() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn()
}

// next evaluates the next wave; nil at the end. With mistakes in a block its
// instances are missing from the wave, and nothing must be forgotten for it.
func (e *Evaluation) next(ctx context.Context) (*Wave, hcl.Diagnostics) {
	if err := ctx.Err(); err != nil {
		return nil, hcl.Diagnostics{mistake("Interrupted", sentence(err.Error()), nil)}
	}
	_, _ = e.c.Accounts() // provider values are needed here; their mistakes are told there
	e.mu.Lock()
	e.ctx = ctx
	e.turn()
	if e.coming >= len(e.c.waves) {
		e.ended = true
		e.mu.Unlock()
		return nil, e.c.clean(e.checkLocals())
	}
	blocks := e.c.waves[e.coming]
	e.coming++
	e.mu.Unlock()

	builders := make([]*builder, len(blocks))
	e.parallel(len(blocks), func(i int) { builders[i] = e.prepare(ctx, blocks[i]) })
	var diags hcl.Diagnostics
	wave := &Wave{}
	total := 0
	e.mu.Lock()
	for i, b := range builders {
		diags = append(diags, b.diags...)
		e.expansions[blocks[i].block()] = b.expansion
		wave.Blocks = append(wave.Blocks, blocks[i].block())
		if b.expansion.deferred {
			wave.Deferred = append(wave.Deferred, blocks[i].block())
		}
		b.offset = total
		total += len(b.expansion.keys)
	}
	e.mu.Unlock()
	instances, instanceDiags := e.instances(ctx, builders, total, wave)
	diags = append(diags, instanceDiags...)
	if err := ctx.Err(); err != nil {
		return nil, hcl.Diagnostics{mistake("Interrupted", sentence(err.Error()), nil)}
	}
	diags = append(diags, e.identities.add(e.c.module, e.c.accountsByName, instances)...)
	if e.coming >= len(e.c.waves) {
		e.identities = nil // no more can come
	}
	wave.Desired = instances
	return wave, e.c.clean(diags)
}

// noteStreamed keeps that a local was evaluated row by row.
func (e *Evaluation) noteStreamed(local string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streamed[local] = true
}

// checkLocals evaluates the locals that nothing asked for yet, for their
// mistakes. A missing environment variable is none there: whoever needs the
// local tells it, and only what reads a vendor needs credentials.
func (e *Evaluation) checkLocals() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range sortedKeys(e.c.module.locals) {
		if e.streamed[name] {
			continue // evaluated row by row
		}
		refs := newReferences()
		refs.locals[name] = true
		_, localDiags := e.scope.context(refs)
		for _, d := range localDiags {
			if _, missing := functions.MissingVariable(d); !missing {
				diags = append(diags, d)
			}
		}
	}
	return diags
}

// workers is how many cores evaluate.
func (e *Evaluation) workers() int {
	if e.c.opts.Parallelism > 0 {
		return e.c.opts.Parallelism
	}
	return runtime.GOMAXPROCS(0)
}

// parallel calls work for 0 to n-1 on all cores.
func (e *Evaluation) parallel(n int, work func(int)) {
	workers := min(e.workers(), n)
	if workers <= 1 {
		for i := range n {
			work(i)
		}
		return
	}
	var wg sync.WaitGroup
	next := make(chan int, workers)
	for range workers {
		wg.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// resourceValue is a resource as expressions see it: an object without
// for_each and count, a list with count, a map with for_each. Its instances
// are those declared; what was not seen of them is unknown.
func (e *Evaluation) resourceValue(block string) (cty.Value, hcl.Diagnostics) {
	r := e.c.module.resources[block]
	x := e.expansions[block]
	if x == nil || x.deferred || x.failed {
		return unknownResource(r), nil
	}
	var seen map[plan.Key]cty.Value
	var err error
	if e.seen != nil {
		seen, err = e.seen.Instances(e.ctx, r.typ.Name, r.name)
	}
	if err != nil {
		return unknownResource(r), hcl.Diagnostics{mistake("Unreadable state", fmt.Sprintf("What is known of %s cannot be read: %s.", block, err), r.declared.Ptr())}
	}
	instance := func(key plan.Key) cty.Value {
		if v, ok := seen[key]; ok {
			return v
		}
		return r.typ.unread()
	}
	switch {
	case r.forEach != nil:
		keys := x.list()
		values := make(map[string]cty.Value, len(keys))
		for _, key := range keys {
			text, _ := key.Text()
			values[text] = instance(key)
		}
		if r.typ.values.HasDynamicTypes() {
			return cty.ObjectVal(values), nil
		}
		if len(values) == 0 {
			return cty.MapValEmpty(r.typ.values), nil
		}
		return cty.MapVal(values), nil
	case r.count != nil:
		values := make([]cty.Value, len(x.keys))
		for i, key := range x.keys {
			values[i] = instance(key)
		}
		if r.typ.values.HasDynamicTypes() {
			return cty.TupleVal(values), nil
		}
		if len(values) == 0 {
			return cty.ListValEmpty(r.typ.values), nil
		}
		return cty.ListVal(values), nil
	}
	return instance(plan.NoKey), nil
}

// unknownResource is a resource of which nothing is known but its shape.
func unknownResource(r *resource) cty.Value {
	switch {
	case r.forEach == nil && r.count == nil:
		return r.typ.unread()
	case r.typ.values.HasDynamicTypes():
		return cty.DynamicVal
	case r.count != nil:
		return cty.UnknownVal(cty.List(r.typ.values))
	}
	return cty.UnknownVal(cty.Map(r.typ.values))
}

// Rest lets go of every value that no expectation needs, at the end of a pass:
// with a million instances they are most of the memory. Afterwards only Judge
// and HasExpect may be called.
func (e *Evaluation) Rest() {
	needed, each := newReferences(), map[string]bool{}
	for block, r := range e.c.module.resources {
		for name := range r.expectRefs.locals {
			needed.locals[name] = true
		}
		for name := range r.expectRefs.resources {
			needed.resources[name] = true
		}
		each[block] = r.expectRefs.each
	}
	e.c.module.closure(needed)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn()
	e.identities = nil
	for block, x := range e.expansions {
		if needed.resources[block] {
			continue
		}
		rested := *x
		rested.keys, rested.streamed = nil, nil
		if !each[block] {
			rested.forEach = cty.NilVal
		}
		e.expansions[block] = &rested
	}
	for name, l := range e.c.module.locals {
		if !needed.locals[name] {
			l.once.letGo()
		}
	}
}

// instanceVariables are each and count of one instance.
func (e *Evaluation) instanceVariables(r *resource, key plan.Key) map[string]cty.Value {
	variables := map[string]cty.Value{}
	e.mu.Lock()
	x := e.expansions[r.block()]
	e.mu.Unlock()
	switch {
	case r.forEach != nil:
		value := cty.DynamicVal
		if text, ok := key.Text(); ok && x != nil && !x.deferred && !x.failed {
			value = x.each(text)
		}
		variables["each"] = eachObject(key.Value(), value)
	case r.count != nil:
		variables["count"] = cty.ObjectVal(map[string]cty.Value{"index": key.Value()})
	}
	return variables
}

func eachObject(key, value cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
}

// sortDesired orders instances by address.
func sortDesired(list []plan.Desired) {
	less := func(a, b plan.Desired) int {
		switch {
		case a.Address.Less(b.Address):
			return -1
		case b.Address.Less(a.Address):
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(list, less) {
		slices.SortFunc(list, less)
	}
}
