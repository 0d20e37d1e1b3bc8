package sandbox

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestUCloudVectors are the vendor's published signatures.
func TestUCloudVectors(t *testing.T) {
	for want, text := range map[string]string{
		"cba5cf5ec4d4233d206b1b54951e3787350a642f": "Action=DescribeUHostInstance&Limit=10&Region=cn-bj2",
		"4f9ef5df2abab2c6fccd1e9515cb7e2df8c6bb65": "Action=CreateUHostInstance&CPU=2&ChargeType=Month&DiskSpace=10" +
			"&ImageId=f43736e1-65a5-4bea-ad2e-8a46e18883c2&LoginMode=Password&Memory=2048&Name=Host01&Password=VUNsb3VkLmNu&Quantity=1&Region=cn-bj2&Zone=cn-bj2-04",
		"d41dc6595386ebc4298e6c0675dd26938d1caa53": "Action=PullUSMSReport&Limit=100&ProjectId=org-abc",
	} {
		form, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		form.Set("PublicKey", "ucloudsomeone@example.com1296235120854146120")
		form.Set("Signature", "not signed")
		if got := usmsSignature(form, "46f09bb9fab4f12dfc160dae12273d5332b5debe"); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestUCloudAnswersThePagesExample(t *testing.T) {
	f := newFixture(t, Options{})
	at := time.Unix(1563867000, 0)
	f.clock.now = at.Add(time.Hour)
	for _, v := range []Send{
		{SessionNo: "d0*************6c6e", Phones: []string{"185****9057"}, Outcomes: []string{"success"}},
		{SessionNo: "d1****************6c6e", Phones: []string{"135****5924"}, Outcomes: []string{"fail"}},
	} {
		v.CostCount, v.UserID, v.SentAt, v.SettleAfter, v.English = 2, "ky*****pcm", at, -1, new(false)
		if err := f.AddSend(v); err != nil {
			t.Fatal(err)
		}
	}
	r := f.pull(map[string]string{"ProjectId": "org-34", "Limit": "100"})
	page := decode[usmsPage](t, r)
	want := strings.Replace(golden(t, "ucloud_page.json"), "abcd-da*********a-dafdsa", page.ReqUUID, 1)
	r.wants(t, 200, want)
	// Deleted: the next page is empty, and a list all the same.
	r = f.pull(map[string]string{"ProjectId": "org-34", "Limit": "100"})
	page = decode[usmsPage](t, r)
	r.wants(t, 200, `{"RetCode":0,"Action":"PullUSMSReportResponse","Message":"pull success","ReqUuid":"`+page.ReqUUID+`","ReportSet":[]}`)
}

func TestUCloudSpellings(t *testing.T) {
	f := newFixture(t, Options{})
	for _, english := range []bool{false, true} {
		if err := f.AddSend(Send{SessionNo: fmt.Sprint(english), Count: 3, Outcomes: []string{"success", "fail", "unknown"}, English: new(english), SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, raw := range decode[usmsPage](t, f.pull(nil)).ReportSet {
		var r usmsReport
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.ReceiptResult)
	}
	if want := []string{"发送成功", "发送失败", "状态未知", "Success", "Fail", "Unknow"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUCloudRefuses(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.AddSend(Send{SessionNo: "s", Count: 3, SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change map[string]string
		want   int
	}{
		"no signature":      {map[string]string{"Signature": ""}, 170},
		"wrong signature":   {map[string]string{"Signature": strings.Repeat("0", 40)}, 171},
		"wrong public key":  {map[string]string{"PublicKey": "other"}, 172},
		"no action":         {map[string]string{"Action": ""}, 160},
		"other action":      {map[string]string{"Action": "SendUSMSMessage"}, 161},
		"limit 0":           {map[string]string{"Limit": "0"}, 18000},
		"limit 201":         {map[string]string{"Limit": "201"}, 18000},
		"limit no number":   {map[string]string{"Limit": "all"}, 18000},
		"negative limit":    {map[string]string{"Limit": "-5"}, 18000},
		"limit with blanks": {map[string]string{"Limit": " 5"}, 18000},
	} {
		r := f.pull(c.change)
		if got := decode[usmsPage](t, r); r.status != 200 || got.RetCode != c.want || got.Message == "" || got.ReportSet != nil {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if a := f.Account(); len(a.Deleted) != 0 || len(a.Pulls) != 0 || a.Reports.Waiting != 3 {
		t.Errorf("a refused pull deleted: %+v", a)
	}
}

func TestUCloudLimitsAndProjects(t *testing.T) {
	f := newFixture(t, Options{})
	for project, n := range map[string]int{"": 250, "org-a": 150, "org-b": 10} {
		if err := f.AddSend(Send{SessionNo: "s" + project, Project: project, Count: n, SettleAfter: -1}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		project, limit string
		want           int
	}{{"org-b", "5", 5}, {"", "", 100}, {"org-a", "200", 200}, {"org-a", "200", 105 - 10 + 5}, {"org-a", "1", 0}, {"org-b", "200", 5}} {
		change := map[string]string{}
		if c.project != "" {
			change["ProjectId"] = c.project
		}
		if c.limit != "" {
			change["Limit"] = c.limit
		}
		got := len(decode[usmsPage](t, f.pull(change)).ReportSet)
		// What belongs to no project goes to whoever pulls first: only sums are fixed.
		if (i < 3 || i == 4) && got != c.want {
			t.Errorf("pull %d of %q with limit %q returned %d, want %d", i, c.project, c.limit, got, c.want)
		}
	}
	a := f.Account()
	if a.Reports.Waiting != 0 || len(a.Deleted) != 410 {
		t.Errorf("%d deleted, %d left", len(a.Deleted), a.Reports.Waiting)
	}
	for _, p := range a.Pulls {
		for _, d := range a.Deleted {
			if d.ReqUUID == p.ReqUUID && (d.SessionNo == "sorg-a" && p.Project != "org-a" || d.SessionNo == "sorg-b" && p.Project != "org-b") {
				t.Fatalf("a pull of %s took a report of %s", p.Project, d.SessionNo)
			}
		}
	}
}

func TestUCloudByGET(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.AddSend(Send{SessionNo: "s", SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodGet, f.at.UCloud+"?"+usmsForm(nil).Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := decode[usmsPage](t, f.do(r)); got.RetCode != 0 || len(got.ReportSet) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestUCloudRetention(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.AddSend(Send{SessionNo: "old", Count: 4, SettleAfter: Duration(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	f.clock.add(time.Hour)
	if err := f.AddSend(Send{SessionNo: "new", Count: 3, SettleAfter: Duration(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	// Added late, though it is the oldest.
	if err := f.AddSend(Send{SessionNo: "late", SentAt: start.Add(-time.Hour), SettleAfter: -1}); err != nil {
		t.Fatal(err)
	}
	f.clock.add(time.Minute)
	if r := f.Account().Reports; r != (Reports{Reported: 8, Waiting: 8}) {
		t.Errorf("before: %+v", r)
	}
	// 72 h after the old ones became readable, less a second: only the late one has gone.
	f.clock.add(71*time.Hour - time.Second)
	if a := f.Account(); len(a.Expired) != 1 || a.Expired[0].SessionNo != "late" || !a.Expired[0].At.Equal(start.Add(71*time.Hour)) {
		t.Errorf("a second before: %+v", a.Expired)
	}
	f.clock.add(time.Second)
	page := decode[usmsPage](t, f.pull(nil))
	a := f.Account()
	if len(a.Expired) != 5 || len(page.ReportSet) != 3 || len(a.Deleted) != 3 || a.Deleted[0].SessionNo != "new" {
		t.Errorf("expired %d, pulled %d", len(a.Expired), len(page.ReportSet))
	}
	for _, e := range a.Expired[1:] {
		if e.SessionNo != "old" || !e.At.Equal(start.Add(time.Minute).Add(retention)) {
			t.Errorf("expired: %+v", e)
		}
	}
}

func TestUCloudToldTwice(t *testing.T) {
	f := newFixture(t, Options{})
	if err := f.AddSend(Send{SessionNo: "twice", Phones: []string{"1", "2"}, Outcomes: []string{"success", "fail"}, Twice: true, SettleAfter: Duration(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if err := f.AddSend(Send{SessionNo: "then", Phones: []string{"3"}, Outcomes: []string{"unknown"}, Then: "success", SettleAfter: Duration(time.Minute), English: new(true)}); err != nil {
		t.Fatal(err)
	}
	f.clock.add(2 * time.Minute)
	count := make(map[string]int)
	times := make(map[string]int64)
	for _, raw := range decode[usmsPage](t, f.pull(nil)).ReportSet {
		count[string(raw)]++
		var r usmsReport
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		times[r.SessionNo+" "+r.ReceiptResult] = r.ReceiptTime
	}
	var twice int
	for _, n := range count {
		if n == 2 {
			twice++
		}
	}
	if twice != 2 || len(count) != 4 || times["then Success"] != times["then Unknow"]+1 {
		t.Errorf("%v %v", count, times)
	}
}

// TestUCloudAccountAddsUp lets everything happen in any order: what was reported
// is deleted, expired or still there, and each report is in exactly one place.
func TestUCloudAccountAddsUp(t *testing.T) {
	for seed := range uint64(20) {
		d := rand.New(rand.NewPCG(seed, 1))
		f := newFixture(t, Options{Seed: seed})
		for _, k := range []FaultKind{Truncate, ResetBefore, ResetAfter, ServerError, HTML, Odd, Unreachable} {
			if _, err := f.AddFault(Fault{Vendor: UCloud, Kind: k, Probability: 0.1, Acted: d.IntN(2) == 0}); err != nil {
				t.Fatal(err)
			}
		}
		sent := int64(0)
		returned := 0
		for i := range 200 {
			switch d.IntN(3) {
			case 0:
				n := 1 + d.IntN(30)
				if err := f.AddSend(Send{SessionNo: fmt.Sprintf("%d-%d", seed, i), Count: n}); err != nil {
					t.Fatal(err)
				}
				sent += int64(n)
			case 1:
				r := f.pull(map[string]string{"Limit": fmt.Sprint(1 + d.IntN(50))})
				var page usmsPage
				if r.err == nil && json.Unmarshal(r.body, &page) == nil {
					returned += len(page.ReportSet)
				}
			case 2:
				f.clock.add(time.Duration(d.IntN(45)) * time.Hour)
			}
			a := f.Account()
			if a.Reports.Reported != int64(len(a.Deleted)+len(a.Expired))+a.Reports.Waiting || a.Reports.Reported+a.Reports.Coming != sent {
				t.Fatalf("seed %d, step %d: %+v, %d deleted, %d expired, %d sent", seed, i, a.Reports, len(a.Deleted), len(a.Expired), sent)
			}
		}
		a := f.Account()
		whole, deleted := 0, 0
		for _, p := range a.Pulls {
			deleted += p.Returned
			if p.Whole {
				whole += p.Returned
			}
		}
		if whole != returned || deleted != len(a.Deleted) || whole == deleted || len(a.Expired) == 0 {
			t.Errorf("seed %d: %d arrived, %d said to be whole, %d deleted of %d, %d expired", seed, returned, whole, deleted, len(a.Deleted), len(a.Expired))
		}
		seen := make(map[string]bool)
		for _, d := range a.Deleted {
			key := d.SessionNo + "/" + d.Phone
			if seen[key] {
				t.Fatalf("seed %d: %s was deleted twice", seed, key)
			}
			seen[key] = true
		}
		for _, e := range a.Expired {
			if seen[e.SessionNo+"/"+e.Phone] {
				t.Fatalf("seed %d: %s/%s was deleted and expired", seed, e.SessionNo, e.Phone)
			}
		}
	}
}

func TestSendMistakes(t *testing.T) {
	f := newFixture(t, Options{})
	for _, v := range []Send{{}, {SessionNo: "s", Count: -1}, {SessionNo: "s", Outcomes: []string{"great"}}, {SessionNo: "s", Then: "later"}} {
		if err := f.AddSend(v); err == nil {
			t.Errorf("taken in: %+v", v)
		}
	}
}
