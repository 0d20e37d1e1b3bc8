package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
)

// replay replays and returns what differs, in words.
func (w *world) replay(opts agent.ReplayOptions) (*plan.Replayed, []string) {
	w.t.Helper()
	store := w.open()
	defer store.Close()
	var told []string
	result, diags, err := w.runner.Replay(context.Background(), w.config(), store, opts, func(d plan.Difference) {
		switch {
		case d.Address != nil:
			var paths []string
			for _, f := range d.Fields {
				paths = append(paths, f.Path)
			}
			told = append(told, d.Address.String()+": "+strings.Join(paths, " "))
		case d.Before == nil:
			told = append(told, "added "+d.After.Key)
		case d.After == nil:
			told = append(told, "kept "+d.Before.Key)
		default:
			told = append(told, fmt.Sprintf("%q -> %q, %q -> %q", d.Before.Key, d.After.Key, d.Before.Quarantined, d.After.Quarantined))
		}
	})
	if err != nil || diags.HasErrors() {
		w.t.Fatal(err, diags)
	}
	return result, told
}

// contents is everything that a replay might touch, as text.
func (w *world) contents() string {
	w.t.Helper()
	r := w.reader()
	defer r.Close()
	ctx := context.Background()
	var b strings.Builder
	for record, err := range r.Records(ctx, state.RecordFilter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		address := ""
		if record.Address != nil {
			address = record.Address.String()
		}
		fmt.Fprintf(&b, "record %d %s %s %s %v %q %s raw %d %s %s\n", record.ID, record.Key, record.Outcome, record.ReceivedAt, record.Conflict,
			record.Quarantined, address, record.RawID, record.Attributes, record.Amount)
	}
	for item, err := range r.Items(ctx, state.ItemFilter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "item %s %s %s due %s raw %d %+v %+v\n", item.Address, item.Values, item.Seen, item.Due, item.RawID, item.Pulls, item.Expectations)
	}
	events := 0
	for range r.History(ctx, state.HistoryFilter{}) {
		events++
	}
	meta, err := r.Meta(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(&b, "events %d serial %d\n", events, meta.Serial)
	return b.String()
}

const checkThings = `
resource "nxcloud_number_check" "january" {
  batch_no = "b1"
  expected = 20
}
`

// fill has an agent bring all four systems to their end, with duplicates,
// conflicts, odd reports, and callbacks that nobody understands, twice.
func (b *bubble) fill() {
	b.t.Helper()
	b.write("main.wb.hcl", b.providersText()+fourThings+checkThings)
	b.must(
		b.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_a", Status: "success", SettleAfter: sandbox.Duration(5 * time.Minute)}),
		b.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_b", Status: "failed", FailedCode: "BUSY", SettleAfter: sandbox.Duration(10 * time.Minute)}),
		b.vendors.AddOrder(sandbox.Order{ID: "o1", Channel: "sms", Outcome: "never", SettleAfter: sandbox.Duration(time.Minute)}),
		b.vendors.AddSend(sandbox.Send{SessionNo: "s1", Count: 5, Outcomes: []string{"success", "success", "fail", "success", "unknown"}, SettleAfter: sandbox.Duration(3 * time.Minute), Twice: true}),
		b.vendors.AddBatch(sandbox.Batch{BatchNo: "b1", Count: 20, Failures: 3, CallbackURL: b.callbackURL(), Price: "0.002", Currency: "CNY", SettleAfter: sandbox.Duration(2 * time.Minute)}),
	)
	b.must(b.start())
	for range 2 {
		b.post(b.callbackURL(), "")
		b.post(b.callbackURL(), "<html>")
		b.post(b.callbackURL(), `{"requestId": "r-odd", "batchNo": "b1"}`)
		b.post(b.callbackURL(), `{"requestId": "r-two", "batchNo": "b1", "code": 0}`)
		b.post(b.callbackURL(), `{"requestId": "r-two", "batchNo": "b1", "code": 262}`)
	}
	time.Sleep(4 * time.Minute)
	_, err := b.vendors.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Odd, Next: 1})
	b.must(err)
	time.Sleep(time.Hour)
	b.end()
}

