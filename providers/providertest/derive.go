package providertest

import (
	"bytes"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// testDerive derives from every kind of evidence there can be, half of it odd:
// the result always has the type that the schema says, and is never unknown.
func testDerive(t *testing.T, v Vendor) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, ty := range v.Definition.Schema.Types {
		args := Args(ty, v.Args[ty.Name])
		nulls := make(map[string]cty.Value)
		for _, a := range ty.Attributes {
			nulls[a.Name] = cty.NullVal(a.Type)
		}
		seen := []cty.Value{cty.NilVal}
		if ty.Kind == plan.Polled {
			observation, err := v.Definition.Observe(v.target(t), OK(v.Good))
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, observation.Seen, cty.ObjectVal(nulls), cty.EmptyObjectVal)
		}
		tallies := []plan.Tally{
			{},
			{Received: 1, Succeeded: 1, LastAt: now, LastEvent: now, Costs: map[string]*apd.Decimal{"CNY": apd.New(2, -3)}},
			{
				Received: 7, Succeeded: 1, Failed: 6, FailedCodes: map[string]int64{"266": 1, "": 1, "a": 1, "b": 1, "c": 1, "d": 1}, Parts: 9,
				Costs: map[string]*apd.Decimal{"CNY": apd.New(2, -3), "EUR": apd.New(1, 0)},
			},
		}
		for _, s := range seen {
			for _, tally := range tallies {
				for bits := range 8 {
					e := plan.Evidence{Args: args, Seen: s, Tally: tally, NotFound: bits&1 != 0, GaveUp: bits&2 != 0, TrackedAt: now, Now: now}
					if bits&4 != 0 {
						e.FirstReadAt = now
						e.Now = now.Add(1000 * time.Hour)
						e.Pulls = plan.PullTally{LastSuccessAt: now, PulledTotal: 5, LossWindows: 1}
					}
					checkDerived(t, ty, e)
				}
			}
		}
	}
}

func checkDerived(t *testing.T, ty *plan.Type, e plan.Evidence) {
	t.Helper()
	got := ty.Derive(e)
	for _, err := range got.Type().TestConformance(ty.ObservedType()) {
		t.Fatalf("%s: %v", ty.Name, err)
	}
	if !got.IsWhollyKnown() || got.ContainsMarked() {
		t.Fatalf("%s: unknown or marked values: %#v", ty.Name, got)
	}
	text := Encode(t, got)
	if again := Encode(t, ty.Derive(e)); !bytes.Equal(text, again) {
		t.Fatalf("%s: derived twice:\n%s\n%s", ty.Name, text, again)
	}
	back, err := value.Decode(text, ty.ObservedType())
	if err != nil {
		t.Fatalf("%s: %v", ty.Name, err)
	}
	if again := Encode(t, back); !bytes.Equal(text, again) {
		t.Fatalf("%s: read back:\n%s\n%s", ty.Name, text, again)
	}
	outcome := plan.Outcome(got.GetAttr("outcome").AsString())
	switch outcome {
	case plan.Pending, plan.Succeeded, plan.Failed, plan.Partial, plan.Unknown:
	default:
		t.Errorf("%s: outcome %q", ty.Name, outcome)
	}
	settled := got.GetAttr("settled")
	if settled.IsNull() || settled.True() && outcome == plan.Pending {
		t.Errorf("%s: settled is %#v with outcome %s", ty.Name, settled, outcome)
	}
	if got.GetAttr("reason").IsNull() {
		t.Errorf("%s: no reason for %s", ty.Name, outcome)
	}
	if e.GaveUp && ty.Kind != plan.Policy && !settled.True() {
		t.Errorf("%s: gave up and is not settled", ty.Name)
	}
	if !e.GaveUp && e.NotFound && ty.Kind == plan.Polled && (outcome != plan.Unknown || settled.True()) {
		t.Errorf("%s: not found gives %s, settled %v", ty.Name, outcome, settled.True())
	}
	if ty.Kind == plan.Policy && settled.True() {
		t.Errorf("%s: a policy settled", ty.Name)
	}
}
