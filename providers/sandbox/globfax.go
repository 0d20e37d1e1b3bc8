package sandbox

import (
	"crypto/subtle"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// fax is one recipient as GlobFax's page shows it, in its order.
type fax struct {
	Ref           string       `json:"rcpt_ref"`
	PhoneNumber   string       `json:"phone_number"`
	UnitPrice     json.Number  `json:"unit_price"`
	PageCount     *int         `json:"page_count"`
	ChargedAmount *json.Number `json:"charged_amount"`
	Status        string       `json:"status"`
	FailedCode    *string      `json:"failed_code"`
	FailedReason  *string      `json:"failed_reason"`
	CompletedAt   *string      `json:"completed_at"`
	CreatedAt     string       `json:"created_at"`
}

type faxFound struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

type faxRefused struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	Errors  any    `json:"errors"`
}

const faxPath = "/globfax/api/v2/fax/recipients/"

// serveGlobFax is GET /api/v2/fax/recipients/{rcpt_ref}. The page documents
// neither HTTP statuses of errors nor the answer to a wrong key: those here are
// the usual ones of the framework whose shape the validation error has.
func (s *Server) serveGlobFax(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.struckBy(r, GlobFax, nil)
	if f.resets(true) {
		s.mu.Unlock()
		s.deliver(w, r, f, answer{})
		return
	}
	if a, ok := f.trouble(encode(faxRefused{Message: "Failed to fetch recipient", Errors: "SQLSTATE[HY000] [2002] Connection refused"})); ok {
		if f.Acted {
			s.fax(r, nil)
		}
		s.mu.Unlock()
		s.deliver(w, r, f, a)
		return
	}
	a, t, final := s.fax(r, f)
	s.mu.Unlock()
	if !s.deliver(w, r, f, a) || !final {
		return
	}
	s.mu.Lock()
	t.reads.final(s.now())
	s.mu.Unlock()
}

// fax makes the answer, the thing that was read and whether this is the last
// word on it; s.mu is held.
func (s *Server) fax(r *http.Request, f *Fault) (answer, *thing, bool) {
	refuse := func(status int, result, message string, errors any) (answer, *thing, bool) {
		s.count(GlobFax, result)
		return answer{status: status, body: encode(faxRefused{Message: message, Errors: errors})}, nil, false
	}
	key, secret := r.Header.Get("X-API-Key"), r.Header.Get("X-API-Secret")
	if !same(key, s.creds.GlobFaxKey) || !same(secret, s.creds.GlobFaxSecret) {
		return refuse(http.StatusUnauthorized, "unauthorized", "Invalid API key or secret", "")
	}
	ref, ok := strings.CutPrefix(r.URL.Path, faxPath)
	if !ok {
		return refuse(http.StatusNotFound, "wrong path", "Not Found", "")
	}
	if r.Method != http.MethodGet {
		a, t, final := refuse(http.StatusMethodNotAllowed, "wrong method", "Method Not Allowed", "")
		a.header = map[string]string{"Allow": http.MethodGet}
		return a, t, final
	}
	if !refPattern.MatchString(ref) {
		return refuse(http.StatusUnprocessableEntity, "invalid", "Invalid rcpt_ref format",
			map[string][]string{"uid": {"The uid format is invalid."}})
	}
	t := s.find(s.things, ref)
	if t == nil {
		return refuse(http.StatusNotFound, "not found", "Recipient not found", "")
	}
	now := s.now()
	t.reads.read(now, s.opts.ReadsKept)
	s.count(GlobFax, "ok")
	var data any
	final := false
	if t.recipient != nil && t.recipient.Data != nil {
		data = t.recipient.Data
	} else {
		record := s.faxAt(ref, t, now)
		final = record.Status == "success" || record.Status == "failed"
		data = record
		if f.is(WrongID) {
			record.Ref = "rcpt_of_another"
			data, final = record, false
		}
		if f.is(Odd) {
			data, final = oddFax(record, f.Variant), false
		}
	}
	return answer{status: http.StatusOK, body: encode(faxFound{true, "Recipient details retrieved", data})}, t, final
}

// find is the thing of that identity; where AutoCreate says so it comes into
// being now. s.mu is held.
func (s *Server) find(in map[string]*thing, id string) *thing {
	if t := in[id]; t != nil || !s.settings.AutoCreate || isMissing(id) {
		return t
	}
	return s.add(in, strings.Clone(id), time.Time{})
}

// faxAt is what the vendor knows of a recipient at a time. The names of the
// statuses before the end are not documented.
func (s *Server) faxAt(ref string, t *thing, now time.Time) fax {
	var said Recipient
	if t.recipient != nil {
		said = *t.recipient
	}
	d := s.dice(GlobFax, ref)
	takes := s.settleAfter(d, said.SettleAfter)
	phone := "86138" + digits(d, 8)
	price := json.Number(pick(d, "0.5", "0.5", "0.3", "0.1"))
	pages := 1 + d.IntN(6)
	failed := d.IntN(8) == 0 || isFailing(ref)

	if said.UnitPrice != "" {
		price = said.UnitPrice
	}
	if said.PageCount != 0 {
		pages = said.PageCount
	}
	charged := times(price, pages)
	if said.ChargedAmount != "" {
		charged = said.ChargedAmount
	}
	sent := time.Unix(0, t.sent)
	record := fax{Ref: ref, PhoneNumber: orElse(said.PhoneNumber, phone), UnitPrice: price, Status: "queued", CreatedAt: faxTime(sent)}
	status := said.Status
	if status == "" {
		switch {
		case isNever(ref):
			status = "sending"
		case failed:
			status = "failed"
		default:
			status = "success"
		}
	}
	if since := now.Sub(sent); since < takes {
		if since >= takes/3 {
			record.Status = "sending"
		}
		return record
	}
	record.Status = status
	if status != "success" && status != "failed" {
		return record
	}
	completed := sent.Add(takes)
	if !said.CompletedAt.IsZero() {
		completed = said.CompletedAt
	}
	record.PageCount, record.ChargedAmount, record.CompletedAt = &pages, &charged, new(faxTime(completed))
	if status == "failed" {
		// BUSY is the one code that the page names.
		code, reason := orElse(said.FailedCode, "BUSY"), said.FailedReason
		if reason == "" && code == "BUSY" {
			reason = "Recipient line is busy"
		}
		record.FailedCode, record.FailedReason = &code, &reason
	}
	return record
}

// oddFax is a record that does not fit its page.
func oddFax(record fax, variant int) any {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(string(encode(record))))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		panic("sandbox: " + err.Error())
	}
	switch variant % 5 {
	case 0:
		m["status"] = 7
	case 1:
		m["charged_amount"] = "n/a"
	case 2:
		m["completed_at"] = "22/02/2025"
	case 3:
		delete(m, "status")
	default:
		return []any{m}
	}
	return m
}

// faxTime is a time as GlobFax writes it: Y-m-d H:i:s, of its own clock.
func faxTime(t time.Time) string { return t.In(vendorZone).Format(time.DateTime) }

// times is price times pages, exactly, written as the page writes amounts.
func times(price json.Number, pages int) json.Number {
	var p, product apd.Decimal
	if _, _, err := p.SetString(string(price)); err != nil {
		return price // AddRecipient takes JSON numbers only
	}
	if _, err := apd.BaseContext.WithPrecision(60).Mul(&product, &p, apd.New(int64(pages), 0)); err != nil {
		return price
	}
	product.Reduce(&product)
	return json.Number(product.Text('f'))
}

// digits draws n digits.
func digits(d *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + d.IntN(10))
	}
	return string(b)
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
