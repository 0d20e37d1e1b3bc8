package record

import "github.com/waybill-dev/waybill/plan"

// tellLosses counts loss windows that were recorded, and says so.
func (c *Recorder) tellLosses(windows []plan.LossWindow) {
	if c.meter != nil {
		c.meter.Lost(windows)
	}
	if c.lost != nil {
		c.lost(windows)
		return
	}
	for i := range windows {
		w := &windows[i]
		where := w.Account
		if w.Address.Type() != "" {
			where = w.Address.String()
		}
		c.log.Error("records may have been lost", "where", where, "cause", w.Cause, "from", plan.FormatTime(w.From),
			"to", plan.FormatTime(w.To), "bound", w.Bound, "salvaged", w.Salvaged, "detail", w.Detail)
	}
}
