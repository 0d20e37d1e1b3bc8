package hclspec

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/hclspec/expressions"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// The stored forms of the default meta-arguments.
const (
	defaultInterval    = "60s"
	defaultMaxInterval = "15m"
	defaultGiveUpAfter = "72h"
)

// builder makes the instances of one block. What does not depend on each or
// count is worked out once, by prepare; the rest is evaluated for each
// instance straight from its expressions.
type builder struct {
	r         *resource
	expansion *expansion
	ctx       *hcl.EvalContext // of the block
	parts     []*part          // in the order of their names
	general   bool             // some part needs each or count in a context
	floor     time.Duration    // the provider's min_interval
	offset    int              // of the first instance in the wave
	diags     hcl.Diagnostics
	// fixed are the values of the constant parts; json their encoding.
	fixed map[string]cty.Value
	// settings are the instances' when none of them depends on each or count.
	settings *plan.Settings
	// skip says that a constant part is mistaken, so that no instance can be
	// built; waits that one is unknown, so that all instances wait for it.
	skip, waits bool
}

// part is one argument of the instances of a block.
type part struct {
	name      string
	arg       plan.Argument
	attr      *hcl.Attribute // nil: its default stands
	from      shortcut       // how to find the value without a context
	steps     hcl.Traversal  // after each.value
	constant  bool
	value     cty.Value // of a constant part
	json      []byte    // of a constant part
	nested    []*part   // of poll
	fallback  cty.Value // where the expression's value is null
	undefined bool      // null is a mistake
}

type shortcut uint8

const (
	byContext shortcut = iota
	byKey
	byValue
)

// prepare evaluates what the instances of a block have in common, and those of a
// stream altogether.
func (e *Evaluation) prepare(ctx context.Context, r *resource) *builder {
	if s := e.streamOf(r); s != nil {
		b := &builder{r: r, fixed: map[string]cty.Value{}, expansion: &expansion{}}
		// Without what only for_each refers to, which is what a stream does not build.
		if block, diags := e.scope.context(referencesOf(r.argumentExpressions()...)); len(diags) == 0 {
			b.ctx = block
			e.parts(b)
			if !b.skip && !b.waits && len(b.diags) == 0 {
				if desired, ok := e.run(ctx, s, b); ok {
					b.expansion.streamed = desired
					e.noteStreamed(s.local)
					b.judgeExpects(e)
					return b
				}
			}
		}
	}
	b := &builder{r: r, fixed: map[string]cty.Value{}}
	b.expansion, b.diags = e.expand(r)
	block, ctxDiags := e.scope.context(r.refs)
	if ctxDiags.HasErrors() {
		b.diags = append(b.diags, ctxDiags...)
		b.expansion = &expansion{failed: true}
	}
	b.ctx = block
	e.parts(b)
	if x := b.expansion; x.deferred || x.failed {
		b.judgeUnexpanded()
	}
	b.judgeExpects(e)
	return b
}

// parts prepares the arguments of a block's instances.
func (e *Evaluation) parts(b *builder) {
	r := b.r
	var config cty.Value
	if account := e.c.accountsByName[r.account]; account != nil {
		config = account.Config
	}
	b.floor = minInterval(config)
	for _, a := range r.typ.Arguments {
		if p := e.c.providers[r.account]; p != nil && a.FromProvider && r.args[a.Name] == nil && p.secret[a.Name] {
			b.fail(mistake("Sensitive provider argument",
				fmt.Sprintf("The resource %s takes %s from the provider %s, where its value is sensitive; here it would be stored and shown. If it is not a secret, wrap it in nonsensitive() there.", r.block(), a.Name, r.account), p.rangeOf(a.Name).Ptr()))
		}
		b.add(b.argument(a, config))
	}
	b.addMeta()
	slices.SortFunc(b.parts, func(x, y *part) int { return strings.Compare(x.name, y.name) })
}

// argument is the part of one of the type's own arguments.
func (b *builder) argument(a plan.Argument, config cty.Value) *part {
	p := &part{name: a.Name, arg: a, attr: b.r.args[a.Name], fallback: cty.NullVal(a.Type)}
	if a.Default != cty.NilVal {
		p.fallback = a.Default
	}
	if a.FromProvider && config != cty.NilVal && config.Type().HasAttribute(a.Name) {
		if v := config.GetAttr(a.Name); !v.IsKnown() || !v.IsNull() {
			if converted, err := expressions.Convert(v, a.Type); err == nil {
				p.fallback = converted
			}
		}
	}
	p.undefined = a.Required && p.fallback.IsKnown() && p.fallback.IsNull()
	return p
}

// addMeta adds the arguments that Waybill gives every type of a kind.
func (b *builder) addMeta() {
	text := func(name string, attr *hcl.Attribute, fallback string) *part {
		return &part{name: name, attr: attr, arg: plan.Argument{Name: name, Type: cty.String, Duration: true}, fallback: cty.StringVal(fallback)}
	}
	flag := func(name string, attr *hcl.Attribute) *part {
		return &part{name: name, attr: attr, arg: plan.Argument{Name: name, Type: cty.Bool}, fallback: cty.False}
	}
	if b.r.typ.Kind == plan.Polled {
		first := text("interval", b.r.poll["interval"], defaultInterval)
		if b.floor > plan.DefaultInterval {
			first.fallback = cty.StringVal(plan.FormatDuration(b.floor))
		}
		most := text("max_interval", b.r.poll["max_interval"], defaultMaxInterval)
		poll := &part{name: "poll", nested: []*part{first, most}, constant: true}
		for _, p := range poll.nested {
			b.resolve(p)
			poll.constant = poll.constant && p.constant
		}
		if poll.constant && !b.skip && !b.waits {
			poll.value, b.diags = b.pollValue(poll, []cty.Value{first.value, most.value}, b.diags)
			poll.json = b.encode(poll.value)
			b.fixed["poll"] = poll.value
		}
		b.parts = append(b.parts, poll)
	}
	if b.r.typ.Kind != plan.Policy {
		b.add(text("give_up_after", b.r.giveUpAfter, defaultGiveUpAfter))
	}
	b.add(flag("suspend", b.r.suspend))
	b.add(flag("prevent_forget", b.r.preventForget))
	b.fixSettings()
}

