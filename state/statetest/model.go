package statetest

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

// model is a state as one would write it down: slow, in memory, plainly right.
// Random batches are carried out on it and on a driver, and both are compared.
type model struct {
	items   map[int64]*modelItem
	records []plan.Record // by Place it says what stood where; of its own numbering
	places  int64
}

type modelItem struct {
	state.ItemWrite
	counted int64 // Received of the last tally that was committed with it, -1 before
}

func testModel(t *testing.T, d Driver) {
	rapid.Check(t, func(rt *rapid.T) {
		place, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		b := &bench{T: t, d: d, place: place}
		b.openStore()
		defer func() { b.Close() }()
		m := &model{items: make(map[int64]*modelItem)}
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(rt *rapid.T) { m.compare(rt, b) },
			"items":   func(rt *rapid.T) { m.writeItems(rt, b) },
			"records": func(rt *rapid.T) { m.writeRecords(rt, b) },
			"redo":    func(rt *rapid.T) { m.supersede(rt, b) },
			"fold":    func(rt *rapid.T) { m.fold(rt, b) },
			"reopen":  func(*rapid.T) { b.reopen() },
		})
	})
}

// writeItems gives several items new places at once, new ones among them.
func (m *model) writeItems(rt *rapid.T, b *bench) {
	writes := map[int64]*modelItem{}
	for range rapid.IntRange(1, 4).Draw(rt, "items") {
		w := &modelItem{counted: -1}
		known := m.ids()
		if n := rapid.IntRange(-1, len(known)-1).Draw(rt, "which"); n >= 0 {
			*w = *m.items[known[n]]
		} else {
			w.ItemWrite = b.item(plan.Address{}, "")
		}
		identity := fmt.Sprint(rapid.IntRange(1, 4).Draw(rt, "identity"))
		if identity != w.Identity {
			w.counted = -1 // what was counted was another's
		}
		w.Identity, w.Address = identity, address(check, "a", rapid.IntRange(1, 4).Draw(rt, "address"))
		w.ForgottenAt = time.Time{}
		if rapid.Bool().Draw(rt, "forgotten") {
			w.ForgottenAt = at(len(m.records))
		}
		w.FoldedTo = 0
		writes[w.ID] = w
	}
	batch := &state.Batch{}
	next := make(map[int64]*modelItem)
	for id, i := range m.items {
		next[id] = i
	}
	for id, w := range writes {
		batch.Items = append(batch.Items, w.ItemWrite)
		next[id] = w
	}
	for i := range batch.Items {
		batch.Items[i].Version = b.version(batch.Items[i].ID)
	}
	err := b.Commit(background, batch)
	if clash := clashes(next); clash != (err != nil) {
		rt.Fatalf("two at one place: %v, error: %v", clash, err)
	}
	if err == nil {
		m.items = next
	}
}

// clashes reports whether two tracked items are at one address or identity.
func clashes(items map[int64]*modelItem) bool {
	seen := map[string]bool{}
	for _, i := range items {
		if !i.ForgottenAt.IsZero() {
			continue
		}
		for _, place := range []string{"address " + i.Address.String(), "identity " + i.Identity} {
			if seen[place] {
				return true
			}
			seen[place] = true
		}
	}
	return false
}

