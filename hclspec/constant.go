package hclspec

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"
)

// onceValue is a value that is worked out when it is first needed, and again
// after it was let go.
type onceValue struct {
	mu    sync.Mutex
	done  bool
	value cty.Value
	diags hcl.Diagnostics
}

func (o *onceValue) get(work func() (cty.Value, hcl.Diagnostics)) (cty.Value, hcl.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.done {
		o.value, o.diags = work()
		o.done = true
	}
	return o.value, o.diags
}

// known reports whether the value was worked out.
func (o *onceValue) known() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

func (o *onceValue) letGo() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done, o.value, o.diags = false, cty.NilVal, nil
}

// constant evaluates an argument that may not refer to anything into a string
// or bool. An absent argument leaves the target alone.
func constant(attr *hcl.Attribute, to any) hcl.Diagnostics {
	if attr == nil {
		return nil
	}
	// In JSON a text that may not refer to anything is no template.
	_, native := attr.Expr.(hclsyntax.Expression)
	if refers := attr.Expr.Variables(); native && len(refers) > 0 {
		return hcl.Diagnostics{mistake("Variables not allowed", fmt.Sprintf("The argument %s must be written out: it may not refer to anything.", attr.Name), refers[0].SourceRange().Ptr())}
	}
	value, diags := attr.Expr.Value(nil)
	if diags.HasErrors() {
		return diags
	}
	want := cty.String
	if _, ok := to.(*bool); ok {
		want = cty.Bool
	}
	value, err := convert.Convert(value, want)
	if err != nil || value.IsNull() || !value.IsKnown() {
		return hcl.Diagnostics{unsuitable(attr, conversionText(err, want))}
	}
	if err := gocty.FromCtyValue(value, to); err != nil {
		return hcl.Diagnostics{unsuitable(attr, err.Error())}
	}
	return nil
}

// unsuitable is the diagnostic of a value of a wrong kind.
func unsuitable(attr *hcl.Attribute, why string) *hcl.Diagnostic {
	return mistake("Incorrect attribute value type", fmt.Sprintf("Inappropriate value for attribute %q: %s.", attr.Name, why), attr.Expr.Range().Ptr())
}

// conversionText says why a value does not have the type that is wanted. It
// never repeats the value.
func conversionText(err error, want cty.Type) string {
	if err == nil {
		return want.FriendlyNameForConstraint() + " required, not null"
	}
	return err.Error()
}

// durationText judges a duration as a user writes it.
func durationText(text string) (time.Duration, string) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Sprintf("%q is not a duration; write a number with a unit, such as \"30s\", \"15m\" or \"72h\"", text)
	case d < 0:
		return 0, fmt.Sprintf("%q is negative; a duration here counts forward", text)
	}
	return d, ""
}