// settingsParts are the arguments that plan.DecodeSettings reads.
var settingsParts = []string{"give_up_after", "interval", "poll", "prevent_forget", "suspend"}

// fixSettings decodes the meta-arguments once where all instances share them.
func (b *builder) fixSettings() {
	if b.skip || b.waits {
		return
	}
	shared := []byte{'{'}
	for _, p := range b.parts {
		switch {
		case !slices.Contains(settingsParts, p.name):
			continue
		case !p.constant:
			return
		case len(shared) > 1:
			shared = append(shared, ',')
		}
		shared = append(append(value.AppendString(shared, p.name), ':'), p.json...)
	}
	settings, err := plan.DecodeSettings(append(shared, '}'))
	if err != nil {
		b.fail(mistake("Invalid argument", sentence(err.Error()), b.r.declared.Ptr()))
		return
	}
	b.settings = &settings
}

// add resolves a part and keeps it.
func (b *builder) add(p *part) {
	b.resolve(p)
	if p.constant && !b.skip && !b.waits {
		p.json = b.encode(p.value)
	}
	if p.constant {
		b.fixed[p.name] = p.value
	}
	b.parts = append(b.parts, p)
}

// resolve evaluates a part that is the same for all instances, and finds the
// quickest way to one that is not.
func (b *builder) resolve(p *part) {
	if p.attr == nil {
		p.constant, p.value = true, p.fallback
		if p.undefined && (p.arg.FromProvider || p.arg.Env != "") {
			b.fail(mistake("Missing required argument", fmt.Sprintf("The argument %q is missing. Set it in this block.", p.name), b.r.declared.Ptr()))
		}
		b.skip = b.skip || p.undefined // of the others the block's schema told it
		b.waits = b.waits || !p.value.IsWhollyKnown()
		return
	}
	for _, traversal := range p.attr.Expr.Variables() {
		if root := traversal.RootName(); root == "each" || root == "count" {
			b.general = b.general || !p.direct()
			return
		}
	}
	p.constant = true
	value, diags := p.attr.Expr.Value(b.ctx)
	b.diags = append(b.diags, diags...)
	if diags.HasErrors() {
		b.skip, p.value = true, cty.UnknownVal(p.arg.Type)
		return
	}
	value, d := p.accept(value)
	if d != nil {
		b.fail(d)
		value = cty.UnknownVal(p.arg.Type)
	}
	p.value = value
	b.waits = b.waits || !value.IsWhollyKnown()
}

func (b *builder) fail(d *hcl.Diagnostic) {
	b.skip = true
	b.diags = append(b.diags, d)
}

// direct finds out whether the expression is no more than each.key or
// each.value and steps from it, which need no context.
func (p *part) direct() bool {
	traversal, diags := hcl.AbsTraversalForExpr(p.attr.Expr)
	if diags.HasErrors() || len(traversal) < 2 || traversal.RootName() != "each" {
		return false
	}
	attr, ok := traversal[1].(hcl.TraverseAttr)
	if !ok {
		return false
	}
	switch {
	case attr.Name == "key" && len(traversal) == 2:
		p.from = byKey
	case attr.Name == "value":
		p.from, p.steps = byValue, traversal[2:]
	default:
		return false
	}
	return true
}

// accept brings an argument's value to its type and judges it on its own.
func (p *part) accept(value cty.Value) (cty.Value, *hcl.Diagnostic) {
	if value.ContainsMarked() {
		return value, p.sensitive()
	}
	if !value.Type().Equals(p.arg.Type) {
		converted, err := expressions.Convert(value, p.arg.Type)
		if err != nil {
			return value, unsuitable(p.attr, conversionText(err, p.arg.Type))
		}
		value = converted
	}
	if !value.IsKnown() {
		return value, nil
	}
	if value.IsNull() {
		if p.undefined {
			return value, mistake("Missing required argument", fmt.Sprintf("The argument %q is null. Set it to a value.", p.name), p.attr.Expr.Range().Ptr())
		}
		return p.fallback, nil
	}
	if p.arg.Duration {
		if _, why := durationText(value.AsString()); why != "" {
			return value, mistake("Invalid duration", fmt.Sprintf("The argument %s: %s.", p.name, why), p.attr.Expr.Range().Ptr())
		}
	}
	return value, nil
}

func (p *part) sensitive() *hcl.Diagnostic {
	at := p.attr.Expr.Range().Ptr()
	if p.arg.Identity {
		return mistake("Sensitive vendor identity", fmt.Sprintf("The argument %s names the vendor's record and is shown wherever the item is, so that its value cannot be sensitive. If it is not a secret, wrap it in nonsensitive().", p.name), at)
	}
	return mistake("Sensitive argument", fmt.Sprintf("The argument %s is stored and shown with the item, so that its value cannot be sensitive. If it is not a secret, wrap it in nonsensitive().", p.name), at)
}

// encode is the canonical JSON of a constant part.
func (b *builder) encode(v cty.Value) []byte {
	encoded, err := value.Encode(v)
	if err != nil {
		b.fail(mistake("Invalid argument", sentence(err.Error()), b.r.declared.Ptr()))
	}
	return encoded
}
