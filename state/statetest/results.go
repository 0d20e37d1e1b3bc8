package statetest

import (
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// testResults holds what a state keeps beside items and evidence: what passes came
// to, notes, the outbox, and what it says of itself.
func testResults(t *testing.T, d Driver) {
	t.Run("outputs", func(t *testing.T) {
		b := open(t, d)
		list := []state.StoredOutput{
			{Name: "z", Known: true, Type: []byte(`"number"`), Value: []byte(`1.5`)},
			{Name: "secret", Sensitive: true, Known: true, Type: []byte(`"string"`)},
			{Name: "a", Type: []byte(`"string"`)},
		}
		leaky := append([]state.StoredOutput(nil), list...)
		leaky[1].Value = []byte(`"hunter2"`)
		b.commit(&state.Batch{Outputs: &leaky})
		b.reopen()
		same(t, "a sensitive one has no value", must(b.Outputs(t.Context()))(t), list)
		b.commit(&state.Batch{})
		same(t, "nil leaves them", must(b.Outputs(t.Context()))(t), list)
		list = list[2:]
		b.commit(&state.Batch{Outputs: &list})
		same(t, "replaced", must(b.Outputs(t.Context()))(t), list)
		b.commit(&state.Batch{Outputs: &[]state.StoredOutput{}})
		same(t, "none", len(must(b.Outputs(t.Context()))(t)), 0)
	})

	t.Run("checks", func(t *testing.T) {
		b := open(t, d)
		list := []plan.Check{{Name: "b", State: plan.CheckFail, Messages: []string{"one", "two \"x\""}}, {Name: "a", State: plan.CheckPass}}
		b.commit(&state.Batch{Checks: &list})
		b.reopen()
		same(t, "checks", must(b.Checks(t.Context()))(t), list)
		b.commit(&state.Batch{Checks: &[]plan.Check{}})
		same(t, "none", len(must(b.Checks(t.Context()))(t)), 0)
	})

	t.Run("notes", func(t *testing.T) {
		b := open(t, d)
		same(t, "unset", must(b.Note(t.Context(), state.NoteKey{Name: "n"}))(t), "")
		b.commit(&state.Batch{Notes: map[state.NoteKey]string{{Name: "n"}: "1", {Name: "m"}: "x"}})
		b.commit(&state.Batch{Notes: map[state.NoteKey]string{{Name: "n"}: "2"}})
		b.reopen()
		same(t, "set", must(b.Note(t.Context(), state.NoteKey{Name: "n"}))(t)+must(b.Note(t.Context(), state.NoteKey{Name: "m"}))(t), "2x")
		b.commit(&state.Batch{Notes: map[state.NoteKey]string{{Agent: "two", Name: "n"}: "of another"}})
		same(t, "each agent has its own", must(b.Note(t.Context(), state.NoteKey{Name: "n"}))(t)+must(b.Note(t.Context(), state.NoteKey{Agent: "two", Name: "n"}))(t), "2of another")
		b.commit(&state.Batch{Notes: map[state.NoteKey]string{{Name: "n"}: ""}})
		same(t, "unset again", must(b.Note(t.Context(), state.NoteKey{Name: "n"}))(t), "")
	})

	t.Run("counts", func(t *testing.T) {
		b := open(t, d)
		one, two, gone := whole(b.itemID()), b.item(address(fax, "x", nil), "x"), b.item(address(check, "x", nil), "y")
		two.Expectations = []plan.Expectation{{Name: "e", State: plan.ExpectPending}, {Name: "f", State: plan.ExpectMet}}
		gone.Expectations = two.Expectations
		b.track(one, two, gone)
		gone.ForgottenAt = at(1)
		two.Outcome = plan.Succeeded
		b.track(gone, two)
		got := must(b.Counts(t.Context()))(t)
		same(t, "items", got.Items, map[state.ItemCount]int64{{Type: fax, Outcome: plan.Failed}: 1, {Type: fax, Outcome: plan.Succeeded}: 1})
		same(t, "expectations", got.Expectations, map[plan.ExpectationState]int64{plan.ExpectFailed: 1, plan.ExpectMetLate: 1, plan.ExpectPending: 1, plan.ExpectMet: 1})
	})

	t.Run("outbox", func(t *testing.T) {
		b := open(t, d)
		one := state.Notice{Target: "ops", ItemID: 3, Event: []byte(`{"type":"item.failed"}`), At: at(1), Due: at(1)}
		two := state.Notice{Target: "ops", Event: []byte(`{}`), At: at(2)}
		list := func() (notices []state.Notice) {
			for _, n := range all(t, b.Outbox(t.Context())) {
				notices = append(notices, *n)
			}
			return notices
		}
		b.commit(&state.Batch{Outbox: []state.Notice{one, two}})
		b.reopen()
		got := list()
		one.ID, two.ID = got[0].ID, got[1].ID
		same(t, "oldest first", got, []state.Notice{one, two})
		again := one
		again.Due, again.Attempts, again.Target = at(9), 1, "not written over"
		b.commit(&state.Batch{Outbox: []state.Notice{again}, Told: []int64{two.ID, 999}})
		one.Due, one.Attempts = at(9), 1
		same(t, "one tried, one told", list(), []state.Notice{one})
		b.commit(&state.Batch{Outbox: []state.Notice{{Target: "ops", Event: []byte(`{}`)}}})
		if id := list()[1].ID; id <= two.ID {
			t.Errorf("the id %d of a notice was another's", id)
		}
		wantErr(t, "none of that id", b.Commit(t.Context(), &state.Batch{Outbox: []state.Notice{two}}), state.ErrNotFound)
	})

	t.Run("owners", func(t *testing.T) {
		b := open(t, d)
		if owners := must(b.Owners(t.Context()))(t); len(owners) != 1 || owners[0].PID == 0 {
			t.Errorf("owners %+v, want whoever opened it", owners)
		}
		r := must(d.OpenReader(b.place))(t)
		defer r.Close()
		same(t, "as a reader sees them", must(r.Owners(t.Context()))(t), must(b.Owners(t.Context()))(t))
		if err := b.Store.Close(); err != nil {
			t.Fatal(err)
		}
		same(t, "after it was closed", len(must(r.Owners(t.Context()))(t)), 0)
		b.openStore()
	})

	t.Run("meta", func(t *testing.T) {
		b := open(t, d)
		meta := must(b.Meta(t.Context()))(t)
		if meta.Lineage == "" || meta.Serial != 0 || meta.Version < 1 {
			t.Errorf("meta of a new state: %+v", meta)
		}
		other := open(t, d)
		if must(other.Meta(t.Context()))(t).Lineage == meta.Lineage {
			t.Error("two states have one lineage")
		}
		rises := func(what string, rise bool, batch *state.Batch) {
			t.Helper()
			before := must(b.Meta(t.Context()))(t)
			b.commit(batch)
			after := must(b.Meta(t.Context()))(t)
			if (after.Serial > before.Serial) != rise {
				t.Errorf("%s: the serial went from %d to %d", what, before.Serial, after.Serial)
			}
			if declares := rise && what != "observed" && what != "declared elsewhere"; (after.Declared > before.Declared) != declares {
				t.Errorf("%s: the serial of what is declared went from %d to %d", what, before.Declared, after.Declared)
			}
		}
		w := whole(b.itemID())
		write := func() *state.Batch { return &state.Batch{Items: []state.ItemWrite{w}} }
		rises("track", true, write())
		rises("the same again", false, write())
		w.ReadAt, w.Due, w.Failures = at(60), at(61), 9
		rises("bookkeeping", false, write())
		rises("touch", false, &state.Batch{Touches: []state.Touch{{ItemID: w.ID}}})
		rises("note", false, &state.Batch{Notes: map[state.NoteKey]string{{Name: "a"}: "b"}})
		w.Values = []byte(`{"outcome":"succeeded"}`)
		rises("observed", true, write())
		w.Origin.Line++
		w.Revision = "another"
		rises("declared elsewhere", true, write())
		w.Args = []byte(`{"a":2}`)
		rises("declared", true, write())
		w.Address = plan.NewAddress(w.Address.Type(), "elsewhere", w.Address.Key())
		rises("moved", true, write())
		w.ForgottenAt = at(70)
		rises("forgotten", true, write())
		stored := func(batch *state.Batch) {
			t.Helper()
			before := must(b.Meta(t.Context()))(t).Stored
			if b.commit(batch); must(b.Meta(t.Context()))(t).Stored <= before {
				t.Errorf("%+v is stored, and no more than before", batch)
			}
		}
		stored(&state.Batch{Raws: []state.Raw{{ID: b.rawID(), Kind: state.RawCallback}}})
		stored(&state.Batch{Records: []plan.Record{record("1", "k", 1)}})
		stored(&state.Batch{Events: []plan.Event{{Action: plan.Observe}}})
		b.reopen()
		after := must(b.Meta(t.Context()))(t)
		if after.Lineage != meta.Lineage || after.Serial < 5 {
			t.Errorf("meta after it was opened again: %+v, was %+v", after, meta)
		}
	})

	t.Run("backup", func(t *testing.T) {
		b := open(t, d)
		w := whole(b.itemID())
		b.track(w)
		path := filepath.Join(t.TempDir(), "copy")
		if err := b.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		b.commit(&state.Batch{Notes: map[state.NoteKey]string{{Name: "later"}: "x"}})
		if err := b.Backup(t.Context(), path); err == nil {
			t.Error("a backup was written over another")
		}
		r := must(d.OpenBackup(path))(t)
		defer r.Close()
		w.Version = 1
		same(t, "item", must(r.Item(t.Context(), w.Address))(t), &w.Item)
		same(t, "what came later", must(r.Note(t.Context(), state.NoteKey{Name: "later"}))(t), "")
		same(t, "meta", must(r.Meta(t.Context()))(t).Lineage, must(b.Meta(t.Context()))(t).Lineage)
	})
}
