package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/state"
	"github.com/waybill-dev/waybill/value"
)

// moving are the attributes that move without being differences.
var moving = [...]string{"observed_at", "last_success_at", "retention_deadline"}

// folds holds that the history folded from its beginning is the state.
func (c *check) folds() error {
	for _, item := range c.items {
		folded, tracked, err := plan.FoldHistory(c.events[item.ID])
		if err != nil {
			c.violated(Folds, item.Address.String(), "its history does not fold: %v", err)
			continue
		}
		if forgotten := !item.ForgottenAt.IsZero(); tracked == forgotten {
			c.violated(Folds, item.Address.String(), "by its history tracked is %t, by the state %t", tracked, !forgotten)
		}
		values, err := value.Merge(item.Values, item.Args)
		if err != nil {
			return fmt.Errorf("values of %s: %w", item.Address, err)
		}
		got, err := bare(folded)
		if err != nil {
			return fmt.Errorf("history of %s: %w", item.Address, err)
		}
		want, err := bare(values)
		if err != nil {
			return fmt.Errorf("values of %s: %w", item.Address, err)
		}
		if !bytes.Equal(got, want) {
			c.violated(Folds, item.Address.String(), "the history folds to %s and the state is %s", got, want)
		}
	}
	return nil
}

// bare is an object without nulls and without what moves.
func bare(text json.RawMessage) ([]byte, error) {
	object := make(map[string]any)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if len(text) > 0 {
		if err := d.Decode(&object); err != nil {
			return nil, err
		}
	}
	for _, name := range moving {
		delete(object, name)
	}
	for name, v := range object {
		if v == nil {
			delete(object, name)
		}
	}
	return json.Marshal(object)
}

// counted is what records of one item come to.
type counted struct {
	Received    int64                  `json:"received"`
	Succeeded   int64                  `json:"succeeded"`
	Failed      int64                  `json:"failed"`
	FailedCodes map[string]int64       `json:"failed_codes"`
	CostCount   int64                  `json:"cost_count"`
	Costs       map[string]json.Number `json:"costs"`
	costs       map[string]*apd.Decimal
}

// tallies holds each counted item's values against its records.
func (c *check) tallies() error {
	sums := make(map[string]*counted)
	for i := range c.records {
		r := &c.records[i]
		if r.Quarantined != "" || r.Conflict {
			continue
		}
		id := identityOf(r.Type, r.Account, r.Identity)
		t := sums[id]
		if t == nil {
			t = &counted{FailedCodes: make(map[string]int64), costs: make(map[string]*apd.Decimal)}
			sums[id] = t
		}
		t.Received++
		t.CostCount += r.Parts
		switch r.Outcome {
		case plan.Succeeded:
			t.Succeeded++
		case plan.Failed:
			t.Failed++
			t.FailedCodes[r.Code]++
		}
		if r.Amount != nil {
			t.costs[r.Currency] = value.Add(t.costs[r.Currency], r.Amount)
		}
	}
	for _, item := range c.items {
		if item.Address.Type() != messageType && item.Address.Type() != checkType || !item.ForgottenAt.IsZero() {
			continue
		}
		var got counted
		if err := json.Unmarshal(item.Values, &got); err != nil {
			return fmt.Errorf("values of %s: %w", item.Address, err)
		}
		want := sums[identityOf(item.Address.Type(), item.Account, item.Identity)]
		if want == nil {
			want = &counted{}
		}
		if wrong := got.differs(want, item.Address.Type()); wrong != "" {
			c.violated(Tallied, item.Address.String(), "%s", wrong)
		}
	}
	return nil
}

// differs says what an item's values and its records disagree on.
func (got *counted) differs(want *counted, typ string) string {
	if got.Received != want.Received || got.Succeeded != want.Succeeded || got.Failed != want.Failed {
		return fmt.Sprintf("received %d, succeeded %d, failed %d; its records are %d, %d, %d",
			got.Received, got.Succeeded, got.Failed, want.Received, want.Succeeded, want.Failed)
	}
	for code, n := range want.FailedCodes {
		if got.FailedCodes[code] != n {
			return fmt.Sprintf("failed_codes has %d of code %q; its records are %d", got.FailedCodes[code], code, n)
		}
	}
	if typ == messageType {
		if got.CostCount != want.CostCount {
			return fmt.Sprintf("cost_count is %d; its records come to %d", got.CostCount, want.CostCount)
		}
		return ""
	}
	for currency, sum := range want.costs {
		said, _, err := apd.NewFromString(got.Costs[currency].String())
		if err != nil || said.Cmp(sum) != 0 {
			return fmt.Sprintf("costs has %q of %s; its records come to %s", got.Costs[currency], currency, sum.Text('f'))
		}
	}
	return ""
}

