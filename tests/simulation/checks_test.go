package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/state/sqlite"
	"github.com/waybill-dev/waybill/tests/oracle"
)

// doctored is a state that was read once and can be falsified.
type doctored struct {
	state.Reader
	items    []*plan.Item
	records  []plan.Record
	events   []plan.Event
	windows  []plan.LossWindow
	raws     map[int64]*state.Raw
	intents  []state.Intent
	landed   []*state.Raw
	unfolded []int64
}

func (d *doctored) Items(_ context.Context, f state.ItemFilter) iter.Seq2[*plan.Item, error] {
	return func(yield func(*plan.Item, error) bool) {
		for _, item := range d.items {
			if item.ForgottenAt.IsZero() == !f.Forgotten && !yield(item, nil) {
				return
			}
		}
	}
}

func (d *doctored) Records(context.Context, state.RecordFilter) iter.Seq2[*plan.Record, error] {
	return func(yield func(*plan.Record, error) bool) {
		for i := range d.records {
			if !yield(&d.records[i], nil) {
				return
			}
		}
	}
}

func (d *doctored) History(context.Context, state.HistoryFilter) iter.Seq2[*plan.Event, error] {
	return func(yield func(*plan.Event, error) bool) {
		for i := range d.events {
			if !yield(&d.events[i], nil) {
				return
			}
		}
	}
}

func (d *doctored) Raw(_ context.Context, id int64) (*state.Raw, error) {
	if raw, ok := d.raws[id]; ok {
		return raw, nil
	}
	return nil, fmt.Errorf("raw %d: %w", id, state.ErrNotFound)
}

func (d *doctored) LossWindows(context.Context) ([]plan.LossWindow, error) { return d.windows, nil }
func (d *doctored) OpenIntents(context.Context) ([]state.Intent, error)    { return d.intents, nil }
func (d *doctored) Unfolded(context.Context, int) ([]int64, error)         { return d.unfolded, nil }
func (d *doctored) Underived(context.Context) iter.Seq2[*state.Raw, error] {
	return func(yield func(*state.Raw, error) bool) {
		for _, raw := range d.landed {
			if !yield(raw, nil) {
				return
			}
		}
	}
}

