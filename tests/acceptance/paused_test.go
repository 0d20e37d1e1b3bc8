//go:build unix

package acceptance

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/providers/sandbox"
	"github.com/waybill-dev/waybill/tests/harness"
)

// A process that is paused during a pull until its time-out is over (a signal, a
// frozen container) takes the answer that waits for it when it goes on.
func TestAPauseDuringAPull(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	for _, command := range [][]string{{"agent"}, {"apply", "-auto-approve"}} {
		t.Run(command[0], func(t *testing.T) {
			t.Parallel()
			server, env := harness.Vendors(t, sandbox.Options{})
			if err := server.AddSend(sandbox.Send{SessionNo: "s1", Project: "org-34", Count: 90, SettleAfter: -1}); err != nil {
				t.Fatal(err)
			}
			if _, err := server.AddFault(sandbox.Fault{Vendor: sandbox.UCloud, Kind: sandbox.Delay, Delay: sandbox.Duration(timeout / 2), Next: 1}); err != nil {
				t.Fatal(err)
			}
			s := newSite(t, strings.Replace(harness.FourVendors, "project_id = ", "timeout = \""+timeout.String()+"\"\n  project_id = ", 1)+`
resource "ucloud_usms_report_pull" "main" {
  interval = "1h"
}
`, env)
			s.Env["GOMAXPROCS"] = "1" // of the timer and the answer, the timer comes first
			p := s.Start(command...)
			harness.Eventually(t, func() string { return harness.Unless(len(server.Account().Deleted), 90) })
			p.Signal(syscall.SIGSTOP)
			over := time.Now().Add(timeout + time.Second/2)
			harness.Eventually(t, func() string {
				if time.Now().Before(over) {
					return "the time-out is not over"
				}
				return ""
			})
			p.Signal(syscall.SIGCONT)
			harness.Eventually(t, func() string {
				if strings.Contains(p.Log(), "no whole answer") {
					t.Fatal("the answer was thrown away")
				}
				return harness.Unless(len(s.Records()), 90)
			})
			if command[0] == "agent" {
				p.Stop()
			} else if code := p.Wait(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			harness.Wants(t, "the policy", s.Values("ucloud_usms_report_pull.main"), map[string]any{"pulled_total": 90, "loss_windows": 0})
		})
	}
}