func (m *model) ids() []int64 {
	var ids []int64
	for id := range m.items {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// anyRecord is a record that may well be there already.
func anyRecord(rt *rapid.T) plan.Record {
	r := record(fmt.Sprint(rapid.IntRange(1, 4).Draw(rt, "identity")), rapid.SampledFrom([]string{"", "k", "l"}).Draw(rt, "key"), byte(rapid.IntRange(1, 4).Draw(rt, "content")))
	if n := rapid.IntRange(0, 3).Draw(rt, "event"); n > 0 {
		r.EventTime = at(n)
	}
	if rapid.IntRange(0, 5).Draw(rt, "quarantined") == 0 {
		r.Quarantined = "odd"
	}
	return r
}

// supersede tells one record otherwise, or takes it away.
func (m *model) supersede(rt *rapid.T, b *bench) {
	if len(m.records) == 0 {
		return
	}
	n := rapid.IntRange(0, len(m.records)-1).Draw(rt, "which")
	old := b.records(state.RecordFilter{})[n]
	batch := &state.Batch{Superseded: []int64{old.ID}}
	rest := slices.Delete(slices.Clone(m.records), n, n+1)
	if rapid.Bool().Draw(rt, "otherwise") {
		r := anyRecord(rt)
		r.Place = old.Place
		batch.Records = []plan.Record{r}
		r.Place = m.records[n].Place
		if !slices.ContainsFunc(rest, func(o plan.Record) bool { return o.Key == r.Key && o.Digest == r.Digest }) {
			rest = append(rest, r)
		}
	}
	b.commit(batch)
	m.records = rest
	m.judge()
}

func (m *model) writeRecords(rt *rapid.T, b *bench) {
	batch := &state.Batch{}
	for range rapid.IntRange(1, 4).Draw(rt, "records") {
		batch.Records = append(batch.Records, anyRecord(rt))
	}
	b.commit(batch)
	news := 0
	for _, r := range batch.Records {
		if !slices.ContainsFunc(m.records, func(o plan.Record) bool { return o.Key == r.Key && o.Digest == r.Digest }) {
			m.places++
			r.Place = m.places
			m.records = append(m.records, r)
			news++
		}
	}
	if batch.NewRecords != news {
		rt.Fatalf("%d new records, want %d", batch.NewRecords, news)
	}
	m.judge()
}

// judge decides which record of each key counts.
func (m *model) judge() {
	best := map[string]int{}
	for i, r := range m.records {
		if r.Key == "" || r.Quarantined != "" {
			continue
		}
		if j, ok := best[r.Key]; !ok || r.EventTime.After(m.records[j].EventTime) || r.EventTime.Equal(m.records[j].EventTime) && r.Place < m.records[j].Place {
			best[r.Key] = i
		}
	}
	for i := range m.records {
		r := &m.records[i]
		j, ok := best[r.Key]
		r.Conflict = ok && r.Quarantined == "" && i != j
	}
}

// received counts the records of an identity that count.
func (m *model) received(identity string) (n int64) {
	for _, r := range m.records {
		if r.Identity == identity && !r.Conflict && r.Quarantined == "" {
			n++
		}
	}
	return n
}

// fold counts an item's records and commits that, maybe with records arriving
// in between.
func (m *model) fold(rt *rapid.T, b *bench) {
	ids := m.ids()
	if len(ids) == 0 {
		return
	}
	i := m.items[rapid.SampledFrom(ids).Draw(rt, "item")]
	if !i.ForgottenAt.IsZero() {
		return
	}
	tally, err := b.Tally(background, &i.Item)
	if err != nil {
		rt.Fatal(err)
	}
	if want := m.received(i.Identity); tally.Received != want {
		rt.Fatalf("tally of %s: %d, want %d", i.Identity, tally.Received, want)
	}
	if rapid.Bool().Draw(rt, "in between") {
		m.writeRecords(rt, b)
	}
	folded := *i
	folded.FoldedTo, folded.counted = tally.UpTo, tally.Received
	b.commit(&state.Batch{Items: []state.ItemWrite{folded.ItemWrite}})
	m.items[i.ID] = &folded
}

// compare holds the driver's state against the model's.
func (m *model) compare(rt *rapid.T, b *bench) {
	tracked := map[string]plan.Address{}
	for _, i := range m.items {
		if i.ForgottenAt.IsZero() {
			tracked[i.Identity] = i.Address
		}
	}
	var got, want []string
	for r, err := range b.Records(background, state.RecordFilter{}) {
		if err != nil {
			rt.Fatal(err)
		}
		a := ""
		if r.Address != nil {
			a = r.Address.String()
		}
		got = append(got, fmt.Sprint(r.Identity, r.Key, r.Digest[0], r.Conflict, r.Quarantined, a))
	}
	for _, r := range m.records {
		a := ""
		if address, ok := tracked[r.Identity]; ok {
			a = address.String()
		}
		want = append(want, fmt.Sprint(r.Identity, r.Key, r.Digest[0], r.Conflict, r.Quarantined, a))
	}
	if !slices.Equal(got, want) {
		rt.Fatalf("records:\n got %q\nwant %q", got, want)
	}
	unfolded, err := b.Unfolded(background, 0)
	if err != nil {
		rt.Fatal(err)
	}
	for id, i := range m.items {
		behind := i.ForgottenAt.IsZero() && m.received(i.Identity) != max(i.counted, 0)
		if behind && !slices.Contains(unfolded, id) {
			rt.Fatalf("item %d of identity %s counted %d of %d records and is not unfolded", id, i.Identity, i.counted, m.received(i.Identity))
		}
		if !i.ForgottenAt.IsZero() && slices.Contains(unfolded, id) {
			rt.Fatalf("item %d is forgotten and unfolded", id)
		}
	}
	counts, err := b.Counts(background)
	if err != nil {
		rt.Fatal(err)
	}
	sum := int64(0)
	for _, n := range counts.Records {
		sum += n
	}
	if sum != int64(len(m.records)) {
		rt.Fatalf("counts of records %v, want %d in all", counts.Records, len(m.records))
	}
}
