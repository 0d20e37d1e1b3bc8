package cli

import (
	"encoding/json"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// jsonEvent is one line of history -json.
type jsonEvent struct {
	Seq      int64         `json:"seq"`
	At       string        `json:"at"`
	Address  string        `json:"address"`
	Action   plan.Action   `json:"action"`
	Revision string        `json:"revision"`
	Changes  []value.Field `json:"changes"`
	RawID    *string       `json:"raw_id"`
}

func (p *program) jsonEvent(e *plan.Event) {
	changes := make([]value.Field, len(e.Changes))
	for i, f := range e.Changes {
		changes[i] = value.Field{Path: f.Path, Before: orNull(f.Before), After: orNull(f.After)}
	}
	p.lineJSON(jsonEvent{e.Seq, timeText(e.At), e.Address.String(), e.Action, e.Revision, changes, idText(e.RawID)})
}

func orNull(b json.RawMessage) json.RawMessage {
	if len(b) == 0 {
		return json.RawMessage("null")
	}
	return b
}

// maxEventFields is how many attributes of one event are shown for people.
const maxEventFields = 50

// showEvent prints one event for people.
func (p *program) showEvent(e *plan.Event) {
	out := p.out
	words := map[plan.Action]string{
		plan.Track: "tracked", plan.Update: "changed", plan.Forget: "forgotten", plan.Moved: "moved", plan.Observe: "observed",
	}
	color := map[plan.Action]string{plan.Track: green, plan.Forget: red}[e.Action]
	if color == "" {
		color = yellow
	}
	word := words[e.Action]
	if word == "" {
		word = string(e.Action)
	}
	out.printf("%s  %s  %s", secondText(e.At), out.paint(color, pad(word, 9)), out.paint(bold, e.Address.String()))
	if id := idText(e.RawID); id != nil {
		out.printf("  %s", out.paint(dim, "raw "+*id))
	}
	out.println("")
	shown := 0
	for _, f := range e.Changes {
		if e.Action == plan.Forget {
			break // that all of it is gone goes without saying
		}
		before, after := string(orNull(f.Before)), string(orNull(f.After))
		if before == after || before == "null" && after == "false" {
			continue // says nothing
		}
		if shown == maxEventFields {
			out.printf("    ... and %d more attributes\n", len(e.Changes)-shown)
			break
		}
		shown++
		const indent = "    "
		if before == "null" {
			out.printf("    %s = %s\n", f.Path, jsonText(f.After, indent))
			continue
		}
		out.printf("    %s = %s -> %s\n", f.Path, jsonText(f.Before, indent), jsonText(f.After, indent))
	}
}
