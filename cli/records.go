package cli

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

func recordsCommand() *command {
	var flags stateFlags
	var asJSON bool
	var typ, status, since string
	return &command{
		name:    "records",
		summary: "Show what was pulled and pushed, oldest first",
		flags: func(fs *flag.FlagSet) {
			flags.register(fs)
			fs.BoolVar(&asJSON, "json", false, "print one JSON object a line")
			fs.StringVar(&typ, "type", "", "only records of this resource `type`")
			fs.StringVar(&status, "status", "", "only those that are matched, unmatched or quarantined (`status`)")
			fs.StringVar(&since, "since", "", "only what was received since this `time`: RFC 3339, a date, or how long ago, such as 24h")
		},
		run: func(ctx context.Context, p *program, _ []string) int {
			filter, err := p.recordFilter(typ, status, since)
			if err != nil {
				return p.fail(err)
			}
			reader, _, ok := p.reader(flags)
			if !ok {
				return exitError
			}
			for record, err := range reader.Records(ctx, filter) {
				if err != nil {
					return p.closing(reader, p.fail(fmt.Errorf("read records: %w", contextError(ctx, err))))
				}
				if asJSON {
					p.view.JSONRecord(record)
				} else {
					p.view.Record(record)
				}
			}
			return p.closing(reader, exitOK)
		},
	}
}

func (p *program) recordFilter(typ, status, since string) (state.RecordFilter, error) {
	filter := state.RecordFilter{Type: typ, Status: plan.RecordStatus(status)}
	switch filter.Status {
	case "", plan.Matched, plan.Unmatched, plan.Quarantined:
	default:
		names := []string{string(plan.Matched), string(plan.Unmatched), string(plan.Quarantined)}
		return filter, fmt.Errorf("-status=%s%s: write matched, unmatched or quarantined", status, didYouMean(status, names))
	}
	if typ != "" {
		var names []string
		known := false
		for _, s := range p.schemas() {
			for _, t := range s.Types {
				if t.Kind == plan.Counted {
					names = append(names, t.Name)
					known = known || t.Name == typ
				}
			}
		}
		if !known {
			return filter, fmt.Errorf("-type=%s%s: records are of type %s", typ, didYouMean(typ, names), strings.Join(names, " or "))
		}
	}
	var err error
	filter.Since, err = parseSince(since, p.now())
	return filter, err
}
