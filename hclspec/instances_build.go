package hclspec

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// chunk is a stretch of a block's instances, evaluated by one worker.
type chunk struct {
	b        *builder
	from, to int
	deferred []plan.Address
	problems []problem
	mistaken int // instances
}

// problem is a mistake of one instance.
type problem struct {
	key  plan.Key
	diag *hcl.Diagnostic
}

// maxProblems is how many mistakes of one stretch of instances are kept.
const maxProblems = 20

// chunkSize is how many instances a worker takes at a time: enough that
// handing out costs nothing, few enough that all cores end together.
const chunkSize = 2048

// instances builds the instances of all blocks of a wave on all cores.
func (e *Evaluation) instances(ctx context.Context, builders []*builder, total int, wave *Wave) ([]plan.Desired, hcl.Diagnostics) {
	var chunks []*chunk
	for _, b := range builders {
		n := len(b.expansion.keys)
		if b.expansion.failed || b.expansion.deferred {
			continue
		}
		for from := 0; from < n; from += chunkSize {
			chunks = append(chunks, &chunk{b: b, from: from, to: min(n, from+chunkSize)})
		}
	}
	desired := make([]plan.Desired, total)
	e.parallel(len(chunks), func(i int) {
		if ctx.Err() == nil {
			chunks[i].build(desired)
		}
	})
	var diags hcl.Diagnostics
	for start := 0; start < len(chunks); {
		end := start
		for end < len(chunks) && chunks[end].b == chunks[start].b {
			wave.DeferredInstances = append(wave.DeferredInstances, chunks[end].deferred...)
			end++
		}
		diags = append(diags, gatherProblems(chunks[start:end])...)
		start = end
	}
	desired = slices.DeleteFunc(desired, func(d plan.Desired) bool { return d.Args == nil })
	for _, b := range builders {
		switch {
		case len(b.expansion.streamed) == 0:
		case len(desired) == 0:
			desired = slices.Clip(b.expansion.streamed) // the usual configuration: nothing to copy
		default:
			desired = slices.Concat(desired, b.expansion.streamed)
		}
	}
	sortDesired(desired)
	return desired, diags
}

// gatherProblems tells each mistake of a block's instances once, with the first
// instance that it is about and how many there are.
func gatherProblems(chunks []*chunk) hcl.Diagnostics {
	type kind struct{ summary, at string }
	type group struct {
		first problem
		count int
	}
	groups := map[kind]*group{}
	var order []kind
	mistaken := 0
	for _, c := range chunks {
		mistaken += c.mistaken
		for _, p := range c.problems {
			k := kind{summary: p.diag.Summary}
			if p.diag.Subject != nil {
				k.at = p.diag.Subject.String()
			}
			if groups[k] == nil {
				groups[k] = &group{first: p}
				order = append(order, k)
			}
			groups[k].count++
		}
	}
	var diags hcl.Diagnostics
	for _, k := range order {
		g := groups[k]
		d := *explain(g.first.diag, nil)
		r := chunks[0].b.r
		if !g.first.key.IsNone() {
			d.Detail += fmt.Sprintf("\n\nThis is about %s", r.address(g.first.key))
			others := g.count - 1
			if len(order) == 1 {
				others = mistaken - 1
			}
			switch {
			case others == 1:
				d.Detail += " and one more instance."
			case others > 1:
				d.Detail += fmt.Sprintf(" and %d more instances.", others)
			default:
				d.Detail += "."
			}
		}
		diags = append(diags, &d)
	}
	return diags
}

// build evaluates a stretch of instances into their places.
func (c *chunk) build(desired []plan.Desired) {
	b := c.b
	w := newWorker(b)
	for i := c.from; i < c.to; i++ {
		key := b.expansion.keys[i]
		into := &desired[b.offset+i]
		if b.skip { // for the mistakes of what is an instance's own
			into = nil
		}
		known, diags := w.instance(key, into)
		if diags.HasErrors() {
			c.mistaken++
			if len(c.problems) < maxProblems {
				for _, d := range diags {
					c.problems = append(c.problems, problem{key, d})
				}
			}
			continue
		}
		if !known && !b.skip {
			c.deferred = append(c.deferred, b.r.address(key))
		}
	}
}

// worker holds what one goroutine reuses from instance to instance.
type worker struct {
	b      *builder
	ctx    *hcl.EvalContext // child of the block's
	args   map[string]cty.Value
	buffer []byte
	row    *row // of a stream whose value is the row; nil otherwise
	shared bool // the arguments stay in buffer until the next instance
}

func newWorker(b *builder) *worker {
	w := &worker{b: b, args: make(map[string]cty.Value, len(b.fixed)+4)}
	for name, v := range b.fixed {
		w.args[name] = v
	}
	if b.general {
		w.ctx = b.ctx.NewChild()
	}
	return w
}

