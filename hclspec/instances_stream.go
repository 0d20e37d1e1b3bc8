package hclspec

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/hclspec/functions"
	"github.com/waybill-dev/waybill/plan"
)

// stream is a for_each of the form { for row in rows : key => value }, written in
// the block or in a local that it names. Its instances are made row by row: the
// object that the expression stands for, and of a csvdecode the list of its rows,
// would be most of the memory of a million instances, and most of the time.
//
// A stream is only a shorter way to what expand and the builder come to. With
// anything out of the ordinary (a mistake, an unknown, a duplicate key) it gives
// up, and the long way tells what there is to tell.
type stream struct {
	expr  *hclsyntax.ForExpr
	local string           // the local that it is written in, "" for the block itself
	ctx   *hcl.EvalContext // of the expression
	rows  cty.Value        // what is iterated over, unless it is the text of a CSV
	text  string
	names []string // the CSV's columns; nil when rows are iterated over
	index map[string]int
	// key and value are how the expression makes an instance of a row.
	key, value step
}

// step is an expression of a stream, and the quickest way to its value.
type step struct {
	expr  hclsyntax.Expression
	row   bool          // it is the row, or steps from it
	steps hcl.Traversal // from the row
}

// streamOf is the block's for_each as a stream; nil when it is none.
func (e *Evaluation) streamOf(r *resource) *stream {
	if r.forEach == nil || r.expectsEachValue() {
		return nil
	}
	expr, refs, name := r.forEach.Expr, (*references)(nil), ""
	if traversal, diags := hcl.AbsTraversalForExpr(expr); !diags.HasErrors() && len(traversal) == 2 && traversal.RootName() == "local" {
		attr, ok := traversal[1].(hcl.TraverseAttr)
		if !ok {
			return nil
		}
		l := e.c.module.locals[nameOf(attr.Name)]
		if l == nil || l.cycle || l.once.known() {
			return nil
		}
		expr, refs, name = l.attr.Expr, l.refs, l.name
	}
	for {
		inner, ok := expr.(*hclsyntax.ParenthesesExpr)
		if !ok {
			break
		}
		expr = inner.Expression
	}
	loop := expressions.LoopOf(expr)
	if loop == nil || loop.KeyExpr == nil || loop.Group {
		return nil
	}
	if refs == nil {
		refs = referencesOf(loop)
	}
	ctx, diags := e.scope.context(refs)
	if len(diags) > 0 {
		return nil
	}
	s := &stream{expr: loop, ctx: ctx, local: name}
	s.key, s.value = s.stepOf(loop.KeyExpr), s.stepOf(loop.ValExpr)
	if !s.open() {
		return nil
	}
	return s
}

// expectsEachValue reports whether an expectation looks at each.value, which has
// to be kept for it then.
func (r *resource) expectsEachValue() bool {
	for _, x := range r.expects {
		for _, expr := range x.expressions() {
			for _, traversal := range expr.Variables() {
				if traversal.RootName() != "each" {
					continue
				}
				if len(traversal) < 2 {
					return true
				}
				if attr, ok := traversal[1].(hcl.TraverseAttr); !ok || attr.Name != "key" {
					return true
				}
			}
		}
	}
	return false
}

func (s *stream) stepOf(expr hclsyntax.Expression) step {
	p := step{expr: expr}
	if traversal, diags := hcl.AbsTraversalForExpr(expr); !diags.HasErrors() && traversal.RootName() == s.expr.ValVar && s.expr.KeyVar != s.expr.ValVar {
		p.row, p.steps = true, traversal[1:]
	}
	return p
}

// open evaluates what is iterated over; of csvdecode only the text and the names
// of its columns.
func (s *stream) open() bool {
	if call, ok := s.expr.CollExpr.(*hclsyntax.FunctionCallExpr); ok && call.Name == "csvdecode" && len(call.Args) == 1 && !call.ExpandFinal {
		text, diags := call.Args[0].Value(s.ctx)
		if len(diags) > 0 || text.IsMarked() || !text.IsKnown() || text.IsNull() || text.Type() != cty.String {
			return false
		}
		s.text = text.AsString()
		reader := functions.CSVReader(s.text)
		first, err := reader.Read()
		if err != nil {
			return false
		}
		s.index = make(map[string]int, len(first))
		for i, name := range first {
			name = cty.NormalizeString(name)
			if _, twice := s.index[name]; twice {
				return false
			}
			s.names, s.index[name] = append(s.names, name), i
		}
		return true
	}
	rows, diags := s.expr.CollExpr.Value(s.ctx)
	if len(diags) > 0 || rows.IsMarked() || !rows.IsKnown() || rows.IsNull() || !rows.CanIterateElements() {
		return false
	}
	s.rows = rows
	return true
}

// most is how many rows there are at most.
func (s *stream) most() int {
	if s.names == nil {
		return s.rows.LengthInt()
	}
	n := 0
	for rest := s.text; rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		if line != "" {
			n++
		}
		rest = after
	}
	return n
}

