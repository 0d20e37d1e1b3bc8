package sandbox

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// retention is how long UCloud keeps a report that nobody pulls.
const retention = 72 * time.Hour

// usmsReport is one report as the page shows it.
type usmsReport struct {
	SessionNo     string
	Phone         string
	CostCount     int
	ReceiptTime   int64 // Unix seconds
	ReceiptResult string
	ReceiptCode   string
	ReceiptDesc   string
	UserID        string `json:"UserId"`
}

// queuedReport is a report on its way to being pulled.
type queuedReport struct {
	usmsReport
	project string
	due     time.Time // when it becomes readable
	seq     int       // breaks ties, in the order of sending
}

// ucloudQueue is what UCloud holds: reports to come, reports that can be read,
// and the account of those that are gone.
type ucloudQueue struct {
	sends   map[string]bool
	coming  reportHeap
	waiting []queuedReport // in the order they became readable
	seq     int

	reported int64 // became readable, ever
	pulls    []Pull
	deleted  []Deletion
	expired  []Expiry
}

// reportHeap orders reports by when they become readable.
type reportHeap []queuedReport

func (h reportHeap) Len() int { return len(h) }
func (h reportHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].seq < h[j].seq
}
func (h reportHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *reportHeap) Push(x any)   { *h = append(*h, x.(queuedReport)) }
func (h *reportHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = queuedReport{}
	*h = old[:len(old)-1]
	return last
}

// settle makes readable what is due and drops what has been kept for 72 hours.
func (q *ucloudQueue) settle(now time.Time) {
	before := len(q.waiting)
	for len(q.coming) > 0 && !q.coming[0].due.After(now) {
		q.waiting = append(q.waiting, heap.Pop(&q.coming).(queuedReport))
		q.reported++
	}
	// A send of the past, added late, is older than what waits already.
	older := func(a, b queuedReport) int { return a.due.Compare(b.due) }
	if n := len(q.waiting); n > before && before > 0 && older(q.waiting[before-1], q.waiting[before]) > 0 {
		slices.SortStableFunc(q.waiting, older)
	}
	gone := 0
	for gone < len(q.waiting) && now.Sub(q.waiting[gone].due) >= retention {
		r := q.waiting[gone]
		q.expired = append(q.expired, Expiry{SessionNo: r.SessionNo, Phone: r.Phone, At: r.due.Add(retention), Report: encode(r.usmsReport)})
		gone++
	}
	if gone > 0 {
		q.waiting = q.waiting[gone:]
	}
}

// take deletes and returns the oldest reports of a project, at most limit.
func (q *ucloudQueue) take(project string, limit int) []queuedReport {
	var page, others []queuedReport
	i := 0
	for ; i < len(q.waiting) && len(page) < limit; i++ {
		if r := q.waiting[i]; r.project == "" || r.project == project {
			page = append(page, r)
		} else {
			others = append(others, r)
		}
	}
	q.waiting = q.waiting[i:]
	if len(others) > 0 {
		q.waiting = append(others, q.waiting...)
	}
	return page
}

// AddSend lets UCloud report on a send, one report for each phone. A session
// that has been sent already gets these reports as well.
func (s *Server) AddSend(v Send) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addSend(v)
}

