package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
)

// timestampTolerance is how far the Timestamp header may be off. The page names
// the error (-16) and not the tolerance.
const timestampTolerance = 5 * time.Minute

const otpPath = "/itniotech/otp/verification/orderId/record"

// otpAnswer is itniotech's envelope. Errors come with HTTP 200.
type otpAnswer struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
	Data   any    `json:"data"`
}

// serveItniotech is POST /verification/orderId/record.
func (s *Server) serveItniotech(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	f := s.struckBy(r, Itniotech, nil)
	if f.resets(true) {
		s.mu.Unlock()
		s.deliver(w, r, f, answer{})
		return
	}
	if f.is(Refuse) {
		s.mu.Unlock()
		s.deliver(w, r, f, otpError(f.Code))
		return
	}
	if a, ok := f.trouble([]byte(`{"timestamp":1630468800000,"status":500,"error":"Internal Server Error"}`)); ok {
		if f.Acted {
			s.otp(r, body, nil)
		}
		s.mu.Unlock()
		s.deliver(w, r, f, a)
		return
	}
	a, t, final := s.otp(r, body, f)
	s.mu.Unlock()
	if !s.deliver(w, r, f, a) || !final {
		return
	}
	s.mu.Lock()
	t.reads.final(s.now())
	s.mu.Unlock()
}

// otp makes the answer, the thing that was read and whether it is the last word
// on it: matched 0. s.mu is held.
func (s *Server) otp(r *http.Request, body []byte, f *Fault) (answer, *thing, bool) {
	if r.URL.Path != otpPath || r.Method != http.MethodPost {
		s.count(Itniotech, "wrong path")
		return answer{status: http.StatusNotFound, body: []byte(`{"status":404,"error":"Not Found"}`)}, nil, false
	}
	refuse := func(result, status string) (answer, *thing, bool) {
		s.count(Itniotech, result)
		return otpError(status), nil, false
	}
	key, stamp := r.Header.Get("Api-Key"), r.Header.Get("Timestamp")
	sum := md5.Sum([]byte(s.creds.ItniotechKey + s.creds.ItniotechSecret + stamp))
	if !same(key, s.creds.ItniotechKey) || !same(r.Header.Get("Sign"), hex.EncodeToString(sum[:])) {
		return refuse("unauthorized", "-1")
	}
	clock := s.opts.Now()
	if f.is(Skew) {
		clock = clock.Add(time.Duration(f.Skew))
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || clock.Sub(time.Unix(seconds, 0)).Abs() > timestampTolerance {
		return refuse("expired", "-16")
	}
	var request struct {
		AppID   string `json:"appId"`
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal(body, &request); err != nil || request.OrderID == "" {
		return refuse("invalid", "-22")
	}
	id := request.OrderID
	t := s.find(s.orders, id)
	if t == nil {
		s.count(Itniotech, "not found")
		switch s.settings.UnknownOrder {
		case ParamError:
			return otpError("-22"), nil, false
		case MatchedNo:
			return otpFound(otpNonexistent(id)), nil, false
		}
		return otpFound(nil), nil, false
	}
	now := s.now()
	t.reads.read(now, s.opts.ReadsKept)
	s.count(Itniotech, "ok")
	if t.order != nil && t.order.Data != nil {
		return otpFound(t.order.Data), t, false
	}
	record := s.otpAt(id, t, now)
	final := record.Verifications.Matched == 0
	if f.is(WrongID) {
		record.OrderID, record.Verifications.OrderID = "order-of-another", "order-of-another"
		return otpFound(record), t, false
	}
	if f.is(Odd) {
		return otpFound(oddOTP(record, f.Variant)), t, false
	}
	return otpFound(record), t, final
}

func otpFound(data any) answer {
	return answer{status: http.StatusOK, kind: "application/json;charset=UTF-8", body: encode(otpAnswer{"0", "success", data})}
}

// otpError is an error answer with the page's words for its status.
func otpError(status string) answer {
	reason := map[string]string{
		"-1": "账号认证异常", "-2": "ip限制", "-15": "查询过于频繁", "-16": "时间戳过期", "-18": "系统异常", "-22": "参数异常",
	}[status]
	return answer{status: http.StatusOK, kind: "application/json;charset=UTF-8", body: encode(otpAnswer{status, orElse(reason, "系统异常"), nil})}
}