// rowChunk is a stretch of rows on its way to a worker.
type rowChunk struct {
	from   int // number of the first row
	rows   int
	fields []string // of a CSV: those of all rows
	whole  []cty.Value
	index  []cty.Value
}

// run makes the instances of a block, in the order of their keys; ok is false
// when the long way has to be taken.
func (e *Evaluation) run(ctx context.Context, s *stream, b *builder) (desired []plan.Desired, ok bool) {
	desired = make([]plan.Desired, s.most())
	var failed, skipped atomic.Bool
	chunks := make(chan rowChunk, e.workers())
	var workers sync.WaitGroup
	for range e.workers() {
		workers.Go(func() {
			w := newWorker(b)
			w.shared = true
			for next := range chunks {
				if failed.Load() || ctx.Err() != nil {
					continue
				}
				complete, ok := s.build(w, next, desired[next.from:next.from+next.rows])
				if !ok {
					failed.Store(true)
				} else if !complete {
					skipped.Store(true)
				}
			}
		})
	}
	n, fed := s.feed(chunks, func() bool { return failed.Load() || ctx.Err() != nil })
	close(chunks)
	workers.Wait()
	if !fed || failed.Load() || ctx.Err() != nil {
		return nil, false
	}
	desired = desired[:n]
	if skipped.Load() {
		kept := desired[:0]
		for i := range desired {
			if desired[i].Args != nil {
				kept = append(kept, desired[i])
			}
		}
		clear(desired[len(kept):])
		desired = kept
	}
	sortDesired(desired)
	for i := 1; i < len(desired); i++ {
		if desired[i].Address == desired[i-1].Address {
			return nil, false
		}
	}
	return desired, true
}

// feed hands the rows out and returns how many there were.
func (s *stream) feed(chunks chan<- rowChunk, stop func() bool) (n int, ok bool) {
	next := rowChunk{}
	flush := func() {
		if next.rows > 0 {
			chunks <- next
		}
		next = rowChunk{from: n}
	}
	if s.names == nil {
		for it := s.rows.ElementIterator(); it.Next(); {
			index, whole := it.Element()
			next.index, next.whole = append(next.index, index), append(next.whole, whole)
			n++
			if next.rows++; next.rows == chunkSize {
				flush()
				if stop() {
					return n, false
				}
			}
		}
		flush()
		return n, true
	}
	reader := functions.CSVReader(s.text)
	if _, err := reader.Read(); err != nil {
		return 0, false
	}
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			flush()
			return n, true
		}
		if err != nil {
			return n, false
		}
		if next.fields == nil {
			next.fields = make([]string, 0, min(chunkSize, 1<<20/len(fields)+1)*len(fields))
		}
		next.fields = append(next.fields, fields...)
		n++
		if next.rows++; next.rows == chunkSize || len(next.fields) >= 1<<20 {
			flush()
			if stop() {
				return n, false
			}
		}
	}
}

// build makes the instances of a chunk. What they hold is kept together in one
// piece a chunk: a million small ones would cost as much again.
func (s *stream) build(w *worker, rows rowChunk, desired []plan.Desired) (complete, ok bool) {
	type extent struct{ args, key, identity int }
	ends := make([]extent, rows.rows)
	var args bytes.Buffer
	var texts strings.Builder
	complete = true
	r := &row{s: s}
	w.row = nil
	plain := s.value.row && len(s.value.steps) == 0 && w.ctx == nil
	for i := range rows.rows {
		*r = row{s: s, number: rows.from + i}
		if s.names != nil {
			r.fields = rows.fields[i*len(s.names) : (i+1)*len(s.names)]
		} else {
			r.whole, r.index = rows.whole[i], rows.index[i]
		}
		var ctx *hcl.EvalContext
		included, ok := r.includes(&ctx)
		if !ok {
			return false, false
		}
		d := &desired[i]
		if !included {
			complete = false
			ends[i] = extent{args.Len(), texts.Len(), texts.Len()}
			continue
		}
		key, ok := r.eval(s.key, &ctx)
		if !ok || key.IsMarked() || !key.IsKnown() || key.IsNull() {
			return false, false
		}
		key, err := convert.Convert(key, cty.String)
		if err != nil {
			return false, false
		}
		value := cty.NilVal
		if plain {
			w.row = r
		} else if value, ok = r.eval(s.value, &ctx); !ok {
			return false, false
		}
		known, diags := w.evaluate(plan.StringKey(key.AsString()), key, value, d)
		if !known || len(diags) > 0 {
			return false, false
		}
		args.Write(d.Args)
		texts.WriteString(key.AsString())
		ends[i].args, ends[i].key = args.Len(), texts.Len()
		texts.WriteString(d.Identity)
		ends[i].identity = texts.Len()
	}
	allArgs, allTexts := bytes.Clone(args.Bytes()), strings.Clone(texts.String())
	var at extent
	for i := range desired {
		d, end := &desired[i], ends[i]
		if d.Args != nil {
			d.Args = allArgs[at.args:end.args:end.args]
			d.Address = d.Address.WithKey(plan.StringKey(allTexts[at.identity:end.key]))
			d.Identity = allTexts[end.key:end.identity]
		}
		at = end
	}
	return complete, true
}
