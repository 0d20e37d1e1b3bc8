package view

import (
	"strconv"

	"github.com/waybill-dev/waybill/state"
)

// Raw prints a raw's bytes as they came, nothing added; on a terminal what could
// drive it is escaped, and what is known of the raw goes to standard error.
func (v *View) Raw(r *state.Raw) {
	v.Exact(r.Body)
	if !v.Out.terminal {
		return
	}
	text := string(r.Kind) + " at " + r.Account + ", " + timeText(r.At) + ", " + plural(len(r.Body), "byte")
	if r.Status != 0 {
		text += ", HTTP status " + strconv.Itoa(r.Status)
	}
	if !r.Complete {
		text += ", cut short"
	}
	if r.Redacted {
		text += ", redacted: credentials of yours that the vendor repeated are overwritten by *"
	}
	v.Note("\n# %s", text)
}
