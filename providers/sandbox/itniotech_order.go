package sandbox

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"time"
)

// otpRecord is the data of an order, as the page's example shows it.
type otpRecord struct {
	OrderID       string           `json:"orderId"`
	FlowID        int              `json:"flowId"`
	Verifications otpVerifications `json:"verifications"`
	SMS           []otpSMS         `json:"sms,omitempty"`
	Call          []otpCall        `json:"call,omitempty"`
	SNA           []otpSNA         `json:"sna,omitempty"`
}

type otpVerifications struct {
	Matched      int     `json:"matched"`
	VerifiedDate *string `json:"verifiedDate"`
	OriReceiver  string  `json:"oriReceiver"`
	Channel      string  `json:"channel"`
	OrderID      string  `json:"orderId"`
}

// otpSettle is what every list's entries end with. The table says
// settleCurrency, the example currency.
type otpSettle struct {
	SettlePay      string `json:"settlePay"`
	SettlePrice    string `json:"settlePrice"`
	Currency       string `json:"currency,omitempty"`
	SettleCurrency string `json:"settleCurrency,omitempty"`
	QuoteExchange  string `json:"quoteExchange"`
}

type otpSMS struct {
	SubmitTm  string  `json:"submitTm"`
	SendTm    *string `json:"sendTm"`
	DoneTm    *string `json:"doneTm"`
	MCC       int     `json:"mcc"`
	MNC       int     `json:"mnc"`
	Sender    string  `json:"sender"`
	ChargeCnt int     `json:"chargeCnt"`
	Pay       string  `json:"pay"`
	Status    int     `json:"status"`
	Reason    string  `json:"reason"`
	otpSettle
}

type otpCall struct {
	TerminationCode   *int    `json:"terminationCode"`
	TerminationReason *string `json:"terminationReason"`
	SubmitTime        string  `json:"submitTime"`
	CallTime          *string `json:"callTime"`
	RingingTime       *string `json:"ringingTime"`
	AnswerTime        *string `json:"answerTime"`
	HangupTime        *string `json:"hangupTime"`
	CallDuration      int     `json:"callDuration"`
	ChargedDuration   int     `json:"chargedDuration"`
	DisplayNum        *string `json:"displayNum"`
	BillPeriodString  string  `json:"billPeriodstring,omitempty"`
	BillPeriod        string  `json:"billPeriod,omitempty"`
	Code              string  `json:"code"`
	Rate              string  `json:"rate"`
	Cost              string  `json:"cost"`
	otpSettle
}

type otpSNA struct {
	PostVerificationTime string  `json:"postVerificationTime"`
	VerificationBackTime *string `json:"verificationBackTime"`
	MCC                  int     `json:"mcc"`
	MNC                  int     `json:"mnc"`
	Status               int     `json:"status"`
	Reason               string  `json:"reason"`
	otpSettle
}

// otpNonexistent is one of the answers for an orderId that is not known.
func otpNonexistent(id string) otpRecord {
	return otpRecord{OrderID: id, Verifications: otpVerifications{Matched: 3, Channel: "sms", OrderID: id}}
}

// otpAt is what the vendor knows of an order at a time: being sent (matched 1)
// for the first third, then delivered and not checked (-1), at last checked.
func (s *Server) otpAt(id string, t *thing, now time.Time) otpRecord {
	var said Order
	if t.order != nil {
		said = *t.order
	}
	d := s.dice(Itniotech, id)
	takes := s.settleAfter(d, said.SettleAfter)
	flow := 1 + d.IntN(1<<20)
	receiver := "9185632" + digits(d, 4)
	channel := orElse(said.Channel, pick(d, "sms", "sms", "sms", "call", "sna"))
	outcome := pick(d, "verified", "verified", "verified", "verified", "verified", "verified", "wrong_code", "undelivered")
	switch {
	case isNever(id):
		outcome = "never"
	case isFailing(id):
		outcome = "wrong_code"
	}
	outcome = orElse(said.Outcome, outcome)
	fallback := d.IntN(2) == 0
	if said.Fallback != nil {
		fallback = *said.Fallback
	}
	field := orElse(said.CurrencyField, pick(d, "currency", "settleCurrency"))

	record := otpRecord{OrderID: id, FlowID: flow, Verifications: otpVerifications{Matched: 1, OriReceiver: receiver, Channel: channel, OrderID: id}}
	if outcome == "nonexistent" {
		return otpNonexistent(id)
	}
	sent := time.Unix(0, t.sent)
	since := now.Sub(sent)
	delivered := since >= takes/3
	reached := outcome != "undelivered"
	if delivered && reached {
		record.Verifications.Matched = -1
	}
	if since >= takes {
		switch outcome {
		case "verified":
			record.Verifications.Matched = 0
		case "wrong_code":
			record.Verifications.Matched = 2
		}
		if m := record.Verifications.Matched; m == 0 || m == 2 {
			record.Verifications.VerifiedDate = new(iso(sent.Add(takes)))
		}
	}
	step := attempt{dice: d, sent: sent, done: sent.Add(takes / 3), over: delivered, ok: reached, currency: field}
	switch channel {
	case "sms":
		record.SMS = []otpSMS{step.sms()}
	case "call":
		if fallback {
			record.SMS = []otpSMS{step.sms()}
		}
		record.Call = []otpCall{step.call()}
	case "sna":
		record.SNA = []otpSNA{step.sna()}
	}
	return record
}

