package sandbox

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBatch is how many numbers one submission may hold.
const maxBatch = 5000

// checkResult is a callback's body in the order of the page's examples.
type checkResult struct {
	Message   string    `json:"message"`
	Code      int       `json:"code"`
	BatchNo   string    `json:"batchNo"`
	RequestID string    `json:"requestId"`
	Phone     string    `json:"phone"`
	Data      any       `json:"data"`
	Cost      checkCost `json:"cost"`
}

// checkFailure is the body of a failure: the same fields in its example's order.
type checkFailure struct {
	RequestID string    `json:"requestId"`
	Code      int       `json:"code"`
	Message   string    `json:"message"`
	BatchNo   string    `json:"batchNo"`
	Phone     string    `json:"phone"`
	Data      any       `json:"data"`
	Cost      checkCost `json:"cost"`
}

type checkCost struct {
	Price    json.Number `json:"price"`
	Currency string      `json:"currency"`
}

type checkBasic struct {
	NumberType string `json:"numberType"`
	Operator   string `json:"operator"`
	Country    string `json:"country"`
}

type checkHLR struct {
	NumberType string `json:"numberType"`
	Operator   string `json:"operator"`
	MCC        string `json:"mcc"`
	MNC        string `json:"mnc"`
	Ported     string `json:"ported"`
	Active     string `json:"active"`
	Country    string `json:"country"`
}

// checkErrors is the page's table of failures.
func checkErrors() map[int]string {
	return map[int]string{
		-1: "Failure", 261: "vendorRouter obtain fail", 262: "vendorAppInfo obtain fail", 263: "vendor api_class missed",
		264: "vendor quotation missed", 265: "vendor new_code missed", 266: "subBalance failed", 267: "dr data failed", 268: "bizApiDetect failed",
	}
}

// batch is one submission.
type batch struct {
	Batch
	session string // first part of each requestId
	hlr     bool
	message string // of code 0: the example and the table differ
}

// AddBatch lets NXCLOUD check a batch of numbers and push one result for each.
// A batch number can be used once.
func (s *Server) AddBatch(b Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := max(len(b.Phones), b.Count); n > maxBatch {
		return fmt.Errorf("batch %q has %d numbers: one submission holds at most %d", b.BatchNo, n, maxBatch)
	}
	return s.addBatch(b)
}

// addBatch is AddBatch without the limit, which a declaration may exceed; s.mu is held.
func (s *Server) addBatch(spec Batch) error {
	switch {
	case spec.BatchNo == "" || len(spec.BatchNo) > 64:
		return fmt.Errorf("batch_no %q: write 1 to 64 characters", spec.BatchNo)
	case s.pushes.batches[spec.BatchNo] != nil:
		return fmt.Errorf("batch %q exists already", spec.BatchNo)
	case spec.Count < 0:
		return fmt.Errorf("count is %d: write a number from 0", spec.Count)
	case spec.FailureCode != 0 && checkErrors()[spec.FailureCode] == "":
		return fmt.Errorf("failure_code %d is not in the page's table", spec.FailureCode)
	}
	if err := jsonNumber("price", spec.Price); err != nil {
		return err
	}
	if err := callbackURL(spec.CallbackURL); err != nil {
		return err
	}
	d := s.dice(NXCloud, spec.BatchNo)
	b := &batch{Batch: spec, session: strings.ReplaceAll(uuid(d), "-", ""), hlr: d.IntN(2) == 0, message: pick(d, "请求成功", "Success")}
	if spec.HLR != nil {
		b.hlr = *spec.HLR
	}
	b.Count = len(spec.Phones)
	if b.Count == 0 {
		b.Count = max(spec.Count, 1)
	}
	b.SentAt = spec.SentAt
	if b.SentAt.IsZero() {
		b.SentAt = s.now()
	}
	s.pushes.batches[spec.BatchNo] = b
	if isNever(spec.BatchNo) {
		return nil
	}
	for i := range b.Count {
		s.pushes.add(&push{batch: b, index: i, due: b.SentAt.Add(s.settleAfter(d, spec.SettleAfter))})
	}
	s.poke()
	return nil
}

// callbackURL judges a URL to push to; "" passes.
func callbackURL(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The URL carries a secret: it is not repeated.
		return fmt.Errorf("callback_url is not an http or https URL with a host")
	}
	return nil
}

