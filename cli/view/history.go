package view

import (
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// jsonEvent is one line of history -json.
type jsonEvent struct {
	Seq      int64         `json:"seq"`
	At       string        `json:"at"`
	Address  *string       `json:"address"` // null of what concerns an account
	Account  string        `json:"account,omitempty"`
	Action   plan.Action   `json:"action"`
	By       string        `json:"by,omitempty"`
	Why      string        `json:"why,omitempty"`
	Revision string        `json:"revision"`
	Changes  []value.Field `json:"changes"`
	RawID    *string       `json:"raw_id"`
}

// JSONEvent prints one event as a line of JSON.
func (v *View) JSONEvent(e *plan.Event) {
	changes := make([]value.Field, len(e.Changes))
	for i, f := range e.Changes {
		changes[i] = value.Field{Path: f.Path, Before: orNull(f.Before), After: orNull(f.After)}
	}
	j := jsonEvent{
		Seq: e.Seq, At: timeText(e.At), Account: e.Account, Action: e.Action, By: e.By, Why: e.Why,
		Revision: e.Revision, Changes: changes, RawID: idText(e.RawID),
	}
	if !e.Address.IsZero() {
		address := e.Address.String()
		j.Address = &address
	}
	v.JSON(j)
}

// eventOf names what an event is about: an item by its address, or an account.
func eventOf(e *plan.Event) string {
	if e.Address.IsZero() {
		return e.Account
	}
	return e.Address.String()
}

// maxEventFields is how many attributes of one event are shown for people.
const maxEventFields = 50

// Event prints one event for people.
func (v *View) Event(e *plan.Event) {
	out := v.Out
	words := map[plan.Action]Text{
		plan.Track: "tracked", plan.Update: "changed", plan.Forget: "forgotten", plan.Moved: "moved", plan.Observe: "observed",
	}
	color := map[plan.Action]string{plan.Track: green, plan.Forget: red}[e.Action]
	if color == "" {
		color = yellow
	}
	word := words[e.Action]
	if word == "" {
		word = Escape(string(e.Action))
	}
	const indent = "    "
	out.println(inColumns(out.width, indent,
		secondText(e.At), out.paint(color, pad(word, 9)), out.paint(bold, Escape(eventOf(e))), v.rawNote(e.RawID)))
	if e.By != "" || e.Why != "" {
		out.println(wrap(strings.TrimSuffix("by "+e.By+": "+e.Why, ": "), out.width, indent))
	}
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
		if before == "null" {
			out.printf("    %s = %s\n", f.Path, jsonText(f.After, indent))
			continue
		}
		v.difference(f)
	}
}

// difference prints one attribute's difference, on two lines where it has no room
// on one.
func (v *View) difference(f value.Field) {
	const indent = "    "
	was := sprintf("%s%s = %s", Text(indent), f.Path, jsonText(orNull(f.Before), indent))
	is := "-> " + jsonText(orNull(f.After), indent)
	if columnsOf(was)+1+columnsOf(is) > v.Out.width {
		is = "\n" + indent + indent + is
	} else {
		is = " " + is
	}
	v.Out.println(was + is)
}
