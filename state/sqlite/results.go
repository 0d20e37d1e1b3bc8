package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/waybill-dev/waybill/plan"
	"github.com/waybill-dev/waybill/state"
)

var (
	deleteOutputs = &query{"outputs", `DELETE FROM outputs`}
	insertOutput  = &query{"output", `INSERT INTO outputs (place, name, sensitive, known, type, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`}
	deleteChecks  = &query{"checks", `DELETE FROM checks`}
	insertCheck   = &query{"check", `INSERT INTO checks (place, name, state, messages) VALUES (?1, ?2, ?3, ?4)`}
	selectOutputs = &query{"outputs", `SELECT name, sensitive, known, CAST(type AS BLOB), CAST(value AS BLOB) FROM outputs ORDER BY place`}
	selectChecks  = &query{"checks", `SELECT name, state, CAST(messages AS BLOB) FROM checks ORDER BY place`}
)

// writeResults writes the outputs and checks of the last pass.
func (w *writer) writeResults(b *state.Batch) error {
	if b.Outputs != nil {
		if err := w.c.exec(deleteOutputs); err != nil {
			return err
		}
		for i, o := range *b.Outputs {
			value := jsonArg(o.Value)
			if o.Sensitive {
				value = nil // whatever the caller holds, it does not reach the disk
			}
			if err := w.c.exec(insertOutput, int64(i+1), o.Name, boolArg(o.Sensitive), boolArg(o.Known), jsonArg(o.Type), value); err != nil {
				return err
			}
		}
	}
	if b.Checks != nil {
		if err := w.c.exec(deleteChecks); err != nil {
			return err
		}
		for i, check := range *b.Checks {
			var messages any
			if len(check.Messages) > 0 {
				text, err := json.Marshal(check.Messages)
				if err != nil {
					return fmt.Errorf("messages of check %q: %w", check.Name, err)
				}
				messages = string(text)
			}
			if err := w.c.exec(insertCheck, int64(i+1), check.Name, string(check.State), messages); err != nil {
				return err
			}
		}
	}
	return nil
}

// Outputs returns the outputs as they were last written.
func (r *Reader) Outputs(ctx context.Context) ([]state.StoredOutput, error) {
	return gather(stream(ctx, r, selectOutputs, func(_ *view, s *stmt) (state.StoredOutput, error) {
		return state.StoredOutput{Name: s.text(0), Sensitive: s.bool(1), Known: s.bool(2), Type: s.bytes(3), Value: s.bytes(4)}, nil
	}))
}

// Checks returns the checks as they were last written.
func (r *Reader) Checks(ctx context.Context) ([]plan.Check, error) {
	return gather(stream(ctx, r, selectChecks, func(v *view, s *stmt) (c plan.Check, err error) {
		c = plan.Check{Name: s.text(0), State: plan.CheckState(s.text(1))}
		if text := s.bytes(2); len(text) > 0 {
			if err = json.Unmarshal(text, &c.Messages); err != nil {
				err = fmt.Errorf("state %s: messages of check %q: %w", v.path, c.Name, err)
			}
		}
		return c, err
	}))
}