// The parser that made the records finds no difference in their raws, and
// nothing is written.
func TestReplayOfWhatIsUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.fill()
		before := b.contents()
		raws, callback := 0, int64(0)
		r := b.reader()
		for raw := range r.Raws(context.Background(), state.RawFilter{}) {
			raws++
			if raw.Kind == state.RawCallback {
				callback = raw.ID
			}
		}
		r.Close()
		time.Sleep(100 * time.Hour) // the clock alone makes no difference
		for _, c := range []struct {
			name    string
			opts    agent.ReplayOptions
			answers int
		}{
			{"quarantined", agent.ReplayOptions{}, 4},
			{"all", agent.ReplayOptions{All: true}, -1},
			{"one", agent.ReplayOptions{Raws: []int64{callback}}, 1},
		} {
			result, told := b.replay(c.opts)
			if len(told) > 0 || result.Records+result.Items+result.Unreadable+result.Waiting > 0 {
				t.Errorf("%s: %+v, %q", c.name, result, told)
			}
			if c.answers >= 0 && result.Answers != c.answers || c.answers < 0 && result.Answers < 30 {
				t.Errorf("%s: %d answers of %d raws, want %d", c.name, result.Answers, raws, c.answers)
			}
			if after := b.contents(); after != before {
				t.Errorf("%s wrote:\n%s\nbefore:\n%s", c.name, after, before)
			}
		}
	})
}

// with replaces a vendor's parsers, as an older or a later version has them.
func (w *world) with(provider string, change func(d *providers.Definition)) (restore func()) {
	was := w.runner.Vendors
	w.runner.Vendors = slices.Clone(was)
	for i, d := range was {
		if d.Schema.Provider == provider {
			changed := *d
			change(&changed)
			w.runner.Vendors[i] = &changed
		}
	}
	return func() { w.runner.Vendors = was }
}

// Reports that nobody understood are kept in quarantine, and a parser that does
// understand them mends them: in their place, counted, and told.
func TestReplayMendsWhatALaterParserUnderstands(t *testing.T) {
	w := queueWorld(t, 6)
	later := w.with("ucloud", func(d *providers.Definition) {
		understand := d.Records
		d.Records = func(a providers.Answer) providers.Page {
			page := understand(a)
			for i := range page.Records {
				if r := &page.Records[i]; i%2 == 0 {
					*r = plan.Record{Type: r.Type, Outcome: plan.Unknown, Quarantined: "what is this?", Attributes: []byte("{}"), Digest: [16]byte{byte(i), 9}}
				}
			}
			return page
		}
	})
	w.apply()
	quarantined := func() (list []*plan.Record) {
		r := w.reader()
		defer r.Close()
		for record, err := range r.Records(context.Background(), state.RecordFilter{Status: plan.Quarantined}) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, record)
		}
		return list
	}
	old := quarantined()
	if len(old) != 3 || !strings.Contains(string(w.item("ucloud_usms_message.promo").Values), `"received":3`) {
		t.Fatalf("%d in quarantine", len(old))
	}
	policy := w.item("ucloud_usms_report_pull.main")
	if result, told := w.replay(agent.ReplayOptions{}); len(told) != 0 || result.Quarantined != 3 || result.Answers != 1 {
		t.Fatalf("nothing was learnt, and yet: %+v %q", result, told)
	}

	later()
	w.clock.advance(time.Hour)
	result, told := w.replay(agent.ReplayOptions{})
	if result.Records != 3 || result.Items != 1 || result.Quarantined != 0 || len(told) != 4 || !strings.HasPrefix(told[3], "ucloud_usms_message.promo: ") {
		t.Errorf("%+v %q", result, told)
	}
	if left := quarantined(); len(left) != 0 {
		t.Errorf("%d are still in quarantine", len(left))
	}
	r := w.reader()
	defer r.Close()
	mended := make(map[int64]*plan.Record)
	for record, err := range r.Records(context.Background(), state.RecordFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		mended[record.Place] = record
	}
	for _, o := range old {
		m := mended[o.Place]
		if m == nil || !m.ReceivedAt.Equal(o.ReceivedAt) || m.RawID != o.RawID || m.Status() != plan.Matched {
			t.Errorf("%+v became %+v", o, m)
		}
	}
	if values := string(w.item("ucloud_usms_message.promo").Values); !strings.Contains(values, `"received":6`) {
		t.Errorf("values %s", values)
	}
	if after := w.item("ucloud_usms_report_pull.main"); after.Pulls != policy.Pulls || after.Pulls.PulledTotal != 6 {
		t.Errorf("the policy's totals were %+v and are %+v", policy.Pulls, after.Pulls)
	}
	historyFolds(t, w)
	if result, told := w.replay(agent.ReplayOptions{All: true}); len(told) != 0 || result.Records != 0 {
		t.Errorf("the second replay differs: %+v %q", result, told)
	}
}