// addSend is AddSend; s.mu is held.
func (s *Server) addSend(v Send) error {
	if v.SessionNo == "" {
		return fmt.Errorf("session_no is empty")
	}
	if v.Count < 0 || v.CostCount < 0 {
		return fmt.Errorf("count and cost_count are numbers from 0")
	}
	outcomes := []string{"success", "fail", "unknown", "none"}
	for _, o := range append(v.Outcomes[:len(v.Outcomes):len(v.Outcomes)], v.Then) {
		if err := oneOf("outcome", o, outcomes...); err != nil {
			return err
		}
	}
	d := s.dice(UCloud, v.SessionNo)
	english := d.IntN(2) == 0
	if v.English != nil {
		english = *v.English
	}
	phones := v.Phones
	if len(phones) == 0 {
		phones = madeUpPhones("1380000", max(v.Count, 1))
	}
	sent := v.SentAt
	if sent.IsZero() {
		sent = s.now()
	}
	s.ucloud.sends[v.SessionNo] = true
	for i, phone := range phones {
		takes := s.settleAfter(d, v.SettleAfter)
		outcome := "success"
		if fails(d, v.SessionNo, i) {
			outcome = "fail"
		}
		if isNever(v.SessionNo) {
			outcome = "none"
		}
		if i < len(v.Outcomes) && v.Outcomes[i] != "" {
			outcome = v.Outcomes[i]
		}
		r := usmsReport{SessionNo: v.SessionNo, Phone: phone, CostCount: max(v.CostCount, 1), UserID: v.UserID}
		due := sent.Add(takes)
		s.report(r, v.Project, outcome, english, due)
		if v.Twice {
			// The same report, told again: its ReceiptTime is the first one's.
			s.reportAt(r, v.Project, outcome, english, due, due.Add(time.Second))
		}
		if v.Then != "" {
			s.report(r, v.Project, v.Then, english, due.Add(time.Second))
		}
	}
	return nil
}

// report queues one report that is told as soon as it is known; s.mu is held.
func (s *Server) report(r usmsReport, project, outcome string, english bool, at time.Time) {
	s.reportAt(r, project, outcome, english, at, at)
}

func (s *Server) reportAt(r usmsReport, project, outcome string, english bool, receipt, due time.Time) {
	if outcome == "none" {
		return
	}
	words := map[string][4]string{
		"success": {"发送成功", "Success", "0", "用户接收成功"},
		"fail":    {"发送失败", "Fail", "MSBLACK", "手机在运营商防骚扰黑名单"},
		"unknown": {"状态未知", "Unknow", "", "运营商未上报状态报告"},
	}[outcome]
	r.ReceiptTime = receipt.Unix()
	r.ReceiptResult, r.ReceiptCode, r.ReceiptDesc = words[0], words[2], words[3]
	if english {
		r.ReceiptResult = words[1]
	}
	s.ucloud.seq++
	heap.Push(&s.ucloud.coming, queuedReport{usmsReport: r, project: project, due: due, seq: s.ucloud.seq})
}

// madeUpPhones are n different numbers.
func madeUpPhones(prefix string, n int) []string {
	width := len(fmt.Sprint(n - 1))
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%0*d", prefix, max(4, width), i)
	}
	return list
}

// Pull is one pull that UCloud answered with a page.
type Pull struct {
	At       time.Time `json:"at"`
	ReqUUID  string    `json:"req_uuid"`
	Project  string    `json:"project"`
	Limit    int       `json:"limit"`
	Returned int       `json:"returned"` // reports that were deleted for it
	Status   int       `json:"status"`   // HTTP
	// Whole says that the complete page was handed to the connection; it may
	// still not have arrived.
	Whole bool      `json:"whole"`
	Fault FaultKind `json:"fault,omitempty"`
}

// Deletion is one report that UCloud deleted because a pull returned it.
type Deletion struct {
	SessionNo string    `json:"session_no"`
	Phone     string    `json:"phone"`
	At        time.Time `json:"at"`
	ReqUUID   string    `json:"req_uuid"` // the pull
	// Odd says that it was returned malformed, so that what identifies it may not
	// stand in it.
	Odd bool `json:"odd,omitempty"`
	// Report is the object exactly as it stood in the page.
	Report json.RawMessage `json:"report"`
}

// Expiry is one report that UCloud deleted because nobody pulled it for 72 h.
type Expiry struct {
	SessionNo string          `json:"session_no"`
	Phone     string          `json:"phone"`
	At        time.Time       `json:"at"`
	Report    json.RawMessage `json:"report"`
}