// copyOf reads a whole state.
func copyOf(t *testing.T, r state.Reader) *doctored {
	t.Helper()
	ctx := context.Background()
	d := &doctored{Reader: r, raws: make(map[int64]*state.Raw)}
	for item, err := range r.Items(ctx, state.ItemFilter{}) {
		must(t, err)
		d.items = append(d.items, item)
	}
	for record, err := range r.Records(ctx, state.RecordFilter{}) {
		must(t, err)
		d.records = append(d.records, *record)
	}
	for event, err := range r.History(ctx, state.HistoryFilter{}) {
		must(t, err)
		d.events = append(d.events, *event)
	}
	var err error
	d.windows, err = r.LossWindows(ctx)
	must(t, err)
	for i := range d.records {
		raw, err := r.Raw(ctx, d.records[i].RawID)
		must(t, err)
		d.raws[raw.ID] = raw
	}
	for i := range d.events {
		if id := d.events[i].RawID; id != 0 {
			raw, err := r.Raw(ctx, id)
			must(t, err)
			d.raws[id] = raw
		}
	}
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A healthy run, in which a page was cut, a callback came twice and the vendor
// gave one up while the agent was away.
func healthy(t *testing.T) (w *world, account sandbox.Account, d *doctored) {
	w = newWorld(t, 1)
	w.declare = declaration{
		faxes:  []*thing{{key: "a", identity: "rcpt_a", declared: true}, {key: "never", identity: "never_b", declared: true}},
		orders: []*thing{{key: "o", identity: "o1", declared: true}},
		sends:  []*thing{{key: "s", identity: "s1", expected: 30, declared: true}}, batches: []*thing{{key: "b", identity: "b1", expected: 4, declared: true}, {key: "late", identity: "b2", expected: 3, declared: true}},
	}
	url := receiverURL + "/callbacks/nxcloud/" + w.vendors.Credentials().NXCloudToken
	w.must(
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "rcpt_a", Status: "success", SettleAfter: sandbox.Duration(5 * time.Minute)}),
		w.vendors.AddRecipient(sandbox.Recipient{Ref: "never_b"}),
		w.vendors.AddOrder(sandbox.Order{ID: "o1", Outcome: "verified", SettleAfter: sandbox.Duration(3 * time.Minute)}),
		w.vendors.AddSend(sandbox.Send{SessionNo: "s1", Count: 30, Outcomes: []string{"success", "fail"}, Then: "unknown", SettleAfter: sandbox.Duration(time.Minute)}),
		w.vendors.AddSend(sandbox.Send{SessionNo: "s2", Count: 10, SettleAfter: sandbox.Duration(80 * time.Hour)}),
		w.vendors.AddSend(sandbox.Send{SessionNo: "s3", Count: 3, SettleAfter: sandbox.Duration(21 * time.Minute)}),
		w.vendors.AddBatch(sandbox.Batch{BatchNo: "b1", Count: 4, Failures: 1, Price: "0.002", Currency: "CNY", CallbackURL: url, SettleAfter: sandbox.Duration(2 * time.Minute)}),
		w.vendors.AddBatch(sandbox.Batch{BatchNo: "b2", Count: 3, CallbackURL: url, SettleAfter: sandbox.Duration(22 * time.Minute)}),
	)
	_, err := w.vendors.AddFault(sandbox.Fault{Vendor: sandbox.NXCloud, Kind: sandbox.Conflict, Next: 1})
	w.must(err)
	w.write(w.render())
	if !w.start() {
		t.Fatal(w.story)
	}
	time.Sleep(20 * time.Minute)
	w.stop()
	time.Sleep(100 * time.Hour) // s3's reports expire, b2's callbacks are given up
	w.mu.Lock()
	w.cutNext = cutHead
	w.mu.Unlock()
	w.start()
	w.trouble(sandbox.UCloud)
	time.Sleep(5 * time.Minute)
	w.calmAfter(0, sandbox.UCloud)
	time.Sleep(2 * time.Hour)
	w.stop()
	w.vending()
	<-w.vended
	reader, err := sqlite.OpenReader(w.path)
	must(t, err)
	t.Cleanup(func() { reader.Close() })
	return w, w.vendors.Account(), copyOf(t, reader)
}

