package record

import (
	"context"
	"errors"
	"fmt"
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
