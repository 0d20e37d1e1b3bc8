package expressions

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func evaluate(t *testing.T, text string, rules Rules) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "test", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	list := make([]cty.Value, 20)
	for i := range list {
		list[i] = cty.StringVal("x")
	}
	variables := map[string]cty.Value{"list": cty.ListVal(list), "long": cty.StringVal(strings.Repeat("x", MaxText/2+1))}
	return PrepareExpression(expr, rules).Value(&hcl.EvalContext{Variables: variables})
}

// Loops within a loop have a bound together, however they are nested; one loop
// after another has its own. It is said once.
func TestTurns(t *testing.T) {
	for text, beyond := range map[string]bool{
		`[for a in list : a]`: false,
		`[[for a in list : [for b in list : a]], [for a in list : [for b in list : a]]]`:             false,
		`[for a in list : [for b in list : [for c in list : c]]]`:                                    true,
		`[for a in list : { x = [for b in list : "${[for c in list : c][0]}"] }]`:                    true,
		`{ for a in list : a => [for b in list : [for c in list : c]]... }`:                          true,
		`[for a in list : a if [for b in list : [for c in list : c]] != null]`:                       true,
		`"%{ for a in list }%{ for b in list }%{ for c in list }x%{ endfor }%{ endfor }%{ endfor }"`: true,
		`[for a in list : [for b in list : a]][*][0]`:                                                false,
		`([for a in list : ([for b in list : { for c in list : c => 1... }])])`:                      true,
	} {
		_, diags := evaluate(t, text, Rules{Turns: 1000})
		if diags.HasErrors() != beyond || len(diags) > 1 || beyond && !strings.Contains(diags.Error(), "more than 1000 turns") {
			t.Errorf("%s: %v", text, diags)
		}
	}
}

// Evaluation ends at the next loop once it is stopped.
func TestLoopStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	for _, text := range []string{`[for a in list : a]`, `"%{ for a in list }${a}%{ endfor }"`} {
		if _, diags := evaluate(t, text, Rules{Stopped: ctx.Err}); diags.HasErrors() {
			t.Errorf("%s: %s", text, diags)
		}
	}
	cancel()
	for _, text := range []string{`[for a in list : a]`, `"%{ for a in list }${a}%{ endfor }"`} {
		if _, diags := evaluate(t, text, Rules{Stopped: ctx.Err}); !strings.Contains(diags.Error(), "evaluation was ended: context canceled") {
			t.Errorf("%s: %v", text, diags)
		}
	}
}

// A text that doubles from local to local has a bound.
func TestTextBound(t *testing.T) {
	if _, diags := evaluate(t, `"${long}${long}"`, Rules{}); diags.HasErrors() {
		t.Error(diags)
	}
	if _, diags := evaluate(t, `"a${"${long}${long}"}"`, Rules{}); !strings.Contains(diags.Error(), "more than 64 MiB") {
		t.Errorf("%v", diags)
	}
}

// What a loop is said to do wrong stands beside what names it, as without us.
func TestLoopMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`[for a in null : a]`:         "Iteration over null value",
		`[for a in "x" : a]`:          "Iteration over non-iterable value",
		`[for a in none : a]`:         "Unknown variable",
		`[for a in list : b]`:         "Unknown variable",
		`{ for a in list : a => 1 }`:  `produced the key "x"`,
		`[for a in list : a if null]`: "Condition is null",
	} {
		if _, diags := evaluate(t, text, Rules{}); !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: %v, want %q", text, diags, want)
		}
	}
}
