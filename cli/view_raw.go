package cli

import (
	"strconv"

	"github.com/waybill-dev/waybill/state"
)

// showRaw prints a raw's bytes as they came, nothing added; what is known of
// them goes to standard error of a terminal.
func (p *program) showRaw(r *state.Raw) {
	_, _ = p.out.Write(r.Body)
	if !p.out.terminal {
		return
	}
	text := string(r.Kind) + " at " + r.Account + ", " + timeText(r.At) + ", " + plural(len(r.Body), "byte")
	if r.Status != 0 {
		text += ", HTTP status " + strconv.Itoa(r.Status)
	}
	if !r.Complete {
		text += ", cut short"
	}
	p.note("\n# %s", text)
}
