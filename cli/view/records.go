package view

import (
	"encoding/json"

	"github.com/waybill-dev/waybill/plan"
)

// jsonRecord is one line of records -json.
type jsonRecord struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Key        string            `json:"key"`
	Address    *string           `json:"address"`
	Status     plan.RecordStatus `json:"status"`
	Conflict   bool              `json:"conflict"`
	ReceivedAt string            `json:"received_at"`
	Outcome    plan.Outcome      `json:"outcome"`
	Attributes json.RawMessage   `json:"attributes"`
	RawID      *string           `json:"raw_id"`
	Reason     string            `json:"quarantined,omitempty"`
}

// JSONRecord prints one record as a line of JSON.
func (v *View) JSONRecord(r *plan.Record) {
	j := jsonRecord{
		Type: r.Type, Key: r.Key, Status: r.Status(), Conflict: r.Conflict, ReceivedAt: timeText(r.ReceivedAt),
		Outcome: r.Outcome, Attributes: r.Attributes, RawID: idText(r.RawID), Reason: r.Quarantined,
	}
	if id := idText(r.ID); id != nil {
		j.ID = *id
	}
	if r.Address != nil {
		a := r.Address.String()
		j.Address = &a
	}
	if len(j.Attributes) == 0 {
		j.Attributes = json.RawMessage("{}")
	}
	v.JSON(j)
}

// Record prints one record for people: when, what became of it, whose it is and
// its key. Where that is more than a line holds it goes on indented.
func (v *View) Record(r *plan.Record) {
	out := v.Out
	color := map[plan.RecordStatus]string{plan.Unmatched: yellow, plan.Quarantined: red}[r.Status()]
	status := pad(Text(r.Status()), 11)
	if color != "" {
		status = out.paint(color, status)
	}
	whose := Escape(r.Type)
	if r.Address != nil {
		whose = Escape(r.Address.String())
	}
	var conflict Text
	if r.Conflict {
		conflict = out.paint(yellow, "(another content of this key counts)")
	}
	const indent = "    "
	out.println(inColumns(out.width, indent,
		secondText(r.ReceivedAt), status, pad(Text(r.Outcome), 9), whose, recordKey(r), v.rawNote(r.RawID), conflict))
	if r.Quarantined != "" {
		out.println(wrap(r.Quarantined, out.width, indent))
	}
}

func recordKey(r *plan.Record) Text {
	if r.Key == "" {
		return "(no key)"
	}
	return Escape(r.Key)
}

// rawNote names the raw that something was told by, "" where there is none.
func (v *View) rawNote(id int64) Text {
	if id == 0 {
		return ""
	}
	return v.Out.paint(dim, sprintf("raw %d", id))
}
