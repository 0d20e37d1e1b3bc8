package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

// An agent that is told to end while more records wait to be counted than it has time
// for ends in the time that it promises, and its next start counts the rest.
func TestTheEndDoesNotWaitForAllToBeCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4000
		b := newBubble(t)
		var slow atomic.Bool
		ending := make(chan struct{})
		b.fault = func(op string) error {
			if slow.Load() && op == "tally" { // asked three times of each item
				<-ending
				time.Sleep(2 * time.Millisecond)
			}
			return nil
		}
		var batches strings.Builder
		for i := range n {
			fmt.Fprintf(&batches, "batch-%04d\n", i)
		}
		b.write("batches.txt", batches.String())
		b.write("main.wb.hcl", fmt.Sprintf(`
provider "nxcloud" {
  callback {
    tokens = [%q]
  }
}
resource "nxcloud_number_check" "batch" {
  for_each = toset(split("\n", trimspace(file("batches.txt"))))
  batch_no = each.key
}
`, b.vendors.Credentials().NXCloudToken))
		b.must(b.start())
		slow.Store(true)
		var pushed errgroup.Group
		pushed.SetLimit(64)
		for i := range n {
			pushed.Go(func() error {
				body := fmt.Sprintf(`{"requestId":"r%d","batchNo":"batch-%04d","code":0}`, i, i)
				if status := b.post(b.callbackURL(), body); status != http.StatusOK {
					return fmt.Errorf("callback %d was answered %d", i, status)
				}
				return nil
			})
		}
		b.must(pushed.Wait())

		told := time.Now()
		close(ending)
		b.end()
		const promised = 9*time.Second + 1000*3*2*time.Millisecond // the last batch is not left half done
		if took := time.Since(told); took > promised {
			t.Errorf("the end took %s", took)
		}
		if left := b.unfolded(); left == 0 || left == n {
			t.Errorf("%d of %d wait to be counted: this shows nothing", left, n)
		}

		slow.Store(false)
		b.must(b.start())
		time.Sleep(time.Minute)
		b.end()
		if left := b.unfolded(); left > 0 {
			t.Errorf("after the next start %d wait to be counted", left)
		}
	})
}

// unfolded is how many items have records that were not counted.
func (b *bubble) unfolded() int {
	b.t.Helper()
	reader := b.reader()
	defer reader.Close()
	ids, err := reader.Unfolded(context.Background(), 0)
	b.must(err)
	return len(ids)
}
