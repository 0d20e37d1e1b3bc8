package agent_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-dev/waybill/agent"
	"github.com/waybill-dev/waybill/hclspec"
	"github.com/waybill-dev/waybill/providers/sandbox"
)

// guarded declares faxes from one number to before another, with a limit.
func (b *bubble) guarded(limit string, from, to int, extra string) string {
	return fmt.Sprintf(`
agent {
  max_forget = %q
}
resource "globfax_recipient" "fax" {
  for_each = toset([for i in range(%d, %d) : format("f%%02d", i)])
  rcpt_ref = each.key
%s
}
`, limit, from, to, extra) + b.providersText()
}

// The guard of forgets: what counts, and which limit is in force.
func TestTheGuardOfForgets(t *testing.T) {
	for name, c := range map[string]struct {
		settled  int // of 20 faxes, the first so many
		from, to func(*bubble) string
		refused  string // in the answer; empty: taken
		tracked  int
	}{
		"as many as it allows": {
			0, func(b *bubble) string { return b.guarded("20%", 0, 20, "") }, func(b *bubble) string { return b.guarded("20%", 0, 16, "") }, "", 16,
		},
		"one more": {
			0, func(b *bubble) string { return b.guarded("20%", 0, 20, "") }, func(b *bubble) string { return b.guarded("20%", 0, 15, "") }, "it would forget 5 of 20 items, more than max_forget (20%)", 20,
		},
		"a change that lifts the guard which judges it": {
			0, func(b *bubble) string { return b.guarded("20%", 0, 20, "") }, func(b *bubble) string { return b.guarded("100%", 0, 10, "") }, "it would forget 10 of 20 items, more than max_forget (20%)", 20,
		},
		"a change that lowers it": {
			0, func(b *bubble) string { return b.guarded("50%", 0, 20, "") }, func(b *bubble) string { return b.guarded("2", 0, 17, "") }, "it would forget 3 of 20 items, more than max_forget (2)", 20,
		},
		"one is always allowed": {
			0, func(b *bubble) string { return b.guarded("0", 0, 20, "") }, func(b *bubble) string { return b.guarded("0%", 0, 19, "") }, "", 19,
		},
		"settled ones do not count": {
			18, func(b *bubble) string { return b.guarded("20%", 0, 20, "") }, func(b *bubble) string { return b.guarded("20%", 18, 20, "") }, "", 2,
		},
		"nor do they make room for the others": {
			18, func(b *bubble) string { return b.guarded("20%", 0, 20, "") }, func(b *bubble) string { return b.guarded("20%", 0, 18, "") }, "it would forget 2 of 2 items, more than max_forget (20%)", 20,
		},
		"prevent_forget of what is settled": {
			18, func(b *bubble) string { return b.guarded("20%", 0, 20, "lifecycle {\n prevent_forget = true\n}") }, func(b *bubble) string { return b.guarded("20%", 18, 20, "lifecycle {\n prevent_forget = true\n}") }, "", 2,
		},
		"prevent_forget of what is awaited": {
			18, func(b *bubble) string { return b.guarded("20%", 0, 20, "lifecycle {\n prevent_forget = true\n}") }, func(b *bubble) string { return b.guarded("20%", 0, 19, "lifecycle {\n prevent_forget = true\n}") }, "prevent_forget", 20,
		},
		"what a removed block names": {
			0, func(b *bubble) string { return b.guarded("20%", 0, 20, "") },
			func(b *bubble) string { return b.providersText() + "removed {\n  from = globfax_recipient.fax\n}\n" }, "", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				for i := range 20 {
					r := sandbox.Recipient{Ref: fmt.Sprintf("f%02d", i), Status: "sending"}
					if i < c.settled {
						r = sandbox.Recipient{Ref: r.Ref, Status: "success", SettleAfter: sandbox.Duration(time.Second)}
					}
					b.must(b.vendors.AddRecipient(r))
				}
				b.write("main.wb.hcl", c.from(b))
				b.must(b.start())
				time.Sleep(5 * time.Minute)
				b.write("main.wb.hcl", c.to(b))
				warned := ""
				for _, d := range b.planDiagnostics() {
					warned += d.Summary + ": " + d.Detail
				}
				if c.refused != "" && !strings.Contains(warned, c.refused) || c.refused == "" && warned != "" {
					t.Errorf("the plan says %q", warned)
				}
				if lifted := strings.Contains(name, "lifts"); strings.Contains(warned, "make it alone first") != lifted {
					t.Errorf("the plan says %q", warned)
				}
				if strings.HasPrefix(c.refused, "it would") && !strings.Contains(warned, "the agent would refuse this") {
					t.Errorf("the plan says %q", warned)
				}
				b.end()
				b.must(b.start()) // judged at a start as at a reload: the change came while none ran
				_, body := b.get(adminURL + "/-/ready")
				if refused := strings.Contains(body, "was refused"); refused != (c.refused != "") || !strings.Contains(body, c.refused) {
					t.Errorf("ready: %s", body)
				}
				status := b.post(adminURL+"/-/reload", "")
				if taken := status == http.StatusOK; taken != (c.refused == "") {
					t.Errorf("reload: %d", status)
				}
				if n := b.tracked(); n != c.tracked {
					t.Errorf("%d items are tracked, want %d", n, c.tracked)
				}
				b.end()
			})
		})
	}
}

// -max-forget lifts the guard once, and a limit that was taken alone is in force after.
func TestTheGuardIsLifted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		for i := range 20 {
			b.must(b.vendors.AddRecipient(sandbox.Recipient{Ref: fmt.Sprintf("f%02d", i), Status: "sending"}))
		}
		start := func(limit string) {
			t.Helper()
			b.must(b.start(func(o *agent.AgentOptions) {
				if limit != "" {
					l, err := hclspec.ParseForgetLimit(limit)
					b.must(err)
					o.MaxForget = &l
				}
			}))
		}
		reload := func(want int) {
			t.Helper()
			if status := b.post(adminURL+"/-/reload", ""); status != want {
				t.Errorf("reload: %d, want %d", status, want)
			}
		}
		b.write("main.wb.hcl", b.guarded("10%", 0, 20, ""))
		start("")
		b.end()
		b.write("main.wb.hcl", b.guarded("10%", 0, 12, ""))
		start("8")
		if n := b.tracked(); n != 12 {
			t.Errorf("%d items are tracked after a start with -max-forget", n)
		}
		b.write("main.wb.hcl", b.guarded("10%", 0, 6, ""))
		reload(http.StatusInternalServerError)
		b.write("main.wb.hcl", b.guarded("50%", 0, 12, ""))
		reload(http.StatusOK)
		b.write("main.wb.hcl", b.guarded("50%", 0, 6, ""))
		reload(http.StatusOK)
		if n := b.tracked(); n != 6 {
			t.Errorf("%d items are tracked after the limit was raised first", n)
		}
		b.end()
	})
}