// instance evaluates one instance into d; known is false when an argument is
// not known yet, and d is then left empty.
func (w *worker) instance(key plan.Key, d *plan.Desired) (known bool, diags hcl.Diagnostics) {
	b := w.b
	keyValue := key.Value()
	value := cty.DynamicVal
	if text, ok := key.Text(); ok {
		value = b.expansion.each(text)
	}
	return w.evaluate(key, keyValue, value, d)
}

func (w *worker) evaluate(key plan.Key, keyValue, eachValue cty.Value, d *plan.Desired) (known bool, diags hcl.Diagnostics) {
	b := w.b
	if w.ctx != nil {
		w.ctx.Variables = instanceObject(b.r, keyValue, eachValue)
	}
	known = !b.waits
	for _, p := range b.parts {
		if p.constant {
			continue
		}
		v, partDiags := w.part(p, keyValue, eachValue)
		if len(partDiags) > 0 {
			diags = append(diags, partDiags...)
		}
		if !v.IsWhollyKnown() {
			known = false
		}
		w.args[p.name] = v
	}
	if diags.HasErrors() {
		return false, diags
	}
	t := b.r.typ
	args := cty.NilVal
	if t.Check != nil {
		args = cty.ObjectVal(w.args)
		for _, found := range t.Check(args) {
			diags = append(diags, mistake(found.Summary, found.Detail, b.rangeOf(found.Argument).Ptr()))
		}
		if diags.HasErrors() {
			return false, diags
		}
	}
	if !known || d == nil {
		return false, diags
	}
	if args == cty.NilVal {
		args = cty.ObjectVal(w.args)
	}
	encoded, err := w.encode()
	if err != nil {
		return false, append(diags, mistake("Invalid argument", sentence(err.Error()), b.r.declared.Ptr()))
	}
	d.Address = b.r.address(key)
	d.Account = b.r.account
	d.Identity = t.Identity(args)
	d.Args = encoded
	if !w.shared {
		d.Args = slices.Clone(encoded)
	}
	d.Origin = b.r.origin
	if b.settings != nil {
		d.Settings = *b.settings
		return true, diags
	}
	if d.Settings, err = plan.DecodeSettings(encoded); err != nil {
		return false, append(diags, mistake("Invalid argument", sentence(err.Error()), b.r.declared.Ptr()))
	}
	return true, diags
}

// instanceObject is what an instance's expressions know of it.
func instanceObject(r *resource, key, value cty.Value) map[string]cty.Value {
	if r.count != nil {
		return map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": key})}
	}
	return map[string]cty.Value{"each": eachObject(key, value)}
}

// part is the value of one argument of the instance.
func (w *worker) part(p *part, key, eachValue cty.Value) (cty.Value, hcl.Diagnostics) {
	if p.nested != nil {
		values := make([]cty.Value, len(p.nested))
		for i, n := range p.nested {
			v := n.value
			if !n.constant {
				var diags hcl.Diagnostics
				if v, diags = w.part(n, key, eachValue); diags.HasErrors() {
					return v, diags
				}
			}
			values[i] = v
		}
		return w.b.pollValue(p, values, nil)
	}
	var value cty.Value
	var diags hcl.Diagnostics
	switch p.from {
	case byKey:
		value = key
	case byValue:
		if w.row != nil {
			var ok bool
			if value, ok = w.row.at(p.steps); !ok {
				return w.inContext(p, key, w.row.value())
			}
			break
		}
		value = eachValue
		if len(p.steps) > 0 {
			var stepDiags hcl.Diagnostics
			if value, stepDiags = p.steps.TraverseRel(eachValue); stepDiags.HasErrors() {
				return w.inContext(p, key, eachValue)
			}
		}
	default:
		value, diags = p.attr.Expr.Value(w.ctx)
	}
	if diags.HasErrors() {
		return cty.UnknownVal(p.arg.Type), diags
	}
	value, d := p.accept(value)
	if d != nil {
		return cty.UnknownVal(p.arg.Type), append(diags, d)
	}
	return value, diags
}

// inContext evaluates an expression the long way, for diagnostics that are as
// good as HCL's own.
func (w *worker) inContext(p *part, key, eachValue cty.Value) (cty.Value, hcl.Diagnostics) {
	ctx := w.b.ctx.NewChild()
	ctx.Variables = instanceObject(w.b.r, key, eachValue)
	value, diags := p.attr.Expr.Value(ctx)
	if diags.HasErrors() {
		return cty.UnknownVal(p.arg.Type), diags
	}
	value, d := p.accept(value)
	if d != nil {
		diags = append(diags, d)
	}
	return value, diags
}

// encode writes the canonical JSON of the instance's arguments into buffer, the
// constant ones as they were encoded once.
func (w *worker) encode() ([]byte, error) {
	buf := append(w.buffer[:0], '{')
	var err error
	for i, p := range w.b.parts {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(value.AppendString(buf, p.name), ':')
		if p.constant {
			buf = append(buf, p.json...)
			continue
		}
		if buf, err = value.Append(buf, w.args[p.name]); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	buf = append(buf, '}')
	w.buffer = buf
	return buf, nil
}