// attempt is one try on one channel.
type attempt struct {
	dice       *rand.Rand
	sent, done time.Time
	over       bool // it has come to its end
	ok         bool // and a good one
	currency   string
}

// at is a moment between sending and the end; nil while the end is to come.
func (a *attempt) at(seconds int) *string {
	t := a.sent.Add(time.Duration(seconds) * time.Second)
	if t.After(a.done) {
		t = a.done
	}
	return new(iso(t))
}

func (a *attempt) end() *string {
	if !a.over {
		return nil
	}
	return new(iso(a.done))
}

// settle draws amounts: decimal strings that do not add up, as in the example.
func (a *attempt) settle() otpSettle {
	v := otpSettle{SettlePay: "0.0" + digits(a.dice, 3) + "8", SettlePrice: "0.01", QuoteExchange: "0.938"}
	if a.currency == "currency" {
		v.Currency = "EUR"
	} else {
		v.SettleCurrency = "EUR"
	}
	return v
}

// status is -1 under way, 0 good, 1 failed, with its reason.
func (a *attempt) status() (int, string) {
	switch {
	case !a.over:
		return -1, ""
	case a.ok:
		return 0, "successR"
	}
	return 1, "Unreachable"
}

func (a *attempt) sms() otpSMS {
	status, reason := a.status()
	return otpSMS{SubmitTm: iso(a.sent), SendTm: a.at(0), DoneTm: a.end(), MCC: 460, MNC: pick(a.dice, 0, 1, 10), ChargeCnt: 1,
		Pay: "0.00000" + digits(a.dice, 1), Status: status, Reason: reason, otpSettle: a.settle()}
}

func (a *attempt) call() otpCall {
	c := otpCall{SubmitTime: iso(a.sent), Code: "661", Rate: "0.138", Cost: "0", otpSettle: a.settle()}
	if a.dice.IntN(2) == 0 {
		c.BillPeriodString = "20+20"
	} else {
		c.BillPeriod = "20+20"
	}
	if a.dice.IntN(2) == 0 {
		c.DisplayNum = new("44" + digits(a.dice, 8))
	}
	if !a.over {
		return c
	}
	c.CallTime, c.RingingTime, c.AnswerTime, c.HangupTime = a.at(1), a.at(1), a.at(2), a.end()
	if a.ok {
		c.TerminationCode, c.TerminationReason = new(0), new("Success")
		c.CallDuration, c.ChargedDuration, c.Cost = 12, 20, "0.046"
	} else {
		c.TerminationCode, c.TerminationReason = new(100005), new("Temporarily Unavailable")
	}
	return c
}

func (a *attempt) sna() otpSNA {
	status, reason := a.status()
	return otpSNA{PostVerificationTime: iso(a.sent), VerificationBackTime: a.end(), MCC: 460, MNC: 1, Status: status, Reason: reason, otpSettle: a.settle()}
}

// oddOTP is a record in another form: the first ones are those that siblings of
// the API are known to send, the last ones fit nothing.
func oddOTP(record otpRecord, variant int) any {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(encode(record))))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		panic("sandbox: " + err.Error())
	}
	verifications, _ := m["verifications"].(map[string]any)
	switch variant % 5 {
	case 0: // a list with one entry as the entry itself
		for _, k := range []string{"sms", "call", "sna"} {
			if list, ok := m[k].([]any); ok {
				m[k] = list[0]
			}
		}
	case 1: // numbers as text
		verifications["matched"] = string(verifications["matched"].(json.Number))
	case 2:
		verifications["matched"] = "soon"
	case 3:
		m["verifications"] = []any{}
	default:
		m["sms"] = "none"
	}
	return m
}
