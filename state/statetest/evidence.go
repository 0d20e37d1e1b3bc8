package statetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

func testEvidence(t *testing.T, d Driver) {
	t.Run("bodies come back byte for byte", func(t *testing.T) {
		b := open(t, d)
		random := make([]byte, 100_000)
		source := rand.New(rand.NewPCG(1, 2))
		for i := range random {
			random[i] = byte(source.Uint32())
		}
		bodies := [][]byte{nil, {}, {0}, []byte("{}"), bytes.Repeat([]byte(`{"a":1}`), 50), bytes.Repeat([]byte(`{"a":1}`), 50_000), random, random[:511], random[:513]}
		var want []state.Raw
		for n, body := range bodies {
			raw := state.Raw{ID: b.rawID(), Kind: state.RawPull, Account: "ucloud", ItemID: int64(n), At: at(n), Status: 200, Complete: n%2 == 0, Body: body, Derived: true}
			if n == 3 {
				raw.Redacted, raw.Digest = true, [32]byte{0: 1, 31: 2}
			}
			want = append(want, raw)
		}
		b.commit(&state.Batch{Raws: want})
		b.reopen()
		for _, w := range want {
			got := must(b.Raw(t.Context(), w.ID))(t)
			if !bytes.Equal(got.Body, w.Body) {
				t.Errorf("raw %d: a body of %d bytes came back as %d others", w.ID, len(w.Body), len(got.Body))
			}
			got.Body, w.Body = nil, nil
			same(t, "raw", *got, w)
		}
		_, err := b.Raw(t.Context(), 999)
		wantErr(t, "no such raw", err, state.ErrNotFound)
	})

	t.Run("underived until it is said", func(t *testing.T) {
		b := open(t, d)
		var ids []int64
		for n := range 4 {
			ids = append(ids, b.rawID())
			b.commit(&state.Batch{Raws: []state.Raw{{ID: ids[n], Kind: state.RawPull, Account: "a", Body: []byte{byte(n)}, Derived: n == 3}}})
		}
		list := func() (list []int64) {
			for _, r := range all(t, b.Underived(t.Context())) {
				if r.Derived {
					t.Errorf("raw %d is derived", r.ID)
				}
				list = append(list, r.ID)
			}
			return list
		}
		b.reopen()
		same(t, "oldest first", list(), ids[:3])
		same(t, "unchanged by reading", list(), ids[:3])
		b.commit(&state.Batch{Derived: []int64{ids[1], 999}})
		same(t, "derived", list(), []int64{ids[0], ids[2]})
		same(t, "said of the raw too", []bool{must(b.Raw(t.Context(), ids[0]))(t).Derived, must(b.Raw(t.Context(), ids[1]))(t).Derived}, []bool{false, true})
	})

	t.Run("intents", func(t *testing.T) {
		b := open(t, d)
		in := state.Intent{ID: "i1", ItemID: 3, Address: address("ucloud_usms_report_pull", "main", "x"), Account: "ucloud", Limit: 100, StartedAt: at(1)}
		later := in
		later.ID, later.StartedAt = "i0", at(2)
		b.commit(&state.Batch{Intents: []state.Intent{later, in}})
		b.reopen()
		same(t, "open", must(b.OpenIntents(t.Context()))(t), []state.Intent{in, later})
		b.commit(&state.Batch{Concluded: []string{"i1", "unheard of"}})
		same(t, "one concluded", must(b.OpenIntents(t.Context()))(t), []state.Intent{later})
		if err := b.Commit(t.Context(), &state.Batch{Intents: []state.Intent{later}}); err == nil {
			t.Error("an intent's id was taken twice")
		}
	})

	t.Run("loss windows", func(t *testing.T) {
		b := open(t, d)
		pull := plan.LossWindow{Address: address("ucloud_usms_report_pull", "main", nil), Account: "ucloud", From: at(1), To: at(2), Bound: 100, Salvaged: 3,
			Cause: plan.LossPull, Detail: "connection reset", RawID: 4}
		outage := plan.LossWindow{From: at(1), To: at(90), Bound: -1, Cause: plan.LossOutage}
		b.commit(&state.Batch{LossWindows: []plan.LossWindow{pull}})
		b.commit(&state.Batch{LossWindows: []plan.LossWindow{outage, pull}})
		b.reopen()
		got := must(b.LossWindows(t.Context()))(t)
		ids := map[int64]bool{}
		for i := range got {
			ids[got[i].ID] = true
			got[i].ID = 0
		}
		same(t, "loss windows", got, []plan.LossWindow{pull, outage, pull})
		same(t, "ids of their own", len(ids), 3)
		again := must(b.LossWindows(t.Context()))(t)
		closed := again[1]
		closed.Backfilled, closed.ClosedAt, closed.Detail = 7, at(200), "not written over"
		b.commit(&state.Batch{LossWindows: []plan.LossWindow{closed}})
		b.reopen()
		closed.Detail = again[1].Detail
		same(t, "one is closed", must(b.LossWindows(t.Context()))(t), []plan.LossWindow{again[0], closed, again[2]})
		wantErr(t, "none of that id", b.Commit(t.Context(), &state.Batch{LossWindows: []plan.LossWindow{{ID: 999}}}), state.ErrNotFound)
		same(t, "counts", must(b.Counts(t.Context()))(t).LossWindows, map[string]int64{"ucloud": 2, "": 1})
	})
}