// What a parser tells otherwise is told otherwise everywhere: records, repetitions
// of them, the choice between contents, and what was read.
func TestReplayOfAnotherParser(t *testing.T) {
	for _, all := range []bool{true, false} {
		t.Run(fmt.Sprintf("all=%v", all), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				// The older parser: another digest of each content, another code, and a fax
				// that it read otherwise.
				now := b.with("nxcloud", func(d *providers.Definition) {
					records := d.Records
					d.Records = func(a providers.Answer) providers.Page {
						page := records(a)
						for i := range page.Records {
							page.Records[i].Digest[0] ^= 0xff
							page.Records[i].Code += "0"
						}
						return page
					}
				})
				b.with("globfax", func(d *providers.Definition) {
					observe := d.Observe
					d.Observe = func(target providers.Target, a providers.Answer) (plan.Observation, error) {
						o, err := observe(target, a)
						if err == nil && !o.NotFound {
							attrs := o.Seen.AsValueMap()
							attrs["failed_reason"] = cty.StringVal("misread")
							o.Seen = cty.ObjectVal(attrs)
						}
						return o, err
					}
				})
				b.fill()
				stored := b.stored()
				now()
				opts := agent.ReplayOptions{All: true}
				if !all {
					// Every raw by its id, the repetitions first: they are no records of their own.
					opts = agent.ReplayOptions{}
					r := b.reader()
					for raw, err := range r.Raws(context.Background(), state.RawFilter{}) {
						if err != nil {
							t.Fatal(err)
						}
						opts.Raws = append([]int64{raw.ID}, opts.Raws...)
					}
					r.Close()
				}
				result, told := b.replay(opts)
				callbacks := 20 + 5
				if result.Records != callbacks || b.stored() != stored {
					t.Errorf("%d records differ, want %d; %d are stored, were %d\n%q", result.Records, callbacks, b.stored(), stored, told)
				}
				for _, want := range []string{`globfax_recipient.invoice["a"]: failed_reason`, `globfax_recipient.invoice["b"]: failed_reason`} {
					if !slices.ContainsFunc(told, func(line string) bool { return strings.HasPrefix(line, want) }) {
						t.Errorf("%q is not told, but %q", want, told)
					}
				}
				if values := string(b.item("nxcloud_number_check.january").Values); !strings.Contains(values, `"failed":3`) || strings.Contains(values, `2620"`) {
					t.Errorf("values %s", values)
				}
				if values := string(b.item(`globfax_recipient.invoice["a"]`).Values); strings.Contains(values, "misread") {
					t.Errorf("values %s", values)
				}
				historyFolds(t, b.world)
				if _, told := b.replay(agent.ReplayOptions{All: true}); len(told) != 0 {
					t.Errorf("the second replay differs: %q", told)
				}
			})
		})
	}
}

// A parser that knows less takes nothing away that was understood, a parser that
// panics neither, and an account that is gone is said.
func TestReplayTakesNothingAway(t *testing.T) {
	w := queueWorld(t, 4)
	w.apply()
	before := w.contents()
	for name, records := range map[string]func(providers.Answer) providers.Page{
		"none":   func(providers.Answer) providers.Page { return providers.Page{Whole: true} },
		"panics": func(providers.Answer) providers.Page { panic("odd") },
	} {
		restore := w.with("ucloud", func(d *providers.Definition) { d.Records = records })
		result, told := w.replay(agent.ReplayOptions{All: true})
		if result.Records != 0 || result.Unreadable != 4 || len(told) != 4 || !strings.HasPrefix(told[0], "kept s1/") {
			t.Errorf("%s: %+v %q", name, result, told)
		}
		restore()
	}
	vendors := w.runner.Vendors
	w.runner.Vendors = vendors[:2]
	w.write("main.wb.hcl", "")
	result, told := w.replay(agent.ReplayOptions{All: true})
	if result.Answers != 0 || len(told) != 0 || result.Unreadable == 0 {
		t.Errorf("without the vendor: %+v %q", result, told)
	}
	w.runner.Vendors = vendors
	if after := w.contents(); after != before {
		t.Errorf("it wrote:\n%s\nbefore:\n%s", after, before)
	}
	store := w.open()
	defer store.Close()
	_, _, err := w.runner.Replay(context.Background(), w.config(), store, agent.ReplayOptions{Raws: []int64{99}}, nil)
	if err == nil || err.Error() != "raw 99: there is no such raw" {
		t.Errorf("error %v", err)
	}
}
