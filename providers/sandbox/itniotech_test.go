package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestItniotechVector is the page's own Sign.
func TestItniotechVector(t *testing.T) {
	at := time.Unix(1630468800, 0)
	s := New(Options{Now: func() time.Time { return at }, AutoCreate: true,
		Credentials: Credentials{ItniotechKey: "bDqJFiq9", ItniotechSecret: "7bz1lzh9"}})
	r, err := http.NewRequest(http.MethodPost, s.Endpoints().Itniotech+"/verification/orderId/record", strings.NewReader(`{"appId":"ad454212","orderId":"1234566"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Sign": {"05d7a50893e22a5c4bb3216ae3396c7c"}, "Timestamp": {"1630468800"}, "Api-Key": {"bDqJFiq9"}}
	f := &fixture{Server: s, t: t, client: &http.Client{Transport: s.Transport()}}
	if got := f.do(r); !strings.HasPrefix(string(got.body), `{"status":"0","reason":"success","data":{"orderId":"1234566",`) {
		t.Errorf("%d %s %v", got.status, got.body, got.err)
	}
}

func TestItniotechHasTheExamplesShape(t *testing.T) {
	f := newFixture(t, Options{})
	wants := shape(t, []byte(golden(t, "itniotech_call.json")))
	// What the example shows as null, or the vendor spells in two ways, may be either.
	blur := func(s string) string {
		s = strings.ReplaceAll(s, "displayNum:null", "displayNum:string")
		return strings.ReplaceAll(s, "billPeriod:", "billPeriodstring:")
	}
	if err := f.AddOrder(Order{ID: "1234566", Channel: "call", Outcome: "verified", Fallback: new(true), CurrencyField: "currency"}); err != nil {
		t.Fatal(err)
	}
	f.clock.add(time.Minute)
	got := f.order("1234566")
	if blur(shape(t, got.body)) != blur(wants) {
		t.Errorf("got  %s\nwant %s", shape(t, got.body), wants)
	}
	if !strings.Contains(string(got.body), `"verifiedDate":"2025-02-22T10:00:`) || !strings.Contains(string(got.body), `+08:00"`) {
		t.Errorf("times: %s", got.body)
	}
	// The table's spelling, in another order.
	if err := f.AddOrder(Order{ID: "table", Channel: "call", Fallback: new(false), CurrencyField: "settleCurrency"}); err != nil {
		t.Fatal(err)
	}
	body := string(f.order("table").body)
	if !strings.Contains(body, `"settleCurrency":"EUR"`) || strings.Contains(body, `"currency"`) || strings.Contains(body, `"sms"`) {
		t.Errorf("table's spelling: %s", body)
	}
}

func TestItniotechProgress(t *testing.T) {
	type record struct {
		Data struct {
			Verifications struct {
				Matched      int
				VerifiedDate *string
			}
			SMS  []struct{ Status int }
			Call []struct{ TerminationCode *int }
			SNA  []struct{ Status int }
		}
	}
	code := func(c int) *int { return &c }
	for _, c := range []struct {
		channel, outcome string
		matched          [3]int
		delivery         [3]*int // sms.status, call.terminationCode or sna.status
		verified         bool
	}{
		{"sms", "verified", [3]int{1, -1, 0}, [3]*int{code(-1), code(0), code(0)}, true},
		{"sms", "wrong_code", [3]int{1, -1, 2}, [3]*int{code(-1), code(0), code(0)}, true},
		{"sms", "never", [3]int{1, -1, -1}, [3]*int{code(-1), code(0), code(0)}, false},
		{"sms", "undelivered", [3]int{1, 1, 1}, [3]*int{code(-1), code(1), code(1)}, false},
		{"call", "verified", [3]int{1, -1, 0}, [3]*int{nil, code(0), code(0)}, true},
		{"call", "undelivered", [3]int{1, 1, 1}, [3]*int{nil, code(100005), code(100005)}, false},
		{"sna", "verified", [3]int{1, -1, 0}, [3]*int{code(-1), code(0), code(0)}, true},
	} {
		t.Run(c.channel+" "+c.outcome, func(t *testing.T) {
			f := newFixture(t, Options{})
			if err := f.AddOrder(Order{ID: "o", Channel: c.channel, Outcome: c.outcome, SettleAfter: Duration(30 * time.Second), Fallback: new(false)}); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				got := decode[record](t, f.order("o")).Data
				var delivery *int
				switch {
				case len(got.SMS) == 1:
					delivery = &got.SMS[0].Status
				case len(got.Call) == 1:
					delivery = got.Call[0].TerminationCode
				case len(got.SNA) == 1:
					delivery = &got.SNA[0].Status
				}
				if got.Verifications.Matched != c.matched[i] || (delivery == nil) != (c.delivery[i] == nil) || delivery != nil && *delivery != *c.delivery[i] {
					t.Errorf("step %d: %+v", i, got)
				}
				if (got.Verifications.VerifiedDate != nil) != (c.verified && i == 2) {
					t.Errorf("step %d: verifiedDate %v", i, got.Verifications.VerifiedDate)
				}
				f.clock.add(15 * time.Second)
			}
		})
	}
}

func TestItniotechRefuses(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	now := f.clock.Now()
	good := `{"orderId":"o"}`
	for name, c := range map[string]struct {
		body   string
		signed time.Time
		edit   func(http.Header)
		want   string
	}{
		"right":             {good, now, nil, "0"},
		"wrong sign":        {good, now, func(h http.Header) { h.Set("Sign", strings.Repeat("0", 32)) }, "-1"},
		"upper-case sign":   {good, now, func(h http.Header) { h.Set("Sign", strings.ToUpper(h.Get("Sign"))) }, "-1"},
		"wrong key":         {good, now, func(h http.Header) { h.Set("Api-Key", "x") }, "-1"},
		"nothing":           {good, now, func(h http.Header) { clear(h) }, "-1"},
		"other timestamp":   {good, now, func(h http.Header) { h.Set("Timestamp", strconv.FormatInt(now.Unix()+1, 10)) }, "-1"},
		"five minutes ago":  {good, now.Add(-5 * time.Minute), nil, "0"},
		"in five minutes":   {good, now.Add(5 * time.Minute), nil, "0"},
		"too old":           {good, now.Add(-5*time.Minute - time.Second), nil, "-16"},
		"too new":           {good, now.Add(5*time.Minute + time.Second), nil, "-16"},
		"no orderId":        {`{"appId":"a"}`, now, nil, "-22"},
		"empty orderId":     {`{"orderId":""}`, now, nil, "-22"},
		"orderId no string": {`{"orderId":7}`, now, nil, "-22"},
		"no JSON":           {`orderId=o`, now, nil, "-22"},
	} {
		r := f.otp(c.body, c.signed, c.edit)
		got := decode[struct {
			Status string
			Reason *string
		}](t, r)
		if r.status != 200 || got.Status != c.want || got.Reason == nil || *got.Reason == "" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	// A timestamp that is no number, though it is signed.
	sum := md5.Sum([]byte(DefaultCredentials.ItniotechKey + DefaultCredentials.ItniotechSecret + "now"))
	r := f.otp(good, now, func(h http.Header) { h.Set("Timestamp", "now"); h.Set("Sign", hex.EncodeToString(sum[:])) })
	r.wants(t, 200, `{"status":"-16","reason":"时间戳过期","data":null}`)
}

func TestItniotechUnknownOrder(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	f.order("missing").wants(t, 200, `{"status":"0","reason":"success","data":null}`)
	if err := f.Set(Settings{UnknownOrder: ParamError}); err != nil {
		t.Fatal(err)
	}
	f.order("missing").wants(t, 200, `{"status":"-22","reason":"参数异常","data":null}`)
	if err := f.Set(Settings{UnknownOrder: MatchedNo}); err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		Data struct{ Verifications struct{ Matched int } }
	}](t, f.order("missing"))
	if got.Data.Verifications.Matched != 3 {
		t.Errorf("%+v", got)
	}
	if err := f.Set(Settings{UnknownOrder: "shrug"}); err == nil {
		t.Error("an unknown answer was taken in")
	}
}

// TestItniotechVaries holds the derived orders to all the forms that the page
// and its example leave open, money as decimal strings among them.
func TestItniotechVaries(t *testing.T) {
	f := newFixture(t, Options{AutoCreate: true})
	decimal := regexp.MustCompile(`^\d+(\.\d+)?$`)
	ids := make([]string, 200)
	for i := range ids {
		ids[i] = "order-" + strconv.Itoa(i)
		f.order(ids[i])
	}
	f.clock.add(time.Minute)
	seen := make(map[string]int)
	for _, id := range ids {
		r := f.order(id)
		for _, word := range []string{`"currency"`, `"settleCurrency"`, `"billPeriodstring"`, `"billPeriod"`, `"displayNum":null`, `"displayNum":"`, `"sna":[`, `"matched":0`, `"matched":2`, `"matched":1`} {
			if strings.Contains(string(r.body), word) {
				seen[word]++
			}
		}
		got := decode[struct {
			Data struct{ SMS, Call, SNA []map[string]any }
		}](t, r).Data
		for _, entry := range append(append(got.SMS, got.Call...), got.SNA...) {
			for _, k := range []string{"settlePay", "settlePrice", "quoteExchange"} {
				if text, ok := entry[k].(string); !ok || !decimal.MatchString(text) {
					t.Fatalf("%s of %s is %v", k, id, entry[k])
				}
			}
		}
	}
	if len(seen) != 10 {
		t.Errorf("forms that occurred: %v", seen)
	}
}

func TestOrderMistakes(t *testing.T) {
	f := newFixture(t, Options{})
	for _, o := range []Order{{}, {ID: "o", Channel: "pigeon"}, {ID: "o", Outcome: "great"}, {ID: "o", CurrencyField: "money"}, {ID: "o", Data: json.RawMessage("x")}} {
		if err := f.AddOrder(o); err == nil {
			t.Errorf("taken in: %+v", o)
		}
	}
}
