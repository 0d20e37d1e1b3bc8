package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that is a string such as "90s" in JSON.
type Duration time.Duration

// MarshalText writes it as Go does: "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Recipient is a fax recipient at GlobFax. Only Ref is needed: what is not given
// is derived from the seed.
type Recipient struct {
	Ref    string    `json:"rcpt_ref"`
	SentAt time.Time `json:"sent_at,omitzero"` // zero: now
	// SettleAfter is how long after SentAt it comes to its end; zero: by Speed,
	// negative: at once.
	SettleAfter Duration `json:"settle_after,omitzero"`

	PhoneNumber string `json:"phone_number,omitempty"`
	// Status is the one it ends with: "success", "failed", or any other, with
	// which it stays unfinished for ever.
	Status       string `json:"status,omitempty"`
	FailedCode   string `json:"failed_code,omitempty"`
	FailedReason string `json:"failed_reason,omitempty"`
	PageCount    int    `json:"page_count,omitempty"`
	// UnitPrice and ChargedAmount are JSON numbers, answered exactly as written.
	UnitPrice     json.Number `json:"unit_price,omitempty"`
	ChargedAmount json.Number `json:"charged_amount,omitempty"`
	CompletedAt   time.Time   `json:"completed_at,omitzero"` // zero: SentAt and SettleAfter
	// Data is answered as it stands in place of everything above.
	Data json.RawMessage `json:"data,omitempty"`
}

// Order is an OTP order at itniotech. Only ID is needed.
type Order struct {
	ID          string    `json:"order_id"`
	SentAt      time.Time `json:"sent_at,omitzero"`
	SettleAfter Duration  `json:"settle_after,omitzero"`
	// Channel is sms, call or sna.
	Channel string `json:"channel,omitempty"`
	// Outcome is verified (matched 0), wrong_code (2), never (delivered, stays -1),
	// undelivered (sending failed, stays 1) or nonexistent (3).
	Outcome string `json:"outcome,omitempty"`
	// Fallback says that an sms went out before a call, as in the page's example:
	// both lists are answered.
	Fallback *bool `json:"fallback,omitempty"`
	// CurrencyField is "currency" (the page's example) or "settleCurrency" (its table).
	CurrencyField string `json:"currency_field,omitempty"`
	// Data is answered as it stands in place of everything above.
	Data json.RawMessage `json:"data,omitempty"`
}

// Send is one call of UCloud's SendUSMSMessage: each phone gets one report.
type Send struct {
	SessionNo string `json:"session_no"`
	// Project is the project whose pulls return the reports; "": any.
	Project string `json:"project,omitempty"`
	// Phones are the numbers; where there are none, Count of them are made up
	// (0 means 1).
	Phones []string `json:"phones,omitempty"`
	Count  int      `json:"count,omitempty"`
	// Outcomes are success, fail, unknown or none (no report ever), one for each
	// phone; those beyond the list are derived.
	Outcomes    []string  `json:"outcomes,omitempty"`
	SentAt      time.Time `json:"sent_at,omitzero"`
	SettleAfter Duration  `json:"settle_after,omitzero"` // of every report; zero: each by Speed
	// English chooses the spelling of ReceiptResult: Success, Fail, Unknow.
	English *bool `json:"english,omitempty"`
	// Twice has each report come a second time, the same, a second later.
	Twice bool `json:"twice,omitempty"`
	// Then has another report of each phone come a second after the first, with
	// this outcome and its own ReceiptTime.
	Then      string `json:"then,omitempty"`
	CostCount int    `json:"cost_count,omitempty"`
	UserID    string `json:"user_id,omitempty"`
}

// Batch is one submission of numbers to NXCLOUD: each gets one callback.
type Batch struct {
	BatchNo string `json:"batch_no"`
	// Phones are the numbers, at most 5,000; where there are none, Count of them
	// are made up (0 means 1).
	Phones []string `json:"phones,omitempty"`
	Count  int      `json:"count,omitempty"`
	// Failures is how many of them fail, the first ones (negative: derived);
	// FailureCode with which code of the page's table (0: derived).
	Failures    int `json:"failures,omitempty"`
	FailureCode int `json:"failure_code,omitempty"`
	// HLR chooses the body with mcc, mnc, ported and active.
	HLR *bool `json:"hlr,omitempty"`
	// Price and Currency are the cost of each number; Price is answered exactly as written.
	Price    json.Number `json:"price,omitempty"`
	Currency string      `json:"currency,omitempty"`
	// CallbackURL is drUrl; "": that of the settings.
	CallbackURL string    `json:"callback_url,omitempty"`
	SentAt      time.Time `json:"sent_at,omitzero"`
	SettleAfter Duration  `json:"settle_after,omitzero"` // of every number; zero: each by Speed
}