func testHistory(t *testing.T, d Driver) {
	b := open(t, d)
	change := []value.Field{
		{Path: `sms[0].settle_pay`, Before: []byte(`null`), After: []byte(`"0.01368"`)},
		{Path: `extra["a \"b\""]`, Before: []byte(`{"x":[1,2]}`), After: []byte(`1.10`)},
	}
	where := []plan.Address{address(fax, "a", nil), address(fax, "b", 1), address(fax, "b", "k"), address(check, "a", nil)}
	items := make([]state.ItemWrite, len(where))
	for i := range items {
		items[i] = b.item(where[i], fmt.Sprint(i))
	}
	b.track(items...)
	var want []plan.Event
	for n := range 12 {
		e := plan.Event{At: at(n), ItemID: items[n%4].ID, Address: where[n%4], Action: plan.Observe, Revision: "r1", RawID: int64(n)}
		if n%3 == 0 {
			e.Changes, e.Action = change, plan.Track
		}
		if n == 7 {
			e.By, e.Why = "ops@example.com", "it was a test"
		}
		want = append(want, e)
	}
	b.commit(&state.Batch{Events: want[:5]})
	b.reopen()
	b.commit(&state.Batch{Events: want[5:6]})
	b.commit(&state.Batch{Events: want[6:]})
	got := all(t, b.History(t.Context(), state.HistoryFilter{}))
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range got {
		if i > 0 && got[i].Seq <= got[i-1].Seq || got[i].Seq <= 0 {
			t.Errorf("event %d has seq %d after %d", i, got[i].Seq, got[max(i-1, 0)].Seq)
		}
		want[i].Seq = got[i].Seq
		same(t, "event", got[i], &want[i])
	}
	numbers := func(f state.HistoryFilter) (list []int64) {
		for _, e := range all(t, b.History(t.Context(), f)) {
			list = append(list, e.RawID)
		}
		return list
	}
	block := address(fax, "b", nil)
	same(t, "of an address", numbers(state.HistoryFilter{Address: &where[2]}), []int64{2, 6, 10})
	same(t, "of a block", numbers(state.HistoryFilter{Address: &block}), []int64{1, 2, 5, 6, 9, 10})
	same(t, "since", numbers(state.HistoryFilter{Since: at(9)}), []int64{9, 10, 11})
	same(t, "since, of a block", numbers(state.HistoryFilter{Since: at(6), Address: &block}), []int64{6, 9, 10})
	same(t, "since, of an address", numbers(state.HistoryFilter{Since: at(3), Address: &where[2]}), []int64{6, 10})
	same(t, "after", numbers(state.HistoryFilter{AfterID: got[9].Seq}), []int64{10, 11})
	same(t, "after, of an address", numbers(state.HistoryFilter{AfterID: got[5].Seq, Address: &where[2]}), []int64{6, 10})
	account := plan.Event{At: at(12), Account: "globfax", Action: "suspend", By: "ops", Why: "a bill", Revision: "r1"}
	b.commit(&state.Batch{Events: []plan.Event{account}})
	last := all(t, b.History(t.Context(), state.HistoryFilter{AfterID: got[11].Seq}))
	account.Seq = last[0].Seq
	same(t, "of an account", last, []*plan.Event{&account})
	// What happened to an item elsewhere goes with it, and stays with one that is
	// forgotten.
	moved := items[2]
	moved.Address = address(fax, "c", nil)
	b.track(moved)
	same(t, "of an address that was moved to", numbers(state.HistoryFilter{Address: &moved.Address}), []int64{2, 6, 10})
	same(t, "of an address that was moved from", numbers(state.HistoryFilter{Address: &where[2]}), []int64(nil))
	moved.ForgottenAt = at(13)
	b.track(moved)
	same(t, "of one that is forgotten", numbers(state.HistoryFilter{Address: &moved.Address}), []int64{2, 6, 10})
	nobody := address(fax, "nobody", nil)
	same(t, "of nobody", numbers(state.HistoryFilter{Address: &nobody}), []int64(nil))
}
