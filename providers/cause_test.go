package providers_test

import (
	"errors"
	"testing"

	"github.com/waybill-dev/waybill/providers"
)

// Failures of one cause are one, whatever ports, paths and identifiers they name;
// those of two are two.
func TestCause(t *testing.T) {
	transient := func(text string) error { return &providers.Error{Kind: providers.Transient, Err: errors.New(text)} }
	rejected := func(text string) error { return &providers.Error{Kind: providers.Rejected, Err: errors.New(text)} }
	for _, c := range []struct {
		one, other error
		same       bool
	}{
		{transient("asking: read tcp 127.0.0.1:40112->127.0.0.1:80: connection reset by peer"), transient("asking: read tcp 127.0.0.1:40114->127.0.0.1:80: connection reset by peer"), true},
		{transient("asking: read tcp [::1]:40112->[::1]:80: EOF"), transient("asking: read tcp [::1]:9->[::1]:80: EOF"), true},
		{rejected(`refused (HTTP 400, "no recipient rcpt_x")`), rejected(`refused (HTTP 400, "no recipient \"y\" z")`), true},
		{rejected("no record at /v1/fax/abc"), rejected("no record at /v1/fax/def"), true},
		{rejected("it is 3 bytes (not tried again before 2026-03-01T08:00:30Z)"), rejected("it is 12 bytes (not tried again before 2026-03-01T08:00:31Z)"), true},
		{transient("trouble (HTTP 500)"), transient("trouble (HTTP 503)"), false},
		{rejected("refused (RetCode 230)"), rejected("refused (RetCode 171)"), false},
		{transient("trouble"), rejected("trouble"), false},
		{transient("asking: connection reset by peer"), transient("asking: connection refused"), false},
	} {
		if one, other := providers.Cause(c.one), providers.Cause(c.other); (one == other) != c.same {
			t.Errorf("%q and %q: same %t", one, other, one == other)
		}
	}
}