// Each check goes red on a state, or an account, in which its promise is broken,
// and names the record.
func TestEachCheckGoesRed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, account, d := healthy(t)
		defer w.end()
		report, err := oracle.Check(context.Background(), account, d, w.limits)
		must(t, err)
		if !report.OK() {
			t.Fatalf("a healthy run: %s\n%s", report, strings.Join(w.story, "\n"))
		}
		if report.Deleted == 0 || report.InWindows == 0 || report.Expired == 0 || report.Accepted == 0 || report.Dropped == 0 || report.Reads == 0 {
			t.Fatalf("the run has nothing to compare: %s", report.Counts())
		}
		recordOf := func(d *doctored, typ string, wanted func(*plan.Record) bool) int {
			return slices.IndexFunc(d.records, func(r plan.Record) bool { return r.Type == typ && wanted(&r) })
		}
		counts := func(r *plan.Record) bool { return !r.Conflict && r.Key != "" }
		itemOf := func(d *doctored, address string) *plan.Item {
			i := slices.IndexFunc(d.items, func(item *plan.Item) bool { return item.Address.String() == address })
			return d.items[i]
		}
		for _, c := range []struct {
			name    string
			promise oracle.Promise
			record  string // part of the violation
			break_  func(a *sandbox.Account, d *doctored, l *oracle.Limits)
		}{
			{"a report is gone", oracle.Deleted, "ucloud report s1/", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := recordOf(d, "ucloud_usms_message", counts)
				d.records = slices.Delete(d.records, i, i+1)
			}},
			{"a report says something else", oracle.Deleted, "ucloud report s1/", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.records[recordOf(d, "ucloud_usms_message", counts)].Parts += 7
			}},
			{"the cut page has no window", oracle.Deleted, "ucloud report s2/", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.windows = slices.DeleteFunc(d.windows, func(w plan.LossWindow) bool { return w.Cause == plan.LossPull })
			}},
			{"the window is at another time", oracle.Deleted, "ucloud report s2/", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				for i := range d.windows {
					d.windows[i].From, d.windows[i].To = d.windows[i].From.Add(time.Hour), d.windows[i].To.Add(time.Hour)
				}
			}},
			{"the bound is too small", oracle.Bounded, "pull ", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				for i := range d.windows {
					if d.windows[i].Cause == plan.LossPull {
						d.windows[i].Bound = 3
					}
				}
			}},
			{"a window too many", oracle.Windowed, "loss windows of pulls", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := slices.IndexFunc(d.windows, func(w plan.LossWindow) bool { return w.Cause == plan.LossPull })
				d.windows = append(d.windows, d.windows[i])
			}},
			{"a whole answer was given up", oracle.Windowed, "answered whole", func(_ *sandbox.Account, d *doctored, l *oracle.Limits) {
				l.Cut = nil
			}},
			{"a window that ends before it begins", oracle.Windowed, "loss window", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.windows[0].From, d.windows[0].To = d.windows[0].To, d.windows[0].From
			}},
			{"no retention window", oracle.Expired, "ucloud report s3/", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.windows = slices.DeleteFunc(d.windows, func(w plan.LossWindow) bool { return w.Cause == plan.LossRetention })
			}},
			{"an accepted callback is gone", oracle.Accepted, "nxcloud callback", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := recordOf(d, "nxcloud_number_check", counts)
				d.records = slices.Delete(d.records, i, i+1)
			}},
			{"a byte of its evidence differs", oracle.Accepted, "nxcloud callback", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				id := d.records[recordOf(d, "nxcloud_number_check", counts)].RawID
				raw := *d.raws[id]
				raw.Body = append(slices.Clone(raw.Body), ' ')
				d.raws[id] = &raw
			}},
			{"no outage window", oracle.Dropped, "nxcloud callback", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.windows = slices.DeleteFunc(d.windows, func(w plan.LossWindow) bool { return w.Cause == plan.LossOutage })
			}},
			{"given up while the receiver was up", oracle.Dropped, "nothing broke them", func(_ *sandbox.Account, d *doctored, l *oracle.Limits) {
				d.windows = slices.DeleteFunc(d.windows, func(w plan.LossWindow) bool { return w.Cause == plan.LossOutage })
				l.Down = nil
			}},
			{"read after its end", oracle.Final, "globfax rcpt_a", func(a *sandbox.Account, _ *doctored, _ *oracle.Limits) {
				r := &a.Reads[slices.IndexFunc(a.Reads, func(r sandbox.ItemReads) bool { return r.ID == "rcpt_a" })]
				r.Times, r.Count, r.AfterFinal = append(slices.Clone(r.Times), r.Last.Add(time.Hour)), r.Count+1, 1
			}},
			{"read too soon", oracle.Floor, "globfax never_b", func(a *sandbox.Account, _ *doctored, _ *oracle.Limits) {
				r := &a.Reads[slices.IndexFunc(a.Reads, func(r sandbox.ItemReads) bool { return r.ID == "never_b" })]
				r.Times, r.Count = slices.Insert(slices.Clone(r.Times), 1, r.Times[0].Add(29*time.Second)), r.Count+1
			}},
			{"an item is looked at no more", oracle.Punctual, "globfax never_b", func(a *sandbox.Account, _ *doctored, _ *oracle.Limits) {
				r := &a.Reads[slices.IndexFunc(a.Reads, func(r sandbox.ItemReads) bool { return r.ID == "never_b" })]
				r.Times = r.Times[:len(r.Times)-4]
				r.Count = int64(len(r.Times))
			}},
			{"a policy is pulled no more", oracle.Punctual, "ucloud policy", func(a *sandbox.Account, _ *doctored, _ *oracle.Limits) {
				a.Pulls = a.Pulls[:len(a.Pulls)-20]
			}},
			{"an event is gone", oracle.Folds, `globfax_recipient.fax["a"]`, func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := slices.IndexFunc(d.events, func(e plan.Event) bool {
					return e.Address.String() == `globfax_recipient.fax["a"]` && e.Action == plan.Observe
				})
				d.events = slices.Delete(d.events, i, i+1)
			}},
			{"a value changed without an event", oracle.Folds, `itniotech_otp_order.login["o"]`, func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				item := itemOf(d, `itniotech_otp_order.login["o"]`)
				item.Values = json.RawMessage(strings.Replace(string(item.Values), `"succeeded"`, `"failed"`, 1))
			}},
			{"a count is one too high", oracle.Tallied, `ucloud_usms_message.promo["s"]`, func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				item := itemOf(d, `ucloud_usms_message.promo["s"]`)
				item.Values = json.RawMessage(strings.Replace(string(item.Values), `"received":30`, `"received":31`, 1))
			}},
			{"a cost is rounded", oracle.Tallied, `nxcloud_number_check.batch["b"]`, func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := recordOf(d, "nxcloud_number_check", counts)
				d.records[i].Amount = apd.New(20000000001, -13)
			}},
			{"a duplicate is a second record", oracle.Once, "nxcloud_number_check ", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				r := d.records[recordOf(d, "nxcloud_number_check", counts)]
				r.ID += 1000
				d.records = append(d.records, r)
			}},
			{"two contents of one key count", oracle.Conflicted, "nxcloud_number_check ", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.records[recordOf(d, "nxcloud_number_check", func(r *plan.Record) bool { return r.Conflict })].Conflict = false
			}},
			{"the earlier report counts", oracle.Conflicted, "ucloud_usms_message s1/", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := recordOf(d, "ucloud_usms_message", func(r *plan.Record) bool { return r.Conflict })
				j := recordOf(d, "ucloud_usms_message", func(r *plan.Record) bool { return !r.Conflict && r.Key == d.records[i].Key })
				d.records[i].Conflict, d.records[j].Conflict = false, true
			}},
			{"a record's evidence is gone", oracle.Evident, "which is not there", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				delete(d.raws, d.records[0].RawID)
			}},
			{"a record names other evidence", oracle.Evident, "does not hold", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				i := recordOf(d, "nxcloud_number_check", counts)
				j := recordOf(d, "nxcloud_number_check", func(r *plan.Record) bool { return r.Key != d.records[i].Key })
				d.records[i].RawID = d.records[j].RawID
			}},
			{"a difference has no evidence", oracle.Evident, "no bytes are kept", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				for i := range d.events {
					d.events[i].RawID = 0
				}
			}},
			{"a pull is left open", oracle.Finished, "never concluded", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.intents = []state.Intent{{ID: "left", Address: itemOf(d, "ucloud_usms_report_pull.main").Address}}
			}},
			{"an answer is left unparsed", oracle.Finished, "never parsed", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) {
				d.landed = []*state.Raw{{ID: 1}}
			}},
			{"records are left uncounted", oracle.Finished, "nobody counted", func(_ *sandbox.Account, d *doctored, _ *oracle.Limits) { d.unfolded = []int64{1} }},
		} {
			func() { // a bubble has no subtests
				broken := *d
				broken.items = nil
				for _, item := range d.items {
					broken.items = append(broken.items, new(*item))
				}
				broken.records, broken.events = slices.Clone(d.records), slices.Clone(d.events)
				broken.windows, broken.raws = slices.Clone(d.windows), maps.Clone(d.raws)
				a, limits := account, w.limits
				a.Reads, a.Pulls = slices.Clone(account.Reads), slices.Clone(account.Pulls)
				c.break_(&a, &broken, &limits)
				report, err := oracle.Check(context.Background(), a, &broken, limits)
				must(t, err)
				if !slices.ContainsFunc(report.Violations, func(v oracle.Violation) bool {
					return v.Promise == c.promise && strings.Contains(v.String(), c.record)
				}) {
					t.Errorf("%s: no violation of %q names %q: %s", c.name, c.promise, c.record, report)
				}
			}()
		}
	})
}