// thing is a recipient or an order: when it was sent, what was said about it,
// and the reads of it. A derived one is little more than its creation time, for
// there may be a million.
type thing struct {
	sent      int64 // Unix nanoseconds
	recipient *Recipient
	order     *Order
	reads     reads
}

// reads is the account of one item's reads, in Unix nanoseconds.
type reads struct {
	count      int64
	afterFinal int64
	first      int64
	last       int64
	finalAt    int64
	shortest   int64
	times      []int64
}

// read notes a read that arrives now.
func (r *reads) read(now time.Time, keep int) {
	at := now.UnixNano()
	if gap := at - r.last; r.count == 1 || r.count > 1 && gap < r.shortest {
		r.shortest = gap
	}
	if r.finalAt != 0 {
		r.afterFinal++
	}
	if r.count == 0 {
		r.first = at
	}
	r.count++
	r.last = at
	if len(r.times) < keep {
		r.times = append(r.times, at)
	}
}

// final notes that the last word on the item has been answered whole.
func (r *reads) final(now time.Time) {
	if r.finalAt == 0 {
		r.finalAt = now.UnixNano()
	}
}

// AddRecipient lets a fax recipient come into being, or describes it anew; the
// account of its reads goes on.
func (s *Server) AddRecipient(r Recipient) error {
	if !refPattern.MatchString(r.Ref) {
		return fmt.Errorf("rcpt_ref %q: write 1 to 255 letters, digits, underscores and hyphens", r.Ref)
	}
	if err := errors.Join(jsonNumber("unit_price", r.UnitPrice), jsonNumber("charged_amount", r.ChargedAmount), rawData(r.Data)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.add(s.things, r.Ref, r.SentAt)
	t.recipient = &r
	return nil
}

// AddOrder lets an order come into being, or describes it anew; the account of
// its reads goes on.
func (s *Server) AddOrder(o Order) error {
	if o.ID == "" {
		return errors.New("order_id is empty")
	}
	if err := rawData(o.Data); err != nil {
		return err
	}
	if err := oneOf("channel", o.Channel, "sms", "call", "sna"); err != nil {
		return err
	}
	if err := oneOf("outcome", o.Outcome, "verified", "wrong_code", "never", "undelivered", "nonexistent"); err != nil {
		return err
	}
	if err := oneOf("currency_field", o.CurrencyField, "currency", "settleCurrency"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.add(s.orders, o.ID, o.SentAt)
	t.order = &o
	return nil
}

// add finds or makes a thing and sets when it was sent; s.mu is held.
func (s *Server) add(in map[string]*thing, id string, sent time.Time) *thing {
	t := in[id]
	if t == nil {
		t = &thing{}
		in[id] = t
	}
	if sent.IsZero() {
		sent = s.now()
	}
	t.sent = sent.UnixNano()
	return t
}

// oneOf refuses a word that is none of those known; "" passes.
func oneOf(field, word string, known ...string) error {
	if word == "" {
		return nil
	}
	for _, k := range known {
		if word == k {
			return nil
		}
	}
	return fmt.Errorf("%s %q is none of %q", field, word, known)
}

// jsonNumber refuses what is not a JSON number; "" passes.
func jsonNumber(field string, n json.Number) error {
	if n == "" || json.Valid([]byte(n)) && strings.ContainsAny(string(n[:1]), "-0123456789") {
		return nil
	}
	return fmt.Errorf("%s %q is not a JSON number", field, n)
}

// rawData refuses what is not JSON; nothing passes.
func rawData(data json.RawMessage) error {
	if data == nil || json.Valid(data) {
		return nil
	}
	return errors.New("data is not JSON")
}

// Declare makes a plausible thing of the identity that a resource declares, so
// that a configuration has something to see: it progresses from sent on (zero:
// now). kind is
// the resource type; expected counts reports or results; callbackURL is where
// NXCLOUD pushes ("": that of the settings). What exists already is left as it
// is, and so is what the name says is missing; a pull policy needs nothing.
func (s *Server) Declare(kind, id string, expected int, callbackURL string, sent time.Time) error {
	if isMissing(id) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case "globfax_recipient":
		if s.things[id] == nil {
			s.add(s.things, id, sent)
		}
	case "itniotech_otp_order":
		if s.orders[id] == nil {
			s.add(s.orders, id, sent)
		}
	case "ucloud_usms_message":
		if !s.ucloud.sends[id] {
			return s.addSend(Send{SessionNo: id, Count: expected, SentAt: sent})
		}
	case "nxcloud_number_check":
		if s.pushes.batches[id] == nil {
			return s.addBatch(Batch{BatchNo: id, Count: expected, Failures: -1, CallbackURL: callbackURL, SentAt: sent})
		}
	case "ucloud_usms_report_pull":
	default:
		return fmt.Errorf("the sandbox has no vendor for the resource type %q", kind)
	}
	return nil
}
