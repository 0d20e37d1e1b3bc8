package record

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/providers"
	"github.com/waybill-dev/waybill/state"
)

// refuses reports whether a vendor refused our credentials.
func refuses(err error) bool {
	kind := providers.KindOf(err)
	return err != nil && (kind == providers.Credentials || kind == providers.Permission)
}

// refusal is the note of the words in which credentials of an account were refused
// last: an item whose last error reads so was refused, too.
func refusal(account string) state.NoteKey { return state.NoteKey{Name: "refused " + account} }

// refusedAt is the note of since when an account is refused, and when that was told
// last: two times with a blank between them, or nothing.
func refusedAt(account string) state.NoteKey { return state.NoteKey{Name: "refused at " + account} }

// Refused tells of an account whose credentials were refused when it was asked last.
// It is zero where they were not.
type Refused struct {
	Words        string // the vendor's error
	Since, Tried time.Time
}

// Refused is how an account's credentials fared when they were tried last, by
// whatever process.
func (c *Recorder) Refused(ctx context.Context, account string) (Refused, error) {
	if known, ok := c.refused.Load(account); ok {
		return known.(Refused), nil
	}
	times, err := c.store.Note(ctx, refusedAt(account))
	if err != nil {
		return Refused{}, fmt.Errorf("read whether %s refused the credentials: %w", account, err)
	}
	var r Refused
	if since, tried, ok := strings.Cut(times, " "); ok {
		if r.Since, err = time.Parse(time.RFC3339Nano, since); err == nil {
			r.Tried, err = time.Parse(time.RFC3339Nano, tried)
		}
		if err != nil {
			return Refused{}, fmt.Errorf("read whether %s refused the credentials: %w", account, err)
		}
		if r.Words, err = c.store.Note(ctx, refusal(account)); err != nil {
			return Refused{}, fmt.Errorf("read whether %s refused the credentials: %w", account, err)
		}
	}
	c.refused.LoadOrStore(account, r)
	return r, nil
}

// noteStanding adds to a batch what a call that ended in failure, or in none, says
// of the account's credentials. known is called once the batch is recorded.
func (c *Recorder) noteStanding(ctx context.Context, batch *state.Batch, account string, failure error, at time.Time) (known func(), err error) {
	nothing := func() {}
	if failure != nil && !refuses(failure) {
		return nothing, nil
	}
	before, err := c.Refused(ctx, account)
	if err != nil || failure == nil && before.Since.IsZero() {
		return nothing, err
	}
	var after Refused
	batch.Notes = map[state.NoteKey]string{refusedAt(account): ""}
	if failure != nil {
		after = Refused{Words: failure.Error(), Since: before.Since, Tried: at}
		if after.Since.IsZero() {
			after.Since = at
		}
		batch.Notes[refusal(account)] = after.Words
		batch.Notes[refusedAt(account)] = after.Since.UTC().Format(time.RFC3339Nano) + " " + at.UTC().Format(time.RFC3339Nano)
	}
	return func() { c.refused.Store(account, after) }, nil
}

// LastFailure is the failure of an item's last read, to be told again while the item
// may not be read: its kind is Credentials where these were refused. nil: the last
// read went well.
func LastFailure(ctx context.Context, reader state.Reader, item *plan.Item, until time.Time) (failure, fatal error) {
	if item.LastError == "" {
		return nil, nil
	}
	told, err := reader.Note(ctx, refusal(item.Account))
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	kind := providers.Transient
	if told == item.LastError {
		kind = providers.Credentials
	}
	return &providers.Error{Kind: kind, Err: fmt.Errorf("%w (not tried again before %s)", errors.New(item.LastError), until.UTC().Format(time.RFC3339))}, nil
}
