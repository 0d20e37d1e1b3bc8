package view

import (
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/value"
)

// jsonDifferenceLine is one line of replay -json: a record or an item that differs.
type jsonDifferenceLine struct {
	Difference string        `json:"difference"` // "record" or "item"
	RawID      *string       `json:"raw_id"`
	ID         *string       `json:"id,omitempty"` // of the record, where it has one
	Change     string        `json:"change,omitempty"`
	Key        string        `json:"key,omitempty"`
	Before     string        `json:"quarantined_before,omitempty"`
	After      string        `json:"quarantined,omitempty"`
	Address    *string       `json:"address,omitempty"`
	Changes    []value.Field `json:"changes,omitempty"`
}

// jsonReplayedLine is the last line of replay -json.
type jsonReplayedLine struct {
	Replayed    int `json:"replayed"`
	Records     int `json:"records_changed"`
	Items       int `json:"items_changed"`
	Quarantined int `json:"quarantined"`
	Unreadable  int `json:"unreadable"`
	Waiting     int `json:"waiting"`
}

// changeOf names what a replay did to a record.
func changeOf(d plan.Difference) string {
	switch {
	case d.Before == nil:
		return "added"
	case d.After == nil:
		return "kept"
	case d.Before.Quarantined != "" && d.After.Quarantined == "":
		return "mended"
	case d.Before.Quarantined == "" && d.After.Quarantined != "":
		return "quarantined"
	}
	return "changed"
}

// recordOf is the record that a difference is best named by.
func recordOf(d plan.Difference) *plan.Record {
	if d.After != nil {
		return d.After
	}
	return d.Before
}

// JSONDifference prints one difference as a line of JSON.
func (v *View) JSONDifference(d plan.Difference) {
	line := jsonDifferenceLine{Difference: "item", RawID: idText(d.RawID)}
	if d.Address != nil {
		address := d.Address.String()
		line.Address = &address
		for _, f := range d.Fields {
			line.Changes = append(line.Changes, value.Field{Path: f.Path, Before: orNull(f.Before), After: orNull(f.After)})
		}
		v.JSON(line)
		return
	}
	r := recordOf(d)
	line.Difference, line.Change, line.ID, line.Key = "record", changeOf(d), idText(r.ID), r.Key
	if d.Before != nil {
		line.Before = d.Before.Quarantined
	}
	if d.After != nil {
		line.After = d.After.Quarantined
	}
	v.JSON(line)
}

// JSONReplayed prints what a replay came to as a line of JSON.
func (v *View) JSONReplayed(r *plan.Replayed) {
	v.JSON(jsonReplayedLine{r.Answers, r.Records, r.Items, r.Quarantined, r.Unreadable, r.Waiting})
}

// Difference prints one difference for people.
func (v *View) Difference(d plan.Difference) {
	out := v.Out
	if d.Address != nil {
		out.printf("%s  %s\n", out.paint(yellow, pad("observed", 11)), out.paint(bold, Escape(d.Address.String())))
		for _, f := range d.Fields {
			v.difference(f)
		}
		return
	}
	r, change := recordOf(d), changeOf(d)
	color := map[string]string{"mended": green, "added": green, "quarantined": red}[change]
	if color == "" {
		color = yellow
	}
	out.println(inColumns(out.width, "    ", out.paint(color, pad(Text(change), 11)), Escape(r.Type), recordKey(r), v.rawNote(d.RawID)))
	if r.Quarantined != "" {
		out.println(wrap(r.Quarantined, out.width, "    "))
	}
}

// Replayed prints what a replay came to: one line, and notes on what needs
// somebody. quarantinedOnly says that only quarantined records were looked for.
func (v *View) Replayed(r *plan.Replayed, quarantinedOnly bool) {
	var parts []string
	if r.Records > 0 {
		parts = append(parts, plural(r.Records, "record")+" changed")
	}
	if r.Items > 0 {
		parts = append(parts, plural(r.Items, "item")+" changed")
	}
	if len(parts) == 0 {
		parts = []string{"no difference"}
	}
	v.Out.printf("Replayed %s: %s.\n", plural(r.Answers, "answer"), strings.Join(parts, ", "))
	if r.Answers == 0 && quarantinedOnly {
		v.Note("Nothing is quarantined. To derive everything again, run: waybill replay -all")
	}
	if r.Quarantined > 0 {
		v.Note("Still in quarantine: %s. waybill records -status=quarantined shows why.", plural(r.Quarantined, "record"))
	}
	if r.Unreadable > 0 {
		v.Note("Not derived by this version, and kept as they were: %d.", r.Unreadable)
	}
	if r.Waiting > 0 {
		v.Note("Not derived yet: %s. The next apply, or the agent, does that.", plural(r.Waiting, "answer"))
	}
}