// requestID names one number's result.
func (b *batch) requestID(index int) string { return fmt.Sprintf("%s-%06d", b.session, index+1) }

// body is one number's result, the same bytes each time.
func (s *Server) body(b *batch, index int, conflict bool, odd int) []byte {
	d := s.dice(NXCloud, b.BatchNo+"/"+strconv.Itoa(index))
	cost := checkCost{Price: pick(d, json.Number("0.002"), "0.002", "0.0031", "0.0125"), Currency: orElse(b.Currency, "CNY")}
	if b.Price != "" {
		cost.Price = b.Price
	}
	failed := index < b.Failures
	if derived := fails(d, b.BatchNo, index); b.Failures < 0 || b.Failures == 0 && (isFailing(b.BatchNo) || isPartial(b.BatchNo)) {
		failed = derived
	}
	table := checkErrors()
	codes := make([]int, 0, len(table))
	for code := range table {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	code := codes[d.IntN(len(codes))]
	if b.FailureCode != 0 {
		code = b.FailureCode
	}
	operator := pick(d, "china mobile", "china union", "china telecom")
	if conflict {
		// Of a result that was told already: what was good has failed, what had
		// failed is good.
		failed = !failed
	}
	phone := s.checkedPhone(b, index, d)
	id := b.requestID(index)
	if odd > 0 {
		return oddCheck(b.BatchNo, id, odd)
	}
	if failed {
		return encode(checkFailure{RequestID: id, Code: code, Message: table[code], BatchNo: b.BatchNo, Phone: phone, Cost: cost})
	}
	var data any = checkBasic{NumberType: "mobile", Operator: operator, Country: "CN"}
	if b.hlr {
		data = checkHLR{NumberType: "mobile", Operator: operator, MCC: "460", MNC: pick(d, "00", "01", "10"),
			Ported: pick(d, "YES", "NO", "UNKNOWN"), Active: pick(d, "YES", "YES", "NO", "UNKNOWN"), Country: "CN"}
	}
	return encode(checkResult{Message: b.message, BatchNo: b.BatchNo, RequestID: id, Phone: phone, Data: data, Cost: cost})
}

// checkedPhone is the number of a result; those that are made up come masked, as
// in the page's examples.
func (s *Server) checkedPhone(b *batch, index int, d *rand.Rand) string {
	made := "86138" + digits(d, 4) + "xxxx"
	if index < len(b.Phones) {
		return b.Phones[index]
	}
	return made
}

// oddCheck is a body that does not fit its page.
func oddCheck(batchNo, requestID string, variant int) []byte {
	switch variant % 6 {
	case 0:
		return []byte("result=ok&batchNo=" + batchNo)
	case 1:
		return encode(map[string]any{"batchNo": batchNo, "code": 0, "message": "Success"})
	case 2:
		return encode([]string{requestID})
	case 3:
		return encode(map[string]any{"requestId": requestID, "batchNo": batchNo, "code": "many", "data": "none", "cost": 1})
	case 4:
		return encode(map[string]any{"requestId": requestID, "code": 0, "batchNo": 7, "data": nil})
	}
	return []byte(`{"requestId":"` + requestID + `","batchNo":"` + batchNo + `","code":0,`)
}

// push is one callback that is to be delivered.
type push struct {
	batch    *batch
	index    int
	due      time.Time
	seq      int
	first    time.Time // of the first attempt; zero before
	attempts int
	kind     PushKind
	odd      int // malformed in this way; 0: as the page says
	// again and differ say which callbacks follow when it is accepted.
	again, differ bool
}

// pushQueue is what NXCLOUD has to tell, and the account of what it has told.
type pushQueue struct {
	batches  map[string]*batch
	due      pushHeap
	held     []*push // no URL to push to yet
	seq      int
	underWay int

	created  int64
	attempts int64
	accepted []Callback
	dropped  []Callback
}

// add queues a callback.
func (q *pushQueue) add(p *push) {
	q.created++
	q.requeue(p)
}

func (q *pushQueue) requeue(p *push) {
	q.seq++
	p.seq = q.seq
	heap.Push(&q.due, p)
}

// pushHeap orders callbacks by when they are due.
type pushHeap []*push

func (h pushHeap) Len() int { return len(h) }
func (h pushHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}
func (h pushHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *pushHeap) Push(x any)   { *h = append(*h, x.(*push)) }
func (h *pushHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
