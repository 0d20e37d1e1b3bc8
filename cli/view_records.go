package cli

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

func (p *program) jsonRecord(r *plan.Record) {
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
	p.lineJSON(j)
}

// showRecord prints one record for people.
func (p *program) showRecord(r *plan.Record) {
	out := p.out
	color := map[plan.RecordStatus]string{plan.Unmatched: yellow, plan.Quarantined: red}[r.Status()]
	status := pad(string(r.Status()), 11)
	if color != "" {
		status = out.paint(color, status)
	}
	key := r.Key
	if key == "" {
		key = "(no key)"
	}
	out.printf("%s  %s  %s  %s  %s", secondText(r.ReceivedAt), status, pad(string(r.Outcome), 9), r.Type, key)
	if r.Address != nil {
		out.printf("  %s", r.Address)
	}
	if r.Conflict {
		out.printf("  %s", out.paint(yellow, "(another content of this key counts)"))
	}
	if id := idText(r.RawID); id != nil {
		out.printf("  %s", out.paint(dim, "raw "+*id))
	}
	out.println("")
	if r.Quarantined != "" {
		out.println(wrap(r.Quarantined, out.width, "    "))
	}
}
