package record

import (
	"context"
	"crypto/sha256"

	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// Receive makes a callback durable, with the record it came to: one commit, so
// that there is no state in which one is there without the other. result is "accepted", "quarantined" or
// "duplicate".
func (c *Recorder) Receive(ctx context.Context, a *providers.Account, body []byte) (result string, err error) {
	id, err := c.store.NewRawID(ctx)
	if err != nil {
		return "", err
	}
	came := providers.Answer{Body: body, Complete: true}
	a.Redactor.Answer(&came, MaxCallback)
	raw := state.Raw{
		ID: id, Kind: state.RawCallback, Account: a.Name, At: c.now(),
		Complete: came.Complete, Body: came.Body, Derived: true, Redacted: came.Redacted, Digest: came.Sum,
	}
	page := Parse(a.Vendor, &raw)
	result = "accepted"
	for i := range page.Records {
		if page.Records[i].Quarantined != "" {
			result = "quarantined"
		}
	}
	batch := &state.Batch{Raws: []state.Raw{raw}, Records: page.Records}
	if err := c.store.Commit(ctx, batch); err != nil {
		return "", err
	}
	if batch.NewRecords == 0 {
		result = "duplicate"
	}
	c.Recorded()
	return result, nil
}

func bodyDigest(body []byte) [16]byte {
	sum := sha256.Sum256(body)
	return [16]byte(sum[:16])
}
