package sandbox

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// usmsAnswer is the answer to PullUSMSReport. Errors come with HTTP 200 and
// without ReqUuid and ReportSet.
type usmsAnswer struct {
	RetCode   int               `json:"RetCode"`
	Action    string            `json:"Action"`
	Message   string            `json:"Message"`
	ReqUUID   string            `json:"ReqUuid,omitempty"`
	ReportSet []json.RawMessage `json:"ReportSet,omitzero"`
}

// The limits of the page.
const (
	defaultLimit = 100
	maxLimit     = 200
)

// serveUCloud is Action=PullUSMSReport as a POST form or a GET query. What a
// page returns is deleted before it is sent.
func (s *Server) serveUCloud(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil || r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.ucloud.settle(s.now())
	f := s.struckBy(r, UCloud, func(f *Fault) bool { return f.Kind != Odd || len(s.ucloud.waiting) > 0 })
	switch {
	case f.resets(true):
		s.mu.Unlock()
		s.deliver(w, r, f, answer{})
		return
	case f.is(Refuse):
		code, _ := strconv.Atoi(f.Code) // AddFault has judged it
		s.mu.Unlock()
		s.deliver(w, r, f, usmsError(code, "the service answers so because a fault was switched on"))
		return
	}
	a, at := answer{}, -1
	if !f.spoils() {
		a, at = s.pull(r.Form, f)
	}
	if trouble, ok := f.trouble([]byte("Internal Server Error")); ok {
		a = trouble
		if at >= 0 {
			s.ucloud.pulls[at].Status = a.status
		}
	}
	s.mu.Unlock()
	if !s.deliver(w, r, f, a) || at < 0 {
		return
	}
	s.mu.Lock()
	s.ucloud.pulls[at].Whole = !f.is(RateLimit) && !f.is(ServerError) && !f.is(HTML)
	s.mu.Unlock()
}

// pull judges a request and takes its page out of the queue; at is the index of
// its entry in the account, -1 when it was refused. s.mu is held.
func (s *Server) pull(form url.Values, f *Fault) (a answer, at int) {
	refuse := func(result string, code int, message string) (answer, int) {
		s.count(UCloud, result)
		return usmsError(code, message), -1
	}
	switch action := form.Get("Action"); {
	case action == "":
		return refuse("wrong action", 160, "Missing Action")
	case action != "PullUSMSReport":
		return refuse("wrong action", 161, "Action Not Found")
	}
	switch {
	case form.Get("Signature") == "":
		return refuse("unauthorized", 170, "Missing Signature")
	case !same(form.Get("PublicKey"), s.creds.UCloudPublicKey):
		return refuse("unauthorized", 172, "User Not Found By PublicKey")
	case !same(form.Get("Signature"), usmsSignature(form, s.creds.UCloudPrivateKey)):
		return refuse("unauthorized", 171, "Signature VerifyAC Error")
	}
	limit := defaultLimit
	if text := form.Get("Limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return refuse("invalid", 18000, "Params [Limit] not available: 1 to 200")
		}
		limit = n
	}
	project := orElse(form.Get("ProjectId"), s.creds.UCloudProjectID)
	now := s.now()
	s.ucloud.seq++
	id := uuid(rand.New(rand.NewPCG(s.opts.Seed, uint64(s.ucloud.seq))))
	page := s.ucloud.take(project, limit)
	s.count(UCloud, "ok")
	p := Pull{At: now, ReqUUID: id, Project: project, Limit: limit, Returned: len(page), Status: http.StatusOK}
	if f != nil {
		p.Fault = f.Kind
	}
	oddAt := -1
	if f.is(Odd) && len(page) > 0 {
		oddAt = f.Variant * 7 % len(page)
	}
	set := make([]json.RawMessage, 0, len(page))
	for i, report := range page {
		raw := encode(report.usmsReport)
		d := Deletion{SessionNo: report.SessionNo, Phone: report.Phone, At: now, ReqUUID: id, Odd: i == oddAt}
		if i == oddAt {
			raw = oddReport(report.usmsReport, f.Variant)
		}
		d.Report = raw
		set = append(set, raw)
		s.ucloud.deleted = append(s.ucloud.deleted, d)
	}
	s.ucloud.pulls = append(s.ucloud.pulls, p)
	body := encode(usmsAnswer{Action: "PullUSMSReportResponse", Message: "pull success", ReqUUID: id, ReportSet: set})
	return answer{status: http.StatusOK, body: body}, len(s.ucloud.pulls) - 1
}

func usmsError(code int, message string) answer {
	return answer{status: http.StatusOK, body: encode(usmsAnswer{RetCode: code, Action: "PullUSMSReportResponse", Message: message})}
}

// usmsSignature is the vendor's signature of a request: keys in byte order, each
// with its raw value, then the private key, through SHA-1.
func usmsSignature(form url.Values, privateKey string) string {
	keys := make([]string, 0, len(form))
	for k := range form {
		if k != "Signature" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		b.WriteString(k)
		b.WriteString(form.Get(k))
	}
	b.WriteString(privateKey)
	sum := sha1.Sum([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// oddReport is a report that does not fit its page.
func oddReport(r usmsReport, variant int) json.RawMessage {
	var m map[string]any
	if err := json.Unmarshal(encode(r), &m); err != nil {
		panic("sandbox: " + err.Error())
	}
	m["ReceiptTime"] = r.ReceiptTime
	switch variant % 6 {
	case 0:
		return json.RawMessage(`"report"`)
	case 1:
		m["ReceiptTime"] = "yesterday"
	case 2:
		delete(m, "SessionNo")
	case 3:
		m["Phone"] = map[string]any{"number": r.Phone}
	case 4:
		m["ReceiptResult"] = 0
	default:
		return json.RawMessage("null")
	}
	return encode(m)
}

// uuid draws an identifier.
func uuid(d *rand.Rand) string {
	hi, lo := d.Uint64(), d.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xfff, lo>>48&0x3fff|0x8000, lo&(1<<48-1))
}