// duplicates holds that equal contents are one record, and that of one key with
// several contents the right one counts.
func (c *check) duplicates() {
	type content struct {
		typ, account, key string
		digest            [16]byte
	}
	seen := make(map[content]int64)
	byKey := make(map[string][]*plan.Record)
	for i := range c.records {
		r := &c.records[i]
		k := content{r.Type, r.Account, r.Key, r.Digest}
		if first, ok := seen[k]; ok {
			c.violated(Once, recordName(r), "records %d and %d have the same content", first, r.ID)
		}
		seen[k] = r.ID
		if r.Key != "" && r.Quarantined == "" {
			id := identityOf(r.Type, r.Account, r.Key)
			byKey[id] = append(byKey[id], r)
		}
	}
	for _, records := range byKey {
		best := records[0]
		for _, r := range records[1:] {
			if r.EventTime.After(best.EventTime) {
				best = r
			}
		}
		for _, r := range records {
			if counts := !r.Conflict; counts != (r == best) {
				c.violated(Conflicted, recordName(r), "of %d contents, record %d counts: %t; the one that should is record %d", len(records), r.ID, counts, best.ID)
			}
		}
	}
}

func recordName(r *plan.Record) string {
	if r.Key == "" {
		return fmt.Sprintf("%s record %d", r.Type, r.ID)
	}
	return r.Type + " " + r.Key
}

// evidence holds that every record's bytes are in the raw that it names, and
// that a polled difference which the vendor made names the bytes that say so.
func (c *check) evidence() {
	for i := range c.records {
		r := &c.records[i]
		raw := c.raws[r.RawID]
		if raw == nil {
			c.violated(Evident, recordName(r), "it names raw %d, which is not there", r.RawID)
			continue
		}
		kind := state.RawPull
		if r.Type == checkType {
			kind = state.RawCallback
		}
		if raw.Kind != kind || raw.Account != r.Account {
			c.violated(Evident, recordName(r), "its raw %d is a %s of account %s", raw.ID, raw.Kind, raw.Account)
		}
		for part := range strings.SplitSeq(r.Key, "/") {
			if !bytes.Contains(raw.Body, []byte(part)) {
				c.violated(Evident, recordName(r), "its raw %d does not hold %q", raw.ID, part)
			}
		}
	}
	for _, item := range c.items {
		_, polled := vendorOf(item.Address.Type())
		for _, e := range c.events[item.ID] {
			name := fmt.Sprintf("event %d of %s", e.Seq, e.Address)
			if raw := c.raws[e.RawID]; e.RawID != 0 && raw == nil {
				c.violated(Evident, name, "it names raw %d, which is not there", e.RawID)
			} else if polled && raw != nil && raw.ItemID != item.ID {
				c.violated(Evident, name, "its raw %d is of item %d", e.RawID, raw.ItemID)
			}
			if polled && e.Action == plan.Observe && e.RawID == 0 && tellsNews(e) {
				c.violated(Evident, name, "the vendor's word changed and no bytes are kept")
			}
		}
	}
}

// tellsNews reports whether a difference is of the vendor's own words, and not of
// what the clock alone decides.
func tellsNews(e plan.Event) bool {
	for _, f := range e.Changes {
		switch f.Path {
		case "status", "charged_amount", "failed_code", "matched", "flow_id":
			return true
		}
	}
	return false
}

// finished holds that no pull is open, no landed answer without its records, and
// no record uncounted.
func (c *check) finished(ctx context.Context) error {
	intents, err := c.state.OpenIntents(ctx)
	if err != nil {
		return fmt.Errorf("open pulls: %w", err)
	}
	for _, i := range intents {
		c.violated(Finished, "pull of "+i.Address.String(), "begun at %s and never concluded", i.StartedAt.Format(time.RFC3339))
	}
	for raw, err := range c.state.Underived(ctx) {
		if err != nil {
			return fmt.Errorf("landed answers: %w", err)
		}
		c.violated(Finished, fmt.Sprintf("raw %d of %s", raw.ID, raw.Account), "on disk and never parsed")
	}
	ids, err := c.state.Unfolded(ctx, 0)
	if err != nil {
		return fmt.Errorf("uncounted records: %w", err)
	}
	for _, id := range ids {
		c.violated(Finished, fmt.Sprintf("item %d", id), "it has records that nobody counted")
	}
	return nil
}

// vendorOf is the vendor of a polled type.
func vendorOf(typ string) (sandbox.Vendor, bool) {
	switch typ {
	case "globfax_recipient":
		return sandbox.GlobFax, true
	case "itniotech_otp_order":
		return sandbox.Itniotech, true
	}
	return "", false
}
