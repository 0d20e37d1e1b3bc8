package agent

import (
	"context"

	"github.com/waybill-dev/waybill/agent/schedule"
)

// recall tells fresh queues of credentials that were refused when another process
// tried them last.
func (a *Agent) recall(ctx context.Context, fresh []*schedule.Queue) error {
	for _, q := range fresh {
		if q.Account() == nil {
			continue
		}
		refused, err := a.rec.Refused(ctx, q.Name())
		if err != nil {
			return err
		}
		if !refused.Since.IsZero() {
			q.Recall(refused.Words, refused.Since, refused.Tried)
		}
	}
	return nil
}

// tellRefused logs the accounts whose credentials were refused when last tried: a
// start or a reload that says nothing of them looks like a success.
func (a *Agent) tellRefused() {
	for _, q := range a.allQueues() {
		if q.Refused() {
			_, why := q.Up()
			a.log.Warn("the vendor refused the credentials when they were tried last", "account", q.Name(), "error", why)
		}
	}
}
